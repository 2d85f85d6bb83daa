/* Lines about a run under way. */
#include "cli/progress_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BAR = 20, BAR_NARROW = 10 };

typedef struct text { /* grows in a line of ADN_LINE bytes */
    char *line;
    size_t n;
} text;

static void add(text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->line + t->n, ADN_LINE - t->n, fmt, args);
    va_end(args);
    if (n > 0) t->n = ADN_MIN(t->n + (size_t)n, ADN_LINE - 1);
}

static void cut(text *t, int width)
{
    if (t->n > (size_t)width) t->line[width] = '\0';
}

void adn_text_thousands(char *out, size_t room, double value)
{
    char digits[32];
    int n = snprintf(digits, sizeof(digits), "%.0f", value);
    size_t at = 0;

    for (int i = 0; i < n && at + 2 < room; i++) {
        if (i > 0 && digits[i - 1] != '-' && (n - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

static void add_time(text *t, double seconds)
{
    long s = isfinite(seconds) && seconds < 1e9 ? lround(seconds) : 0;
    if (s >= 48 * 3600)
        add(t, "%ldd %ldh", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        add(t, "%ld:%02ld:%02ld", s / 3600, s % 3600 / 60, s % 60);
    else
        add(t, "%ld:%02ld", s / 60, s % 60);
}

/* --- how fast */

/* Seconds that the block needs still, at its rate of late; NaN: unknown. */
static double block_eta(struct adn_block_pace *b, const adn_stage_view *v, double dt, double until)
{
    const double memory_s = 20;
    double kept = exp(-dt / memory_s), done = (double)v->samples;

    b->samples = kept * b->samples + done - b->seen;
    b->seconds = kept * b->seconds + dt;
    b->seen = done;
    if (v->is_done) return 0;
    return b->samples > 0 ? ADN_MAX(0, until - done) * b->seconds / b->samples : NAN;
}

/* NaN: not known of every block, or none is left. */
static double slowest_eta(adn_pace *pace, const adn_tick *tick)
{
    double dt = tick->seconds - pace->seen_s, slowest = 0;
    bool is_known = true;

    for (int j = 0; j < tick->n_block; j++) {
        double eta =
            block_eta(&pace->blocks[j], &tick->blocks[j], dt, (double)tick->block_until_samples);
        is_known = is_known && isfinite(eta);
        slowest = fmax(slowest, eta);
    }
    pace->seen_s = tick->seconds;
    return is_known && slowest > 0 ? slowest : NAN;
}

static bool all_are_done(const adn_tick *tick)
{
    for (int j = 0; j < tick->n_block; j++)
        if (!tick->blocks[j].is_done) return false;
    return true;
}

static adn_pace first_pace(const adn_tick *tick, double samples, double steps)
{
    adn_pace pace = {.has_first = true,
                     .first_s = tick->seconds,
                     .first_samples = samples,
                     .first_steps = steps,
                     .eta_s = NAN,
                     .seen_s = tick->seconds};
    for (int j = 0; j < tick->n_block; j++) pace.blocks[j].seen = (double)tick->blocks[j].samples;
    return pace;
}

void adn_pace_update(adn_pace *pace, const adn_tick *tick, const adn_duration *until)
{
    const double settled_s = 2; /* before that the rate is of the first few steps */
    double samples = 0, steps = 0, all = (double)tick->block_until_steps * tick->n_block;

    for (int j = 0; j < tick->n_block; j++) {
        samples += (double)tick->blocks[j].samples;
        steps += (double)tick->blocks[j].steps;
    }
    if (!pace->has_first) *pace = first_pace(tick, samples, steps);
    double seconds = tick->seconds - pace->first_s, made = steps - pace->first_steps;
    pace->eta_s = NAN;
    if (until->unit == ADN_SECONDS)
        pace->eta_s = ADN_MAX(0, until->value - tick->before_s - tick->seconds);
    double slowest = tick->is_async && all > 0 ? slowest_eta(pace, tick) : NAN;
    /* Only a test pass is left: the rates stay. */
    if (tick->is_async ? all_are_done(tick) : all > 0 && steps >= all) seconds = 0;
    if (seconds <= 0) return;
    pace->img_s = (samples - pace->first_samples) / tick->n_block / seconds;
    if (all <= 0 || seconds < settled_s) return;
    if (tick->is_async)
        pace->eta_s = slowest;
    else if (made > 0)
        pace->eta_s = ADN_MAX(0, all - steps) / made * seconds;
}

/* --- a block */

typedef struct place {  /* where a block stands in its epochs */
    int epoch, n_epoch; /* from 1; n_epoch 0: the run ends by time */
    double share;       /* of the epoch */
} place;

/* In async by samples, as the clock has it: which batches come, short ones among them, is chance.
 */
static place place_of(const adn_tick *tick, int b)
{
    const adn_stage_view *v = &tick->blocks[b];
    bool by_samples = tick->is_async;
    int64_t in_epoch = ADN_MAX(1, by_samples ? tick->epoch_samples : tick->epoch_steps);
    int64_t until = by_samples ? tick->block_until_samples : tick->block_until_steps;
    int64_t done = by_samples ? v->samples : v->steps;
    int64_t n = until > 0 ? (until + in_epoch - 1) / in_epoch : 0;
    int64_t epoch = done > 0 ? (done - 1) / in_epoch : 0; /* ended, while it is tested: its 100% */

    if (n > 0 && (epoch >= n || v->is_done))
        epoch = n - 1; /* 100% of the last, not 0% of one more */
    int64_t first = epoch * in_epoch;
    int64_t len = until > 0 ? ADN_MIN(in_epoch, until - first) : in_epoch;
    double share = len > 0 ? (double)(done - first) / (double)len : 1;
    if (n > 0 && v->is_done) share = 1;
    return (place){(int)epoch + 1, (int)n, ADN_MIN(1, ADN_MAX(0, share))};
}

static void add_epoch(text *t, const place *p)
{
    if (p->n_epoch > 0)
        add(t, "epoch %d/%d", p->epoch, p->n_epoch);
    else
        add(t, "epoch %d", p->epoch);
}

static int epoch_column(const adn_tick *tick)
{
    char line[ADN_LINE];
    text t = {line, 0};
    place p = place_of(tick, 0);

    if (p.n_epoch > 0) p.epoch = p.n_epoch; /* the widest */
    add_epoch(&t, &p);
    return (int)t.n;
}

static void add_bar(text *t, double share, int n)
{
    int full = (int)(share * n);
    for (int i = 0; i < n; i++) add(t, "%c", i < full ? '#' : '.');
    add(t, " ");
}

static bool has_begun(const adn_stage_view *v)
{
    return v->steps > 0 || isfinite(v->loss);
}

/* What a line tells of a block, in this order. Where there is no room the highest rank goes. */
enum { MAX_ITEM = 8 };
typedef struct item {
    char s[40];
    int rank;
} item;
typedef struct items {
    item list[MAX_ITEM];
    int n;
} items;

static void tell(items *l, int rank, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void tell(items *l, int rank, const char *fmt, ...)
{
    item *i = &l->list[l->n++];
    va_list args;

    ADN_ASSERT(l->n <= MAX_ITEM);
    va_start(args, fmt);
    vsnprintf(i->s, sizeof(i->s), fmt, args);
    va_end(args);
    i->rank = rank;
}

static void leave_out(items *l)
{
    int worst = 0;

    for (int i = 1; i < l->n; i++)
        if (l->list[i].rank >= l->list[worst].rank) worst = i;
    l->n--;
    memmove(&l->list[worst], &l->list[worst + 1], (size_t)(l->n - worst) * sizeof(item));
}

static void add_items(text *t, items *l, int width)
{
    size_t n = t->n;

    for (int i = 0; i < l->n; i++) n += 2 + strlen(l->list[i].s);
    while (l->n > 1 && n > (size_t)width) {
        leave_out(l);
        n = t->n;
        for (int i = 0; i < l->n; i++) n += 2 + strlen(l->list[i].s);
    }
    for (int i = 0; i < l->n; i++) add(t, "  %s", l->list[i].s);
}

/* Whether anyone behind block b still learns from what it hands on. */
static bool feeds_on(const adn_tick *tick, int b)
{
    bool is_needed = false;
    for (int j = b + 1; j < tick->n_block; j++) is_needed = is_needed || !tick->blocks[j].is_done;
    return tick->is_async && tick->feeds_on && is_needed;
}

/* How often each batch that it read was read, on average. */
static double reuse_of(const adn_edge_view *e)
{
    return (double)e->pulled / (double)ADN_MAX(1, e->pulled - e->reused);
}

static double drop_percent(const adn_edge_view *e)
{
    return 100 * (double)e->dropped / (double)ADN_MAX(1, e->pushed);
}

static void tell_edge(items *l, const adn_edge_view *e)
{
    if (e->pulled == 0) return;
    tell(l, 2, "age p50 %lld p99 %lld", (long long)e->age_p50, (long long)e->age_p99);
    tell(l, 4, "reuse %.2f", reuse_of(e));
    tell(l, 3, "drop %.1f%%", drop_percent(e));
}

static void tell_block(items *l, const adn_tick *tick, int b)
{
    const adn_stage_view *v = &tick->blocks[b];
    char rate[32];

    if (!has_begun(v)) {
        tell(l, 0, "waits for its first batch");
        return;
    }
    adn_text_thousands(rate, sizeof(rate), isfinite(v->img_s) ? v->img_s : 0);
    if (v->is_done)
        tell(l, 0, feeds_on(tick, b) ? "done, feeds on" : "done");
    else
        tell(l, 1, "%7s img/s", rate);
    if (isfinite(v->loss)) tell(l, 0, "loss %.3f", v->loss);
    if (isfinite(v->top1)) tell(l, 5, "top1 %5.2f%%", v->top1);
    if (tick->is_async && b > 0) tell_edge(l, &tick->edges[b]);
    if (v->tests > 0)
        tell(l, 2, "testing");
    else if (!v->is_done)
        tell(l, 6, "lr %.4g", v->lr);
}

/* A line that has more to say has a shorter bar. */
static int bar_of(const adn_tick *tick, int width)
{
    int more = tick->is_async ? 30 : 0;
    return width >= 80 + more ? BAR : width >= 60 + more ? BAR_NARROW : 0;
}

int adn_text_block(char *line, int width, const adn_tick *tick, int b, int epoch_before)
{
    text t = {line, 0};
    place p = place_of(tick, b);
    items l = {.n = 0};
    int column = epoch_column(tick), n_bar = bar_of(tick, width);

    if (p.epoch != epoch_before) add_epoch(&t, &p);
    while (t.n < (size_t)column) add(&t, " ");
    add(&t, "  block %-*d ", tick->n_block > 10 ? 2 : 1, b);
    if (n_bar > 0) add_bar(&t, p.share, n_bar);
    add(&t, "%3.0f%%", floor(100 * p.share));
    tell_block(&l, tick, b);
    add_items(&t, &l, width);
    cut(&t, width);
    return p.epoch;
}

/* --- all of them */

static void add_pace(text *t, const adn_tick *tick, const adn_pace *pace)
{
    if (pace->img_s >= 10000)
        add(t, "%.1f k img/s", pace->img_s / 1000);
    else
        add(t, "%.0f img/s", pace->img_s);
    add(t, "  data wait %.0f%%", 100 * tick->data_wait);
    if (isfinite(pace->eta_s)) {
        add(t, "  eta ");
        add_time(t, pace->eta_s);
    }
    add(t, "  time ");
    add_time(t, tick->seconds);
}

void adn_text_total(char *line, int width, const adn_tick *tick, const adn_pace *pace)
{
    text t = {line, 0};
    add(&t, "%*s  total ", epoch_column(tick), "");
    add_pace(&t, tick, pace);
    cut(&t, width);
}

void adn_text_plain(char *line, const adn_tick *tick, const adn_pace *pace)
{
    enum { SHOWN = 4 }; /* blocks: a line is for reading */
    text t = {line, 0};
    place first = place_of(tick, 0);

    add_epoch(&t, &first);
    for (int j = 0; j < tick->n_block && j < SHOWN; j++) {
        place p = place_of(tick, j);
        add(&t, "  block %d", j);
        if (p.epoch != first.epoch) add(&t, " (%d)", p.epoch);
        add(&t, " %.0f%%", floor(100 * p.share));
        if (isfinite(tick->blocks[j].loss)) add(&t, " loss %.3f", tick->blocks[j].loss);
        if (tick->blocks[j].tests > 0)
            add(&t, " (testing)");
        else if (tick->blocks[j].is_done)
            add(&t, " (done)");
    }
    if (tick->n_block > SHOWN) add(&t, "  ...");
    add(&t, "  total ");
    add_pace(&t, tick, pace);
}

void adn_text_row(char *line, const adn_epoch_row *row)
{
    text t = {line, 0};
    char rate[32];

    add(&t, "epoch %d  block %d", row->epoch, row->block);
    if (isfinite(row->train_loss))
        add(&t, "  train loss %.4f top1 %.2f%%", row->train_loss, row->train_top1);
    if (isfinite(row->test_loss))
        add(&t, "  test loss %.4f top1 %.2f%%", row->test_loss, row->test_top1);
    if (isfinite(row->img_s)) {
        adn_text_thousands(rate, sizeof(rate), row->img_s);
        add(&t, "  %s img/s", rate);
    }
    if (isfinite(row->lr)) add(&t, "  lr %.4g", row->lr);
    if (row->reread > 0) {
        adn_text_thousands(rate, sizeof(rate), (double)row->reread);
        add(&t, "  reread %s", rate);
    }
}
