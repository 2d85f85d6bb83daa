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

void adn_pace_update(adn_pace *pace, const adn_tick *tick, const adn_duration *until)
{
    const double settled_s = 2; /* before that the rate is of the first few steps */
    double samples = 0, steps = 0, all = (double)tick->block_until_steps * tick->n_block;

    for (int j = 0; j < tick->n_block; j++) {
        samples += (double)tick->blocks[j].samples;
        steps += (double)tick->blocks[j].steps;
    }
    if (!pace->has_first) *pace = (adn_pace){true, tick->seconds, samples, steps, 0, NAN};
    double seconds = tick->seconds - pace->first_s, made = steps - pace->first_steps;
    pace->eta_s = NAN;
    if (until->unit == ADN_SECONDS)
        pace->eta_s = ADN_MAX(0, until->value - tick->before_s - tick->seconds);
    if (all > 0 && steps >= all) seconds = 0; /* only a test pass is left: the rates stay */
    if (seconds <= 0) return;
    pace->img_s = (samples - pace->first_samples) / tick->n_block / seconds;
    if (all > 0 && made > 0 && seconds >= settled_s)
        pace->eta_s = ADN_MAX(0, all - steps) / made * seconds;
}

/* --- a block */

typedef struct place {  /* where a block stands in its epochs */
    int epoch, n_epoch; /* from 1; n_epoch 0: the run ends by time */
    double share;       /* of the epoch */
} place;

static place place_of(const adn_tick *tick, int b)
{
    int64_t in_epoch = ADN_MAX(1, tick->epoch_steps), until = tick->block_until_steps;
    int64_t done = tick->blocks[b].steps, n = until > 0 ? (until + in_epoch - 1) / in_epoch : 0;
    int64_t epoch = done > 0 ? (done - 1) / in_epoch : 0; /* ended, while it is tested: its 100% */

    if (n > 0 && epoch >= n) epoch = n - 1; /* done: 100% of the last, not 0% of one more */
    int64_t first = epoch * in_epoch;
    int64_t len = until > 0 ? ADN_MIN(in_epoch, until - first) : in_epoch;
    double share = len > 0 ? (double)(done - first) / (double)len : 1;
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

static void add_numbers(text *t, const adn_stage_view *v)
{
    char rate[32];

    if (!has_begun(v)) {
        add(t, "  waits for its first batch");
        return;
    }
    adn_text_thousands(rate, sizeof(rate), isfinite(v->img_s) ? v->img_s : 0);
    add(t, "  %7s img/s", rate);
    if (isfinite(v->loss)) add(t, "  loss %.3f", v->loss);
    if (isfinite(v->top1)) add(t, "  top1 %5.2f%%", v->top1);
    if (v->tests > 0)
        add(t, "  testing");
    else
        add(t, "  lr %.4g", v->lr);
}

int adn_text_block(char *line, int width, const adn_tick *tick, int b, int epoch_before)
{
    text t = {line, 0};
    place p = place_of(tick, b);
    int column = epoch_column(tick), n_bar = width >= 80 ? BAR : width >= 60 ? BAR_NARROW : 0;

    if (p.epoch != epoch_before) add_epoch(&t, &p);
    while (t.n < (size_t)column) add(&t, " ");
    add(&t, "  block %-*d ", tick->n_block > 10 ? 2 : 1, b);
    if (n_bar > 0) add_bar(&t, p.share, n_bar);
    add(&t, "%3.0f%%", floor(100 * p.share));
    add_numbers(&t, &tick->blocks[b]);
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
        if (tick->blocks[j].tests > 0) add(&t, " (testing)");
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
}
