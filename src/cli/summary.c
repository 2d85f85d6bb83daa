/* What is said at a run's end, from the rows in its epochs.csv and edges.csv. */
#include "cli/summary.h"

#include <math.h>
#include <stdio.h>

#include "cli/edges.h"
#include "cli/progress_text.h"
#include "config/schema.h"
#include "store/store.h"

int adn_summary_last(const adn_epoch_row *rows, int n, adn_epoch_row last[ADN_MAX_BLOCKS])
{
    int n_block = 0;

    for (int j = 0; j < ADN_MAX_BLOCKS; j++)
        last[j] = (adn_epoch_row){
            .block = j, .train_top1 = NAN, .test_top1 = NAN, .test_loss = NAN, .img_s = NAN};
    for (const adn_epoch_row *r = rows; r < rows + n; r++) {
        if (r->block < 0 || r->block >= ADN_MAX_BLOCKS) continue;
        adn_epoch_row *to = &last[r->block];
        n_block = ADN_MAX(n_block, r->block + 1);
        to->epoch = r->epoch;
        to->steps = r->steps;
        to->reread = r->reread;
        if (isfinite(r->train_top1)) to->train_top1 = r->train_top1;
        if (isfinite(r->test_loss)) to->test_loss = r->test_loss;
        if (isfinite(r->test_top1)) to->test_top1 = r->test_top1;
        if (isfinite(r->img_s)) to->img_s = r->img_s;
    }
    return n_block;
}

/* What the rows say of a block. */
typedef struct block_sum {
    adn_epoch_row last;
    double span_s, busy_s, wait_in_s, wait_out_s; /* of all rows that have `busy` */
} block_sum;

typedef struct summary {
    const char *run_dir, *state;
    const adn_config *conf;
    bool has_shares; /* blocks work side by side */
    block_sum *blocks;
    int n_block;
    adn_edge_total *edges;
    int n_edge;
} summary;

static void add_spans(block_sum *blocks, const adn_epoch_row *rows, int n)
{
    for (const adn_epoch_row *r = rows; r < rows + n; r++) {
        if (r->block < 0 || r->block >= ADN_MAX_BLOCKS || !isfinite(r->busy)) continue;
        block_sum *b = &blocks[r->block];
        b->span_s += r->span_s;
        b->busy_s += r->busy * r->span_s;
        if (isfinite(r->wait_in)) b->wait_in_s += r->wait_in * r->span_s;
        if (isfinite(r->wait_out)) b->wait_out_s += r->wait_out * r->span_s;
    }
}

static adn_status read_blocks(summary *s)
{
    adn_epoch_row last[ADN_MAX_BLOCKS], *rows = NULL;
    int n = 0;
    adn_status st = adn_rows_read(s->run_dir, &rows, &n);

    if (st != ADN_OK) return st;
    s->n_block = adn_summary_last(rows, n, last);
    s->blocks = adn_alloc(ADN_MAX_BLOCKS * sizeof(*s->blocks));
    if (s->blocks != NULL) {
        for (int j = 0; j < s->n_block; j++) s->blocks[j].last = last[j];
        add_spans(s->blocks, rows, n);
    }
    adn_free(rows);
    return s->blocks != NULL ? ADN_OK : ADN_FAIL(ADN_NOMEM, "%s: no memory", s->run_dir);
}

static double share_of(const block_sum *b, double seconds)
{
    return b->span_s > 0 ? seconds / b->span_s : NAN;
}

/* Its idle time, as its host's waits for input and for output are to each other: a host runs ahead,
 * and waits while its queue still works. */
static double idle_s(const block_sum *b, double wait_s)
{
    double waits = b->wait_in_s + b->wait_out_s, idle = ADN_MAX(0, b->span_s - b->busy_s);
    return waits > 0 ? idle * wait_s / waits : 0;
}

static double elapsed_s(const summary *s)
{
    double longest = 0;
    for (int j = 0; j < s->n_block; j++) longest = ADN_MAX(longest, s->blocks[j].span_s);
    return longest;
}

/* How many blocks worked at once, on average; NaN: not known. */
static double at_once(const summary *s)
{
    double sum = 0, elapsed = elapsed_s(s);
    for (int j = 0; j < s->n_block; j++) sum += s->blocks[j].busy_s;
    return s->has_shares && elapsed > 0 ? sum / elapsed : NAN;
}

/* --- as text */

static void number(char *out, size_t room, double value)
{
    snprintf(out, room, isfinite(value) ? "%.2f" : "-", value);
}

static void print_share(double share)
{
    if (isfinite(share))
        printf("  %8.1f%%", 100 * share);
    else
        printf("  %9s", "-");
}

static void print_block(const summary *s, int j)
{
    const block_sum *b = &s->blocks[j];
    const adn_epoch_row *r = &b->last;
    char train[32], test[32], rate[32] = "-", reread[32];

    number(train, sizeof(train), r->train_top1);
    number(test, sizeof(test), r->test_top1);
    if (isfinite(r->img_s)) adn_text_thousands(rate, sizeof(rate), r->img_s);
    printf("%-5d  %5d  %10s  %9s  %9s", j, r->epoch, train, test, rate);
    if (s->conf->mode == ADN_MODE_ASYNC) {
        adn_text_thousands(reread, sizeof(reread), (double)r->reread);
        printf("  %9s", reread);
    }
    if (s->has_shares) {
        print_share(share_of(b, b->busy_s));
        print_share(share_of(b, idle_s(b, b->wait_in_s)));
        print_share(j < s->n_block - 1 ? share_of(b, idle_s(b, b->wait_out_s)) : NAN);
    }
    printf("\n");
}

static void say_heads(const summary *s)
{
    bool is_first = true;

    for (int j = 0; j < s->n_block; j++) {
        double top1 = s->blocks[j].last.test_top1;
        if (!isfinite(top1)) continue;
        printf("%s head of block %d: %.2f%%", is_first ? "test images named right:" : ",", j, top1);
        is_first = false;
    }
    if (!is_first) printf("\n");
}

/* "12 (3.4%)"; a plain 0 needs no share. */
static void print_part(int64_t part, int64_t whole)
{
    char n[32];

    adn_text_thousands(n, sizeof(n), (double)part);
    printf("%s", n);
    if (part > 0) printf(" (%.1f%%)", 100 * (double)part / (double)whole);
}

static void say_edge(const adn_edge_total *e)
{
    char pulled[32], pushed[32];

    if (e->pulled == 0 || e->pushed == 0) return;
    adn_text_thousands(pulled, sizeof(pulled), (double)e->pulled);
    adn_text_thousands(pushed, sizeof(pushed), (double)e->pushed);
    printf("block %d read %s batches, ", e->edge, pulled);
    print_part(e->reused, e->pulled);
    printf(" of them again, %.1f steps of block %d old on average, %lld at most\n", e->age_mean,
           e->edge - 1, (long long)e->age_max);
    printf("block %d handed on %s batches, ", e->edge - 1, pushed);
    print_part(e->dropped, e->pushed);
    printf(" of them dropped unread");
    if (e->lost > 0) printf("; %lld more lost on the way", (long long)e->lost);
    printf("\n");
}

static void say_what_it_showed(const summary *s)
{
    bool is_virtual = s->conf->schedule == ADN_SCHEDULE_VIRTUAL;
    double busy = at_once(s);

    say_heads(s);
    for (int e = 0; e < s->n_edge; e++) say_edge(&s->edges[e]);
    if (isfinite(busy))
        printf("%.2f of %d blocks worked at once on average, over %.1f s%s\n", busy, s->n_block,
               elapsed_s(s),
               is_virtual ? " of modelled time"
                          : "; a block that waits for a core counts as working");
}

static void print_text(const summary *s)
{
    printf("%-5s  %5s  %10s  %9s  %9s", "block", "epoch", "train top1", "test top1", "img/s");
    if (s->conf->mode == ADN_MODE_ASYNC) printf("  %9s", "reread");
    if (s->has_shares) printf("  %9s  %9s  %9s", "working", "waits in", "waits out");
    printf("\n");
    for (int j = 0; j < s->n_block; j++) print_block(s, j);
    printf("run: %s\n", s->run_dir);
    if (s->conf->mode == ADN_MODE_ASYNC) say_what_it_showed(s);
}

/* --- as JSON */

static void put_block(adn_json *j, const summary *s, int b)
{
    const block_sum *sum = &s->blocks[b];
    const adn_epoch_row *r = &sum->last;
    bool is_last = b == s->n_block - 1;

    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "block", b);
    adn_json_int(j, "epoch", r->epoch);
    adn_json_number(j, "train_top1", r->train_top1);
    adn_json_number(j, "test_loss", r->test_loss);
    adn_json_number(j, "test_top1", r->test_top1);
    adn_json_number(j, "img_s", r->img_s);
    adn_json_int(j, "reread", r->reread);
    if (s->has_shares) {
        adn_json_number(j, "working", share_of(sum, sum->busy_s));
        adn_json_number(j, "wait_in", share_of(sum, idle_s(sum, sum->wait_in_s)));
        adn_json_number(j, "wait_out", is_last ? NAN : share_of(sum, idle_s(sum, sum->wait_out_s)));
    }
    adn_json_close(j, '}');
}

static adn_status print_json(const summary *s)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "run", s->run_dir);
    adn_json_string(&j, "state", s->state);
    adn_json_string(&j, "mode", adn_mode_name(s->conf->mode));
    adn_json_open(&j, "blocks", '[');
    for (int b = 0; b < s->n_block; b++) put_block(&j, s, b);
    adn_json_close(&j, ']');
    adn_json_open(&j, "edges", '[');
    for (int e = 0; e < s->n_edge; e++) adn_edge_total_json(&j, &s->edges[e]);
    adn_json_close(&j, ']');
    adn_json_number(&j, "blocks_at_once", at_once(s));
    adn_json_number(&j, "seconds", elapsed_s(s));
    adn_json_bool(&j, "is_modelled", s->conf->schedule == ADN_SCHEDULE_VIRTUAL);
    adn_json_close(&j, '}');
    adn_status st = j.failed ? ADN_FAIL(ADN_NOMEM, "train: no memory for the table") : ADN_OK;
    if (st == ADN_OK) printf("%s\n", j.text);
    adn_json_clear(&j);
    return st;
}

adn_status adn_summary_print(const adn_config *conf, const char *run_dir, const char *state,
                             bool is_json)
{
    summary s = {.run_dir = run_dir, .state = state, .conf = conf};
    adn_status st;

    s.has_shares = conf->mode == ADN_MODE_SYNC || conf->mode == ADN_MODE_ASYNC;
    ADN_TRY(st, read_blocks(&s), done);
    ADN_TRY(st, adn_edge_totals_read(run_dir, &s.edges, &s.n_edge), done);
    if (is_json)
        st = print_json(&s);
    else
        print_text(&s);
done:
    adn_free(s.blocks);
    adn_free(s.edges);
    return st;
}
