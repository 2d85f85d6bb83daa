/* adonis train: one run, its signals, and what is said of it. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adonis/train.h"
#include "core/core.h"
#include "cli/args.h"
#include "cli/progress.h"
#include "cli/summary.h"
#include "config/schema.h"

/* --- Ctrl-C and SIGTERM. A handler has no other way to its program than a global. */

static _Atomic int n_signal;
static bool has_terminal; /* which shows ^C in front of what we say */

static void on_signal(int number)
{
    static const char once[] = "\nadonis: finishing the step and saving; once more exits at once\n";
    const size_t skip = has_terminal ? 0 : 1;

    if (atomic_fetch_add(&n_signal, 1) > 0)
        _exit(128 + number); /* as shells show a death by signal */
    if (write(STDERR_FILENO, once + skip, sizeof(once) - 1 - skip) < 0) return;
}

/* What was ignored when we started stays so: nohup, and `adonis &` in a script. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;

    has_terminal = isatty(STDERR_FILENO);
    for (size_t i = 0; i < ADN_COUNT(numbers); i++)
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &ours, NULL);
}

/* --- what the run tells */

typedef struct client {
    const adn_config *conf;
    adn_progress *progress;
    char *run_dir; /* NULL: it has not begun */
    bool was_finished;
    int n_signal_seen;
} client;

static bool must_stop(void *user)
{
    (void)user;
    return atomic_load(&n_signal) > 0;
}

static void on_start(void *user, const adn_train_start *start)
{
    client *c = user;

    c->run_dir = adn_strdup(start->run_dir);
    c->was_finished = start->was_finished;
    if (start->was_finished)
        adn_info(
            "%s: this run is finished; --new begins another, and so does another name (name=NAME)",
            start->run_dir);
    else if (start->is_resumed)
        adn_info("%s: goes on after step %lld, %d epochs finished", start->run_dir,
                 (long long)start->step, start->epoch);
    else
        adn_info("%s: begins, %d block%s", start->run_dir, start->n_block,
                 start->n_block == 1 ? "" : "s");
}

static void on_row(void *user, const adn_epoch_row *row)
{
    adn_progress_row(((client *)user)->progress, row);
}

static void on_tick(void *user, const adn_tick *tick)
{
    client *c = user;
    int n = atomic_load(&n_signal);

    if (n != c->n_signal_seen) adn_progress_interrupted(c->progress);
    c->n_signal_seen = n;
    adn_progress_tick(c->progress, tick);
}

/* --- the command */

/* Puts words in quotes where a shell would need them. Gives (adn_free); NULL: no memory. */
static char *as_typed(int argc, char **argv)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+.,/:@%";
    char *text = adn_strdup("adonis");

    for (int i = 0; i < argc && text != NULL; i++) {
        bool is_plain = argv[i][0] != '\0' && argv[i][strspn(argv[i], plain)] == '\0';
        const char *quote = is_plain ? "" : strchr(argv[i], '\'') == NULL ? "'" : "\"";
        char *longer = adn_format("%s %s%s%s", text, quote, argv[i], quote);
        adn_free(text);
        text = longer;
    }
    return text;
}

static void say_plan(const adn_config *conf)
{
    static const char *const units[] = {"ep", "st", "s", ""};

    adn_info("%s: mode %s, %s, %s in batches of %d, until %g%s; run %s/%s", conf->path,
             adn_mode_name(conf->mode),
             conf->model.name != NULL ? conf->model.name : "units of its own", conf->data.name,
             conf->data.batch, conf->until.value, units[conf->until.unit], conf->runs, conf->name);
}

static adn_status finish(const client *c, adn_status st, bool is_json)
{
    if (c->run_dir == NULL || (st != ADN_OK && st != ADN_STOPPED)) return st;
    if (st == ADN_STOPPED) adn_info("%s: stopped and saved; the same command goes on", c->run_dir);
    if (st == ADN_STOPPED && !is_json) return st;
    adn_status said =
        adn_summary_print(c->conf, c->run_dir, st == ADN_OK ? "finished" : "stopped", is_json);
    return st == ADN_OK ? said : st;
}

static adn_status train(adn_config *conf, const adn_train_options *options, bool is_json)
{
    client c = {.conf = conf};
    adn_watch watch = {&c, must_stop, on_start, on_row, on_tick};
    adn_status st = adn_progress_create(conf, &c.progress);

    if (st != ADN_OK) return st;
    catch_signals();
    st = adn_train(conf, options, &watch);
    adn_progress_destroy(c.progress);
    st = finish(&c, st, is_json);
    adn_free(c.run_dir);
    return st;
}

adn_status cmd_train(int argc, char **argv)
{
    adn_cli_args args;
    adn_config *conf = NULL;
    char *command = as_typed(argc, argv);
    adn_status st;

    ADN_TRY(st, adn_cli_read(argc, argv, 1, 1, &args), done);
    const char *resume = adn_cli_value(&args, "--resume");
    if (resume != NULL && strcmp(resume, "never") != 0 && strcmp(resume, "auto") != 0) {
        st = ADN_FAIL(ADN_USAGE, "train: --resume cannot be '%s': expected never or auto", resume);
        goto done;
    }
    ADN_TRY(st, adn_config_load(args.words[0], args.overrides, args.n_override, &conf), done);
    say_plan(conf);
    adn_train_options options = {.fresh_suffix = adn_cli_has(&args, "--new"),
                                 .never_resume = resume != NULL && strcmp(resume, "never") == 0,
                                 .command = command};
    st = train(conf, &options, adn_cli_has(&args, "--json"));
done:
    adn_config_free(conf);
    adn_free(command);
    return st;
}
