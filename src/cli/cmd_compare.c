/* adonis compare: runs side by side, first what was asked of them, then what came of it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/progress_text.h"
#include "core/json.h"

typedef struct comparison {
    adn_compared *runs;
    int n_run;
    adn_difference *differences;
    int n_difference;
} comparison;

/* --- As tables */

static int wider(int width, const char *text)
{
    return ADN_MAX(width, (int)strlen(text));
}

static const char *shown(const char *value)
{
    return value != NULL ? value : "-";
}

/* Columns but the last are as wide as their widest text. */
static void print_differences(const comparison *c)
{
    const adn_difference *end = c->differences + c->n_difference;
    int width[ADN_CLI_MAX_WORDS] = {0}, key_width = (int)strlen("config");

    if (c->n_run < 2) return;
    if (c->n_difference == 0) {
        printf("config: no differences\n\n");
        return;
    }
    for (const adn_difference *d = c->differences; d < end; d++)
        key_width = wider(key_width, d->key);
    for (int i = 0; i + 1 < c->n_run; i++) {
        width[i] = wider(0, c->runs[i].name);
        for (const adn_difference *d = c->differences; d < end; d++)
            width[i] = wider(width[i], shown(d->values[i]));
    }
    printf("%-*s", key_width, "config");
    for (int i = 0; i < c->n_run; i++) printf("  %-*s", width[i], c->runs[i].name);
    for (const adn_difference *d = c->differences; d < end; d++) {
        printf("\n%-*s", key_width, d->key);
        for (int i = 0; i < c->n_run; i++) printf("  %-*s", width[i], shown(d->values[i]));
    }
    printf("\n\n");
}

typedef struct cell {
    char s[32];
} cell;

static cell number(double value, int digits)
{
    cell c = {"-"};
    if (isfinite(value)) snprintf(c.s, sizeof(c.s), "%.*f", digits, value);
    return c;
}

static cell rate(double value)
{
    cell c = {"-"};
    if (isfinite(value)) adn_text_thousands(c.s, sizeof(c.s), value);
    return c;
}

static void print_blocks(const comparison *c, int width)
{
    printf("%-*s  %5s  %5s  %9s  %9s  %9s  %9s  %10s  %9s\n", width, "run", "block", "epoch",
           "steps", "rereads", "test top1", "mean of 5", "train top1", "img/s");
    for (const adn_compared *r = c->runs; r < c->runs + c->n_run; r++) {
        if (r->n_block == 0) printf("%-*s  has no epochs yet\n", width, r->name);
        for (int j = 0; j < r->n_block; j++) {
            const adn_epoch_row *last = &r->last[j];
            printf("%-*s  %5d  %5d  %9lld  %9lld  %9s  %9s  %10s  %9s\n", width, r->name, j,
                   last->epoch, (long long)last->steps, (long long)last->reread,
                   number(last->test_top1, 2).s, number(r->test_top1_mean[j], 2).s,
                   number(last->train_top1, 2).s, rate(last->img_s).s);
        }
    }
}

static void print_edges(const comparison *c, int width)
{
    int n_edge = 0;

    for (int i = 0; i < c->n_run; i++) n_edge += c->runs[i].n_edge;
    if (n_edge == 0) return;
    printf("\n%-*s  %5s  %9s  %9s  %6s  %9s  %7s  %7s  %9s\n", width, "run", "edge", "pushed",
           "pulled", "reuse", "dropped %", "age p50", "age p99", "starved s");
    for (const adn_compared *r = c->runs; r < c->runs + c->n_run; r++)
        for (const adn_edge_total *e = r->edges; e < r->edges + r->n_edge; e++)
            printf("%-*s  %5d  %9lld  %9lld  %6s  %9s  %7s  %7s  %9s\n", width, r->name, e->edge,
                   (long long)e->pushed, (long long)e->pulled, number(e->reuse, 2).s,
                   number(e->dropped_percent, 2).s, number(e->age_p50, 0).s,
                   number(e->age_p99, 0).s, number(e->starved_s, 2).s);
}

/* --- As JSON */

static void differences_as_json(adn_json *j, const comparison *c)
{
    adn_json_open(j, "config", '{');
    for (int k = 0; k < c->n_difference; k++) {
        adn_json_newline(j);
        adn_json_open(j, c->differences[k].key, '[');
        for (int i = 0; i < c->n_run; i++) adn_json_string(j, NULL, c->differences[k].values[i]);
        adn_json_close(j, ']');
    }
    adn_json_close(j, '}');
}

static void block_as_json(adn_json *j, const adn_epoch_row *last, double mean)
{
    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "block", last->block);
    adn_json_int(j, "epoch", last->epoch);
    adn_json_int(j, "steps", last->steps);
    adn_json_int(j, "rereads", last->reread);
    adn_json_number(j, "test_top1", last->test_top1);
    adn_json_number(j, "test_top1_mean5", mean);
    adn_json_number(j, "train_top1", last->train_top1);
    adn_json_number(j, "img_s", last->img_s);
    adn_json_close(j, '}');
}

static adn_status print_json(const comparison *c)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '{');
    differences_as_json(&j, c);
    adn_json_open(&j, "runs", '[');
    for (const adn_compared *r = c->runs; r < c->runs + c->n_run; r++) {
        adn_json_newline(&j);
        adn_json_open(&j, NULL, '{');
        adn_json_string(&j, "run", r->name);
        adn_json_open(&j, "blocks", '[');
        for (int b = 0; b < r->n_block; b++) block_as_json(&j, &r->last[b], r->test_top1_mean[b]);
        adn_json_close(&j, ']');
        adn_json_open(&j, "edges", '[');
        for (int e = 0; e < r->n_edge; e++) adn_edge_total_json(&j, &r->edges[e]);
        adn_json_close(&j, ']');
        adn_json_close(&j, '}');
    }
    adn_json_close(&j, ']');
    adn_json_close(&j, '}');
    adn_status st = j.failed ? ADN_FAIL(ADN_NOMEM, "compare: no memory for the table") : ADN_OK;
    if (st == ADN_OK) printf("%s\n", j.text);
    adn_json_clear(&j);
    return st;
}

adn_status cmd_compare(int argc, char **argv)
{
    adn_cli_args args;
    comparison c = {0};
    int width = (int)strlen("run");
    adn_status st = adn_cli_read(argc, argv, 1, ADN_CLI_MAX_WORDS, &args);

    if (st != ADN_OK) return st;
    c.runs = adn_alloc((size_t)args.n_word * sizeof(*c.runs));
    if (c.runs == NULL) return ADN_FAIL(ADN_NOMEM, "compare: no memory");
    for (; c.n_run < args.n_word; c.n_run++)
        ADN_TRY(st, adn_compared_read(args.words[c.n_run], &c.runs[c.n_run]), done);
    ADN_TRY(st, adn_compared_settings(c.runs, c.n_run, &c.differences, &c.n_difference), done);
    if (adn_cli_has(&args, "--json")) {
        st = print_json(&c);
        goto done;
    }
    for (int i = 0; i < c.n_run; i++) width = wider(width, c.runs[i].name);
    print_differences(&c);
    print_blocks(&c, width);
    print_edges(&c, width);
done:
    for (int i = 0; i < args.n_word; i++) adn_compared_clear(&c.runs[i]);
    adn_free(c.differences);
    adn_free(c.runs);
    return st;
}
