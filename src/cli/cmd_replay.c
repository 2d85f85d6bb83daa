/* adonis replay: the recorded order of a run again, and whether the same came of it. */
#include <stdio.h>

#include "adonis/train.h"
#include "core/core.h"
#include "cli/args.h"
#include "cli/progress_text.h"
#include "core/json.h"

static void on_row(void *user, const adn_epoch_row *row, bool is_same)
{
    char line[ADN_LINE];
    (void)user;
    adn_text_row(line, row);
    adn_info("%s  %s", line, is_same ? "the same" : "DIFFERS");
}

static void put_row(adn_json *j, const char *key, const adn_epoch_row *r)
{
    adn_json_open(j, key, '{');
    adn_json_int(j, "epoch", r->epoch);
    adn_json_int(j, "block", r->block);
    adn_json_int(j, "steps", r->steps);
    adn_json_int(j, "samples", r->samples);
    adn_json_int(j, "reread", r->reread);
    adn_json_number(j, "lr", r->lr);
    adn_json_number(j, "train_loss", r->train_loss);
    adn_json_number(j, "train_top1", r->train_top1);
    adn_json_number(j, "test_loss", r->test_loss);
    adn_json_number(j, "test_top1", r->test_top1);
    adn_json_close(j, '}');
}

static adn_status print_json(const char *run, const adn_replay_result *r)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "run", run);
    adn_json_int(&j, "first_step", r->first_step);
    adn_json_int(&j, "records", r->n_step);
    adn_json_int(&j, "rows_same", r->n_same);
    adn_json_int(&j, "rows_differ", r->n_differ);
    if (r->n_differ > 0) {
        put_row(&j, "was", &r->was);
        put_row(&j, "is", &r->is);
    }
    adn_json_close(&j, '}');
    adn_status st = j.failed ? ADN_FAIL(ADN_NOMEM, "replay: no memory") : ADN_OK;
    if (st == ADN_OK) printf("%s\n", j.text);
    adn_json_clear(&j);
    return st;
}

static void print_text(const adn_replay_result *r)
{
    printf("%lld recorded events after step %lld: %d rows the same, %d differ\n",
           (long long)r->n_step, (long long)r->first_step, r->n_same, r->n_differ);
    if (r->n_differ == 0) return;
    printf("first: epoch %d, block %d\n", r->was.epoch, r->was.block);
    printf("  was  train loss %.17g  test loss %.17g  steps %lld\n", r->was.train_loss,
           r->was.test_loss, (long long)r->was.steps);
    printf("  is   train loss %.17g  test loss %.17g  steps %lld\n", r->is.train_loss,
           r->is.test_loss, (long long)r->is.steps);
}

adn_status cmd_replay(int argc, char **argv)
{
    adn_cli_args args;
    adn_replay_result r = {0};
    char *run = NULL;
    adn_status st = adn_cli_read(argc, argv, 1, 1, &args);

    if (st != ADN_OK) return st;
    ADN_TRY(st, adn_cli_find_run(args.words[0], &run), done);
    ADN_TRY(st, adn_replay_run(run, on_row, NULL, &r), done);
    if (adn_cli_has(&args, "--json"))
        st = print_json(run, &r);
    else
        print_text(&r);
    if (st == ADN_OK && r.n_differ > 0) st = ADN_FAIL(ADN_FAILED, "%s: did not repeat", run);
    if (st == ADN_OK && r.n_same == 0)
        st = ADN_FAIL(ADN_FAILED, "%s: no row to compare: none of its epochs ended", run);
done:
    adn_free(run);
    return st;
}
