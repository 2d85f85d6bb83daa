/* The run directory: made once, resumed by the same configuration only, held by one process; its
 * append-only files after a kill. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/file.h"
#include "store/store.h"
#include "suite.h"

static char runs[300]; /* this case's folder of runs */
static adn_rundir *run;

static adn_rundir_conf conf_of(const char *name)
{
    return (adn_rundir_conf){.runs = runs,
                             .name = name,
                             .given = "data.batch = 128\nmode = sync\n",
                             .resolved = "version: 1 # given\n",
                             .command = "adonis train a.yaml\n",
                             .env_json = "{\"cores\": 2}\n",
                             .plan_json = "{}\n"};
}

static void fresh_runs(void)
{
    static const char *base;
    static int n;
    if (base == NULL) base = adn_test_dir();
    snprintf(runs, sizeof(runs), "%s/deep/runs%d", base, n++);
    run = NULL;
    adn_test_log_clear();
}

/* A file of the run "a"; static memory. */
static const char *path_of(const char *name)
{
    static char path[500];
    snprintf(path, sizeof(path), "%s/a/%s", runs, name);
    return path;
}

/* Its text, until the next call. */
static const char *text_of(const char *name)
{
    static char text[10000];
    char *read;
    size_t n;
    ck_assert(adn_file_read(path_of(name), sizeof(text) - 1, &read, &n) == ADN_OK);
    strcpy(text, read);
    adn_free(read);
    return text;
}

static void put_text(const char *name, const char *text)
{
    ck_assert(adn_file_write(path_of(name), text, strlen(text)) == ADN_OK);
}

static void append(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "a");
    ck_assert(f != NULL && fputs(text, f) >= 0);
    fclose(f);
}

static adn_status open_a(void)
{
    adn_rundir_conf conf = conf_of("a");
    return adn_rundir_open(&conf, &run);
}

static void reopen(void)
{
    adn_rundir_close(run);
    ck_assert(open_a() == ADN_OK);
}

START_TEST(a_new_run_has_its_files)
{
    fresh_runs();
    ck_assert(adn_dir_make(runs) == ADN_OK);
    char *yaml = adn_path_join(runs, "a.yaml");
    ck_assert(adn_file_write(yaml, "version: 1\n# mine\n", 18) == ADN_OK);
    adn_rundir_conf conf = conf_of("a");
    conf.config_path = yaml;
    ck_assert(adn_rundir_open(&conf, &run) == ADN_OK);
    ck_assert(adn_rundir_state(run) == ADN_RUN_NEW);
    ck_assert_str_eq(text_of("config.yaml"), "version: 1\n# mine\n");
    ck_assert_str_eq(text_of("config.given"), conf.given);
    ck_assert_str_eq(text_of("config.resolved.yaml"), conf.resolved);
    ck_assert_str_eq(text_of("command.txt"), conf.command);
    ck_assert_str_eq(text_of("env.json"), conf.env_json);
    ck_assert_str_eq(text_of("plan.json"), conf.plan_json);
    ck_assert_str_eq(text_of("epochs.csv"),
                     "epoch,block,steps,samples,lr,train_loss,train_top1,test_loss,"
                     "test_top1,img_s,wait_in,wait_out,seconds\n");
    ck_assert_str_eq(text_of("events.jsonl"), "{\"version\": 1}\n");
    ck_assert(strstr(text_of("status.json"), "\"state\": \"running\"") != NULL);
    ck_assert_str_eq(text_of("log.txt"), "");
    ck_assert(adn_path_exists(path_of("ckpt")));
    adn_rundir_close(run);
    adn_free(yaml);
}
END_TEST

START_TEST(the_same_command_resumes_until_the_run_is_finished)
{
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    reopen();
    ck_assert(adn_rundir_state(run) == ADN_RUN_UNFINISHED); /* killed while it said running */
    ck_assert(adn_rundir_status(run, "stopped", "[{\"block\": 0}]") == ADN_OK);
    ck_assert(strstr(text_of("status.json"), "\"blocks\": [{\"block\": 0}]") != NULL);
    reopen();
    ck_assert(adn_rundir_state(run) == ADN_RUN_UNFINISHED);
    put_text("status.json", "{\"state\": \"fin");
    reopen();
    ck_assert(adn_rundir_state(run) == ADN_RUN_UNFINISHED);
    ck_assert(adn_rundir_status(run, "finished", NULL) == ADN_OK);
    reopen();
    ck_assert(adn_rundir_state(run) == ADN_RUN_FINISHED);
    adn_rundir_close(run);
}
END_TEST

START_TEST(another_configuration_is_refused_and_the_difference_shown)
{
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    adn_rundir_close(run);
    run = NULL;
    adn_rundir_conf conf = conf_of("a");
    conf.given = "data.batch = 64\nmode = sync\noptim.lr = 0.1\n";
    adn_test_log_clear();
    ck_assert(adn_rundir_open(&conf, &run) == ADN_BADCONF);
    ck_assert(run == NULL);
    ck_assert(strstr(adn_test_log(),
                     "\n- data.batch = 128\n+ data.batch = 64\n+ optim.lr = 0.1\n") != NULL);
    ck_assert(strstr(adn_test_log(), "mode") == NULL);
    ck_assert(strstr(adn_test_log(), "--new") != NULL);
    conf.given = "mode = sync\n";
    adn_test_log_clear();
    ck_assert(adn_rundir_open(&conf, &run) == ADN_BADCONF);
    ck_assert(strstr(adn_test_log(), "\n- data.batch = 128\n") != NULL);
    ck_assert_str_eq(text_of("config.given"), conf_of("a").given);
    conf.given = ""; /* all by default */
    ck_assert(adn_rundir_open(&conf, &run) == ADN_BADCONF);
}
END_TEST

START_TEST(new_gives_a_fresh_suffix)
{
    static const char *const expected[] = {"a", "a-2", "a-3"};
    fresh_runs();
    adn_rundir_conf conf = conf_of("a");
    conf.fresh_suffix = true;
    for (size_t i = 0; i < ADN_COUNT(expected); i++) {
        adn_rundir *r;
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", runs, expected[i]);
        ck_assert(adn_rundir_open(&conf, &r) == ADN_OK);
        ck_assert_str_eq(adn_rundir_path(r), path);
        ck_assert(adn_rundir_state(r) == ADN_RUN_NEW);
        adn_rundir_close(r);
    }
}
END_TEST

START_TEST(resume_never_refuses_an_unfinished_run_only)
{
    fresh_runs();
    adn_rundir_conf conf = conf_of("a");
    conf.never_resume = true;
    ck_assert(adn_rundir_open(&conf, &run) == ADN_OK); /* new */
    adn_rundir_close(run);
    run = NULL;
    adn_test_log_clear();
    ck_assert(adn_rundir_open(&conf, &run) == ADN_USAGE && run == NULL);
    ck_assert(strstr(adn_test_log(), "unfinished") != NULL &&
              strstr(adn_test_log(), "--resume never") != NULL);
    ck_assert(open_a() == ADN_OK);
    ck_assert(adn_rundir_status(run, "finished", NULL) == ADN_OK);
    adn_rundir_close(run);
    ck_assert(adn_rundir_open(&conf, &run) == ADN_OK);
    adn_rundir_close(run);
}
END_TEST

START_TEST(a_second_process_is_refused_with_the_firsts_number)
{
    adn_rundir *second = NULL;
    char pid[32];
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    adn_rundir_conf conf = conf_of("a");
    adn_test_log_clear();
    ck_assert(adn_rundir_open(&conf, &second) == ADN_USAGE && second == NULL);
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    ck_assert(strstr(adn_test_log(), pid) != NULL);
    adn_rundir_close(run);
    ck_assert(adn_rundir_open(&conf, &second) == ADN_OK);
    adn_rundir_close(second);
}
END_TEST

START_TEST(what_is_no_run_is_left_alone)
{
    static const char *const wrong[] = {"", ".", "..", ".a", "a/b", "/a"};
    fresh_runs();
    ck_assert(adn_dir_make(path_of("mine")) == ADN_OK);
    ck_assert(open_a() == ADN_BADCONF);
    ck_assert(adn_path_exists(path_of("mine")));
    for (size_t i = 0; i < ADN_COUNT(wrong); i++) {
        adn_rundir_conf conf = conf_of(wrong[i]);
        ck_assert(adn_rundir_open(&conf, &run) == ADN_BADCONF);
    }
    adn_rundir_conf conf = conf_of("b");
    conf.config_path = "/nonexistent.yaml";
    ck_assert(adn_rundir_open(&conf, &run) == ADN_IO);
    char *b = adn_path_join(runs, "b");
    ck_assert(!adn_path_exists(b));
    adn_free(b);
    conf.runs = "/proc/version/runs";
    ck_assert(adn_rundir_open(&conf, &run) == ADN_IO);
    ck_assert(run == NULL);
}
END_TEST

START_TEST(a_half_made_run_of_a_killed_process_is_made_anew)
{
    fresh_runs();
    char *tmp = adn_format("%s/.a.tmp/ckpt", runs);
    ck_assert(adn_dir_make(tmp) == ADN_OK);
    ck_assert(open_a() == ADN_OK);
    ck_assert(adn_rundir_state(run) == ADN_RUN_NEW);
    tmp[strlen(tmp) - strlen("/ckpt")] = '\0';
    ck_assert(!adn_path_exists(tmp));
    adn_rundir_close(run);
    adn_free(tmp);
}
END_TEST

static adn_epoch_row row_of(int epoch, int block)
{
    return (adn_epoch_row){.epoch = epoch,
                           .block = block,
                           .steps = 391 * (int64_t)epoch,
                           .samples = 50000 * (int64_t)epoch,
                           .lr = 0.1,
                           .train_loss = 1.0 / 3,
                           .train_top1 = 55.5,
                           .test_loss = NAN,
                           .test_top1 = NAN,
                           .img_s = 31020.25,
                           .wait_in = 0,
                           .wait_out = 1e-20,
                           .seconds = 12};
}

static void put_row(int epoch, int block)
{
    adn_epoch_row row = row_of(epoch, block);
    ck_assert(adn_rundir_row(run, &row) == ADN_OK);
}

/* "epoch.block" of each row, joined. */
static const char *row_names(void)
{
    static char text[1000];
    adn_epoch_row *rows;
    int n;
    size_t at = 0;
    ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_OK);
    text[0] = '\0';
    for (int i = 0; i < n; i++)
        at +=
            (size_t)snprintf(text + at, sizeof(text) - at, "%d.%d ", rows[i].epoch, rows[i].block);
    adn_free(rows);
    return text;
}

START_TEST(rows_are_read_as_they_were_written)
{
    adn_epoch_row *rows, put = row_of(3, 1);
    int n;
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    ck_assert_str_eq(row_names(), "");
    put_row(3, 1);
    ck_assert(strstr(text_of("epochs.csv"),
                     "\n3,1,1173,150000,0.1,0.3333333333333333,55.5,,,31020.25,0,1e-20,12\n") !=
              NULL);
    ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_OK);
    ck_assert_int_eq(n, 1);
    ck_assert(rows->steps == put.steps && rows->samples == put.samples && rows->lr == put.lr);
    ck_assert(rows->train_loss == put.train_loss && isnan(rows->test_loss) &&
              isnan(rows->test_top1));
    ck_assert(rows->wait_in == 0 && rows->wait_out == put.wait_out && rows->seconds == 12);
    adn_free(rows);
    adn_rundir_close(run);
}
END_TEST

START_TEST(torn_last_lines_are_skipped_by_readers_and_cut_at_the_next_open)
{
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    put_row(1, 0);
    ck_assert(adn_rundir_event(run, "{\"a\": 1}") == ADN_OK);
    append("epochs.csv", "1,1,391,50000,0.1,0.33");
    append("events.jsonl", "{\"b\": ");
    append("log.txt", "a line\nand hal");
    ck_assert_str_eq(row_names(), "1.0 ");
    reopen();
    put_row(2, 0);
    ck_assert(adn_rundir_event(run, "{\"c\": 1}") == ADN_OK);
    ck_assert(write(adn_rundir_log_fd(run), "next\n", 5) == 5);
    ck_assert_str_eq(row_names(), "1.0 2.0 ");
    ck_assert_str_eq(text_of("events.jsonl"), "{\"version\": 1}\n{\"a\": 1}\n{\"c\": 1}\n");
    ck_assert_str_eq(text_of("log.txt"), "a line\nnext\n");
    adn_rundir_close(run);
}
END_TEST

START_TEST(a_kill_at_any_byte_of_the_rows_costs_the_last_row_at_most)
{
    char whole[1000], first[500];
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    put_row(1, 0);
    strcpy(first, text_of("epochs.csv"));
    put_row(1, 1);
    strcpy(whole, text_of("epochs.csv"));
    for (size_t n = strlen(first); n < strlen(whole); n++) {
        ck_assert(truncate(path_of("epochs.csv"), (off_t)n) == 0);
        ck_assert_str_eq(row_names(), "1.0 ");
        reopen();
        put_row(1, 1);
        ck_assert_str_eq(text_of("epochs.csv"), whole);
    }
    ck_assert(truncate(path_of("epochs.csv"), 20) == 0); /* inside the header */
    reopen();
    put_row(1, 0);
    ck_assert_str_eq(text_of("epochs.csv"), first);
    adn_rundir_close(run);
}
END_TEST

/* How large a file may become: what a full disk is to a single write. */
static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    ck_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

START_TEST(a_row_that_finds_no_room_leaves_no_part_of_it)
{
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    put_row(1, 0);
    adn_epoch_row row = row_of(1, 1);
    signal(SIGXFSZ, SIG_IGN);
    set_file_limit(strlen(text_of("epochs.csv")) + 10);
    adn_status st = adn_rundir_row(run, &row);
    set_file_limit(RLIM_INFINITY);
    signal(SIGXFSZ, SIG_DFL);
    ck_assert(st == ADN_IO);
    ck_assert_str_eq(row_names(), "1.0 ");
    put_row(2, 0);
    ck_assert_str_eq(row_names(), "1.0 2.0 ");
    adn_rundir_close(run);
}
END_TEST

START_TEST(long_torn_lines_are_cut_too)
{
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    char *torn = adn_alloc(20001);
    memset(torn, 'x', 20000);
    append("log.txt", "whole\n");
    append("log.txt", torn);
    reopen();
    ck_assert_str_eq(text_of("log.txt"), "whole\n");
    append("log.txt", torn);
    torn[4095] = '\0'; /* the newline is the first byte of a piece */
    put_text("log.txt", "\n");
    append("log.txt", torn);
    reopen();
    ck_assert_str_eq(text_of("log.txt"), "\n");
    adn_free(torn);
    adn_rundir_close(run);
}
END_TEST

START_TEST(a_resume_cuts_the_rows_behind_its_checkpoint)
{
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    for (int e = 1; e <= 4; e++)
        for (int b = 0; b < 3; b++) put_row(e, b);
    ck_assert(adn_rundir_cut_rows(run, 3) == ADN_OK);
    ck_assert_str_eq(row_names(), "1.0 1.1 1.2 2.0 2.1 2.2 3.0 3.1 3.2 ");
    put_row(4, 0); /* goes into the file that replaced the old one */
    ck_assert_str_eq(row_names(), "1.0 1.1 1.2 2.0 2.1 2.2 3.0 3.1 3.2 4.0 ");
    static const int own[] = {3, 2, 0};
    ck_assert(adn_rundir_cut_block_rows(run, own, 3) == ADN_OK);
    ck_assert_str_eq(row_names(), "1.0 1.1 2.0 2.1 3.0 ");
    ck_assert(adn_rundir_cut_rows(run, 0) == ADN_OK);
    ck_assert_str_eq(row_names(), "");
    put_row(1, 0);
    ck_assert_str_eq(row_names(), "1.0 ");
    adn_rundir_close(run);
}
END_TEST

START_TEST(later_columns_are_passed_over_and_broken_rows_are_named)
{
    static const char header[] =
        "epoch,block,steps,samples,lr,train_loss,train_top1,test_loss,test_top1,img_s,"
        "wait_in,wait_out,seconds";
    static const char *const broken[] = {"1",
                                         "1,0,3,4",
                                         "1,0,3,4,1,2,3,4,5,6,7,8",
                                         "x,0,3,4,,,,,,,,,",
                                         "1,0,3,4,,,,,,,,,9x",
                                         "-1,0,3,4,,,,,,,,,",
                                         "99999999999,0,3,4,,,,,,,,,",
                                         ""};
    char text[500];
    adn_epoch_row *rows = NULL;
    int n;
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    snprintf(text, sizeof(text), "%s,reused\n1,0,3,4,,,,,,,,,5,17\n1,1,3,4,,,,,,,,,,\n", header);
    put_text("epochs.csv", text);
    ck_assert_str_eq(row_names(), "1.0 1.1 ");
    for (size_t i = 0; i < ADN_COUNT(broken); i++) {
        snprintf(text, sizeof(text), "%s\n1,0,3,4,,,,,,,,,5\n%s\n", header, broken[i]);
        put_text("epochs.csv", text);
        adn_test_log_clear();
        ck_assert_msg(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_BADDATA, "%s",
                      broken[i]);
        ck_assert(strstr(adn_test_log(), "epochs.csv:3:") != NULL && rows == NULL);
    }
    ck_assert(adn_rundir_cut_rows(run, 5) == ADN_OK); /* a resume drops them with a warning */
    ck_assert_str_eq(row_names(), "1.0 ");
    put_text("epochs.csv", "a,b\n");
    ck_assert(adn_rows_read(adn_rundir_path(run), &rows, &n) == ADN_BADDATA);
    adn_rundir_close(run);
}
END_TEST

START_TEST(opening_cleans_what_a_kill_left_of_a_save)
{
    adn_ckpt_info info = {.epoch = 1};
    char *dir;
    fresh_runs();
    ck_assert(open_a() == ADN_OK);
    ck_assert(adn_ckpt_begin(adn_rundir_path(run), &info, &dir) == ADN_OK);
    reopen();
    ck_assert(!adn_path_exists(dir));
    adn_free(dir);
    adn_rundir_close(run);
}
END_TEST

/* Opens with the n-th allocation failing until none fails. */
static void sweep_open(bool is_there)
{
    adn_status st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        int64_t live = adn_alloc_live();
        run = NULL;
        adn_alloc_fail_at(n);
        st = open_a();
        adn_alloc_fail_at(0);
        ck_assert_msg(st == ADN_OK || st == ADN_NOMEM, "call %d: %s", n, adn_status_name(st));
        if (st == ADN_OK) adn_rundir_close(run);
        ck_assert_msg(adn_alloc_live() == live, "call %d leaks", n);
        if (is_there || st == ADN_OK || !adn_path_exists(path_of("status.json"))) continue;
        ck_assert(adn_dir_remove(path_of("")) == ADN_OK); /* it was made, only opening it failed */
    }
    ck_assert(strstr(text_of("status.json"), "running") != NULL);
}

START_TEST(any_failed_allocation_leaves_a_whole_run_or_none)
{
    fresh_runs();
    sweep_open(false);
    ck_assert(open_a() == ADN_OK);
    put_row(1, 0);
    adn_rundir_close(run);
    sweep_open(true);
    ck_assert(open_a() == ADN_OK);
    ck_assert(adn_rundir_state(run) == ADN_RUN_UNFINISHED);
    adn_status st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        int64_t live = adn_alloc_live();
        adn_alloc_fail_at(n);
        st = adn_rundir_cut_rows(run, 0);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_OK || st == ADN_NOMEM);
        ck_assert(adn_alloc_live() == live);
        ck_assert(strcmp(row_names(), "1.0 ") == 0 || strcmp(row_names(), "") == 0);
    }
    put_row(1, 0);
    ck_assert_str_eq(row_names(), "1.0 ");
    adn_epoch_row *rows = NULL;
    int n_row = -1;
    st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        adn_alloc_fail_at(n);
        st = adn_rows_read(adn_rundir_path(run), &rows, &n_row);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_OK || (st == ADN_NOMEM && rows == NULL && n_row == -1));
    }
    adn_free(rows);
    adn_rundir_close(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_rundir");
    TCase *make = tcase_create("making"), *lines = tcase_create("lines"),
          *memory = tcase_create("memory");

    tcase_add_test(make, a_new_run_has_its_files);
    tcase_add_test(make, the_same_command_resumes_until_the_run_is_finished);
    tcase_add_test(make, another_configuration_is_refused_and_the_difference_shown);
    tcase_add_test(make, new_gives_a_fresh_suffix);
    tcase_add_test(make, resume_never_refuses_an_unfinished_run_only);
    tcase_add_test(make, a_second_process_is_refused_with_the_firsts_number);
    tcase_add_test(make, what_is_no_run_is_left_alone);
    tcase_add_test(make, a_half_made_run_of_a_killed_process_is_made_anew);
    tcase_add_test(make, opening_cleans_what_a_kill_left_of_a_save);
    tcase_add_test(lines, rows_are_read_as_they_were_written);
    tcase_add_test(lines, torn_last_lines_are_skipped_by_readers_and_cut_at_the_next_open);
    tcase_add_test(lines, a_kill_at_any_byte_of_the_rows_costs_the_last_row_at_most);
    tcase_add_test(lines, a_row_that_finds_no_room_leaves_no_part_of_it);
    tcase_add_test(lines, long_torn_lines_are_cut_too);
    tcase_add_test(lines, a_resume_cuts_the_rows_behind_its_checkpoint);
    tcase_add_test(lines, later_columns_are_passed_over_and_broken_rows_are_named);
    tcase_add_test(memory, any_failed_allocation_leaves_a_whole_run_or_none);
    suite_add_tcase(suite, make);
    suite_add_tcase(suite, lines);
    suite_add_tcase(suite, memory);
    return adn_suite_run(suite);
}
