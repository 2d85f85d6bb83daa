/* adonis eval: the test results of a checkpoint, to the last digit of epochs.csv. */
#include <stdio.h>
#include <stdlib.h>

#include "adonis/train.h"
#include "core/core.h"
#include "cli/args.h"
#include "core/json.h"

typedef struct results {
    adn_epoch_row rows[ADN_MAX_BLOCKS]; /* blocks finish in any order, each in its own thread */
    bool has_row[ADN_MAX_BLOCKS];
} results;

static void on_row(void *user, const adn_epoch_row *row)
{
    results *r = user;
    ADN_ASSERT(row->block >= 0 && row->block < ADN_MAX_BLOCKS);
    r->rows[row->block] = *row;
    r->has_row[row->block] = true;
}

/* The shortest text that reads back as the same number, as in epochs.csv. */
static void exact(double value, char *text, size_t room)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, room, "%.*g", digits, value);
        if (strtod(text, NULL) == value) return;
    }
}

static void print_table(const results *r)
{
    printf("%-5s  %-22s  %s\n", "block", "test_loss", "test_top1");
    for (int j = 0; j < ADN_MAX_BLOCKS; j++) {
        char loss[40], top1[40];
        if (!r->has_row[j]) continue;
        exact(r->rows[j].test_loss, loss, sizeof(loss));
        exact(r->rows[j].test_top1, top1, sizeof(top1));
        printf("%-5d  %-22s  %s\n", j, loss, top1);
    }
}

static adn_status print_json(const results *r)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '[');
    for (int b = 0; b < ADN_MAX_BLOCKS; b++) {
        if (!r->has_row[b]) continue;
        adn_json_newline(&j);
        adn_json_open(&j, NULL, '{');
        adn_json_int(&j, "block", b);
        adn_json_number(&j, "test_loss", r->rows[b].test_loss);
        adn_json_number(&j, "test_top1", r->rows[b].test_top1);
        adn_json_close(&j, '}');
    }
    adn_json_close(&j, ']');
    adn_status st = j.failed ? ADN_FAIL(ADN_NOMEM, "eval: no memory for the table") : ADN_OK;
    if (st == ADN_OK) printf("%s\n", j.text);
    adn_json_clear(&j);
    return st;
}

adn_status cmd_eval(int argc, char **argv)
{
    adn_cli_args args;
    results r = {0};
    char *run = NULL;
    adn_status st = adn_cli_read(argc, argv, 1, 2, &args);

    if (st != ADN_OK) return st;
    ADN_TRY(st, adn_cli_find_run(args.words[0], &run), done);
    ADN_TRY(st, adn_eval(run, args.n_word > 1 ? args.words[1] : "last", on_row, &r), done);
    if (adn_cli_has(&args, "--json"))
        st = print_json(&r);
    else
        print_table(&r);
done:
    adn_free(run);
    return st;
}
