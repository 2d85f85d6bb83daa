/* The table at a run's end, from the rows in its epochs.csv. */
#include "cli/summary.h"

#include <math.h>
#include <stdio.h>

#include "adonis/train.h"
#include "core/core.h"
#include "cli/progress_text.h"
#include "core/json.h"
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

static void number(char *out, size_t room, double value)
{
    snprintf(out, room, isfinite(value) ? "%.2f" : "-", value);
}

static void print_table(const char *run_dir, const adn_epoch_row *last, int n)
{
    printf("%-5s  %5s  %10s  %9s  %9s\n", "block", "epoch", "train top1", "test top1", "img/s");
    for (const adn_epoch_row *r = last; r < last + n; r++) {
        char train[32], test[32], rate[32] = "-";
        number(train, sizeof(train), r->train_top1);
        number(test, sizeof(test), r->test_top1);
        if (isfinite(r->img_s)) adn_text_thousands(rate, sizeof(rate), r->img_s);
        printf("%-5d  %5d  %10s  %9s  %9s\n", r->block, r->epoch, train, test, rate);
    }
    printf("run: %s\n", run_dir);
}

static adn_status print_json(const char *run_dir, const char *state, const adn_epoch_row *last,
                             int n)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "run", run_dir);
    adn_json_string(&j, "state", state);
    adn_json_open(&j, "blocks", '[');
    for (const adn_epoch_row *r = last; r < last + n; r++) {
        adn_json_newline(&j);
        adn_json_open(&j, NULL, '{');
        adn_json_int(&j, "block", r->block);
        adn_json_int(&j, "epoch", r->epoch);
        adn_json_number(&j, "train_top1", r->train_top1);
        adn_json_number(&j, "test_loss", r->test_loss);
        adn_json_number(&j, "test_top1", r->test_top1);
        adn_json_number(&j, "img_s", r->img_s);
        adn_json_close(&j, '}');
    }
    adn_json_close(&j, ']');
    adn_json_close(&j, '}');
    adn_status st = j.failed ? ADN_FAIL(ADN_NOMEM, "train: no memory for the table") : ADN_OK;
    if (st == ADN_OK) printf("%s\n", j.text);
    adn_json_clear(&j);
    return st;
}

adn_status adn_summary_print(const char *run_dir, const char *state, bool is_json)
{
    adn_epoch_row last[ADN_MAX_BLOCKS], *rows = NULL;
    int n = 0;
    adn_status st = adn_rows_read(run_dir, &rows, &n);

    if (st != ADN_OK) return st;
    n = adn_summary_last(rows, n, last);
    adn_free(rows);
    if (is_json) return print_json(run_dir, state, last, n);
    print_table(run_dir, last, n);
    return ADN_OK;
}
