/* The run directory: made once, resumed by the same configuration only, held by one process. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "run_case.h"
#include "suite.h"

START_TEST(a_new_run_has_its_files)
{
    run_fresh();
    ck_assert(adn_dir_make(run_folder) == ADN_OK);
    char *yaml = adn_path_join(run_folder, "a.yaml");
    ck_assert(adn_file_write(yaml, "version: 1\n# mine\n", 18) == ADN_OK);
    adn_rundir_conf conf = run_conf("a");
    conf.config_path = yaml;
    ck_assert(adn_rundir_open(&conf, &run) == ADN_OK);
    ck_assert(adn_rundir_state(run) == ADN_RUN_NEW);
    ck_assert_str_eq(run_text("config.yaml"), "version: 1\n# mine\n");
    ck_assert_str_eq(run_text("config.given"), conf.given);
    ck_assert_str_eq(run_text("config.resolved.yaml"), conf.resolved);
    ck_assert_str_eq(run_text("command.txt"), conf.command);
    ck_assert_str_eq(run_text("env.json"), conf.env_json);
    ck_assert_str_eq(run_text("plan.json"), conf.plan_json);
    ck_assert_str_eq(run_text("epochs.csv"),
                     "epoch,block,steps,samples,lr,train_loss,train_top1,test_loss,"
                     "test_top1,img_s,wait_in,wait_out,seconds,reread,span_s,busy\n");
    ck_assert_str_eq(run_text("edges.csv"),
                     "epoch,edge,pushed,pulled,dropped,reused,starved_s,occupancy,age_p50,age_p99,"
                     "age_max,bytes,codec_error,lost,age_mean\n");
    ck_assert_str_eq(run_text("events.jsonl"), "{\"version\": 1}\n");
    ck_assert(strstr(run_text("status.json"), "\"state\": \"running\"") != NULL);
    ck_assert_str_eq(run_text("log.txt"), "");
    ck_assert(adn_path_exists(run_path("ckpt")));
    adn_rundir_close(run);
    adn_free(yaml);
}
END_TEST

START_TEST(the_same_command_resumes_until_the_run_is_finished)
{
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    run_reopen();
    ck_assert(adn_rundir_state(run) == ADN_RUN_UNFINISHED); /* killed while it said running */
    ck_assert(adn_rundir_status(run, "stopped", "[{\"block\": 0}]") == ADN_OK);
    ck_assert(strstr(run_text("status.json"), "\"blocks\": [{\"block\": 0}]") != NULL);
    run_reopen();
    ck_assert(adn_rundir_state(run) == ADN_RUN_UNFINISHED);
    run_put("status.json", "{\"state\": \"fin");
    run_reopen();
    ck_assert(adn_rundir_state(run) == ADN_RUN_UNFINISHED);
    ck_assert(adn_rundir_status(run, "finished", NULL) == ADN_OK);
    run_reopen();
    ck_assert(adn_rundir_state(run) == ADN_RUN_FINISHED);
    adn_rundir_close(run);
}
END_TEST

START_TEST(another_configuration_is_refused_and_the_difference_shown)
{
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    adn_rundir_close(run);
    run = NULL;
    adn_rundir_conf conf = run_conf("a");
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
    ck_assert_str_eq(run_text("config.given"), run_conf("a").given);
    conf.given = ""; /* all by default */
    ck_assert(adn_rundir_open(&conf, &run) == ADN_BADCONF);
}
END_TEST

START_TEST(new_gives_a_fresh_suffix)
{
    static const char *const expected[] = {"a", "a-2", "a-3"};
    run_fresh();
    adn_rundir_conf conf = run_conf("a");
    conf.fresh_suffix = true;
    for (size_t i = 0; i < ADN_COUNT(expected); i++) {
        adn_rundir *r;
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", run_folder, expected[i]);
        ck_assert(adn_rundir_open(&conf, &r) == ADN_OK);
        ck_assert_str_eq(adn_rundir_path(r), path);
        ck_assert(adn_rundir_state(r) == ADN_RUN_NEW);
        adn_rundir_close(r);
    }
}
END_TEST

START_TEST(resume_never_refuses_an_unfinished_run_only)
{
    run_fresh();
    adn_rundir_conf conf = run_conf("a");
    conf.never_resume = true;
    ck_assert(adn_rundir_open(&conf, &run) == ADN_OK); /* new */
    adn_rundir_close(run);
    run = NULL;
    adn_test_log_clear();
    ck_assert(adn_rundir_open(&conf, &run) == ADN_USAGE && run == NULL);
    ck_assert(strstr(adn_test_log(), "unfinished") != NULL &&
              strstr(adn_test_log(), "--resume never") != NULL);
    ck_assert(run_open() == ADN_OK);
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
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    adn_rundir_conf conf = run_conf("a");
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
    run_fresh();
    ck_assert(adn_dir_make(run_path("mine")) == ADN_OK);
    ck_assert(run_open() == ADN_BADCONF);
    ck_assert(adn_path_exists(run_path("mine")));
    for (size_t i = 0; i < ADN_COUNT(wrong); i++) {
        adn_rundir_conf conf = run_conf(wrong[i]);
        ck_assert(adn_rundir_open(&conf, &run) == ADN_BADCONF);
    }
    adn_rundir_conf conf = run_conf("b");
    conf.config_path = "/nonexistent.yaml";
    ck_assert(adn_rundir_open(&conf, &run) == ADN_IO);
    char *b = adn_path_join(run_folder, "b");
    ck_assert(!adn_path_exists(b));
    adn_free(b);
    conf.runs = "/proc/version/runs";
    ck_assert(adn_rundir_open(&conf, &run) == ADN_IO);
    ck_assert(run == NULL);
}
END_TEST

START_TEST(a_half_made_run_of_a_killed_process_is_made_anew)
{
    run_fresh();
    char *tmp = adn_format("%s/.a.tmp/ckpt", run_folder);
    ck_assert(adn_dir_make(tmp) == ADN_OK);
    ck_assert(run_open() == ADN_OK);
    ck_assert(adn_rundir_state(run) == ADN_RUN_NEW);
    tmp[strlen(tmp) - strlen("/ckpt")] = '\0';
    ck_assert(!adn_path_exists(tmp));
    adn_rundir_close(run);
    adn_free(tmp);
}
END_TEST

START_TEST(opening_cleans_what_a_kill_left_of_a_save)
{
    adn_ckpt_info info = {.epoch = 1};
    char *dir;
    run_fresh();
    ck_assert(run_open() == ADN_OK);
    ck_assert(adn_ckpt_begin(adn_rundir_path(run), &info, &dir) == ADN_OK);
    run_reopen();
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
        st = run_open();
        adn_alloc_fail_at(0);
        ck_assert_msg(st == ADN_OK || st == ADN_NOMEM, "call %d: %s", n, adn_status_name(st));
        if (st == ADN_OK) adn_rundir_close(run);
        ck_assert_msg(adn_alloc_live() == live, "call %d leaks", n);
        if (is_there || st == ADN_OK || !adn_path_exists(run_path("status.json"))) continue;
        ck_assert(adn_dir_remove(run_path("")) == ADN_OK); /* it was made, only opening it failed */
    }
    ck_assert(strstr(run_text("status.json"), "running") != NULL);
}

START_TEST(any_failed_allocation_leaves_a_whole_run_or_none)
{
    run_fresh();
    sweep_open(false);
    ck_assert(run_open() == ADN_OK);
    run_append("epochs.csv", "1,0,39"); /* torn: to be cut */
    adn_rundir_close(run);
    sweep_open(true);
    ck_assert(run_open() == ADN_OK);
    ck_assert(adn_rundir_state(run) == ADN_RUN_UNFINISHED);
    adn_rundir_close(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_rundir");
    TCase *make = tcase_create("making"), *memory = tcase_create("memory");

    tcase_add_test(make, a_new_run_has_its_files);
    tcase_add_test(make, the_same_command_resumes_until_the_run_is_finished);
    tcase_add_test(make, another_configuration_is_refused_and_the_difference_shown);
    tcase_add_test(make, new_gives_a_fresh_suffix);
    tcase_add_test(make, resume_never_refuses_an_unfinished_run_only);
    tcase_add_test(make, a_second_process_is_refused_with_the_firsts_number);
    tcase_add_test(make, what_is_no_run_is_left_alone);
    tcase_add_test(make, a_half_made_run_of_a_killed_process_is_made_anew);
    tcase_add_test(make, opening_cleans_what_a_kill_left_of_a_save);
    tcase_add_test(memory, any_failed_allocation_leaves_a_whole_run_or_none);
    suite_add_tcase(suite, make);
    suite_add_tcase(suite, memory);
    return adn_suite_run(suite);
}
