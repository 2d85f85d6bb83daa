/* Checkpoints: what is committed is found, what is let go is not the last, what is left over goes.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ckpt_case.h"
#include "core/file.h"
#include "suite.h"

static int n_hidden(void)
{
    char path[400];
    int n = 0;
    struct dirent *e;
    snprintf(path, sizeof(path), "%s/ckpt", ckpt_run);
    DIR *d = opendir(path);
    if (d == NULL) return 0;
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

START_TEST(a_run_without_checkpoints_has_none)
{
    adn_ckpt_info info = ckpt_at(7, 7, 7);
    char *path = NULL;
    ckpt_fresh();
    ck_assert_str_eq(ckpt_names(), "");
    ck_assert(adn_ckpt_newest(ckpt_run, &info) == ADN_END);
    ck_assert_int_eq(info.epoch, 7);
    ck_assert(adn_ckpt_path(ckpt_run, "last", &path) == ADN_USAGE);
    ck_assert(adn_ckpt_verify(ckpt_run, "e0001-b0000") == ADN_USAGE);
    ck_assert(adn_ckpt_verify(ckpt_run, "../../etc") == ADN_USAGE);
    ck_assert(adn_ckpt_clean(ckpt_run) == ADN_OK);
    ck_assert(path == NULL);
}
END_TEST

START_TEST(what_is_committed_is_found_again)
{
    adn_ckpt_info info, *list;
    char *path, expected[400];
    adn_ckpt_file *files;
    int n;
    ckpt_fresh();
    ck_assert(ckpt_save(ckpt_at(12, 34, 91.25), CKPT_ALL, 1) == ADN_OK);
    ck_assert(adn_ckpt_newest(ckpt_run, &info) == ADN_OK);
    ck_assert_str_eq(info.name, "e0012-b0034");
    ck_assert(info.epoch == 12 && info.batch == 34 && info.step == 1234 && info.n_block == 2);
    ck_assert(info.score == 91.25 && info.is_whole && info.is_last && info.is_best);
    ck_assert(info.bytes == (int64_t)(strlen("weights of epoch 12") + strlen("momentum")));
    ck_assert(adn_ckpt_list(ckpt_run, &list, &n) == ADN_OK);
    ck_assert(n == 1 && memcmp(&list[0].epoch, &info.epoch, sizeof(int)) == 0 && list[0].is_best);
    adn_free(list);
    ck_assert(adn_ckpt_path(ckpt_run, "best", &path) == ADN_OK);
    snprintf(expected, sizeof(expected), "%s/ckpt/e0012-b0034", ckpt_run);
    ck_assert_str_eq(path, expected);
    adn_free(path);
    ck_assert(adn_ckpt_files(ckpt_run, "last", &files, &n) == ADN_OK);
    ck_assert_int_eq(n, 2);
    ck_assert_str_eq(files[0].name, "block0.optim.safetensors");
    ck_assert_str_eq(files[1].name, "block0.safetensors");
    adn_free(files);
    ck_assert_int_eq(n_hidden(), 0);
}
END_TEST

START_TEST(the_manifest_is_a_function_of_the_state_alone)
{
    char *first, *second;
    size_t n;
    ckpt_fresh();
    ckpt_must_save(3, NAN, CKPT_ALL, 1);
    ck_assert(adn_file_read(ckpt_file("e0003-b0000", "manifest.json"), 1 << 16, &first, &n) ==
              ADN_OK);
    ck_assert(strstr(first, ckpt_run) == NULL);
    ckpt_fresh();
    ckpt_must_save(3, NAN, CKPT_ALL, 1);
    ck_assert(adn_file_read(ckpt_file("e0003-b0000", "manifest.json"), 1 << 16, &second, &n) ==
              ADN_OK);
    ck_assert_str_eq(first, second);
    adn_free(first);
    adn_free(second);
    ck_assert_str_eq(ckpt_link("best"), ""); /* nothing was measured */
}
END_TEST

START_TEST(keeping_counts_by_age_and_by_score)
{
    static const double score[] = {50, 70, 60, 70, 65, 64, 63};
    ckpt_fresh();
    for (int e = 1; e <= 7; e++) ckpt_must_save(e, score[e - 1], 2, 1);
    ck_assert_str_eq(ckpt_names(),
                     "e0004-b0000 e0006-b0000 e0007-b0000 "); /* of equals the newer */
    ck_assert_str_eq(ckpt_link("last"), "e0007-b0000");
    ck_assert_str_eq(ckpt_link("best"), "e0004-b0000");
    ck_assert_int_eq(n_hidden(), 0);
    ckpt_fresh();
    for (int e = 1; e <= 7; e++) ckpt_must_save(e, score[e - 1], 1, 3);
    ck_assert_str_eq(ckpt_names(), "e0002-b0000 e0004-b0000 e0005-b0000 e0007-b0000 ");
}
END_TEST

START_TEST(the_newest_stays_even_if_nothing_is_to_be_kept)
{
    ckpt_fresh();
    ckpt_must_save(1, 90, 0, 0);
    ckpt_must_save(2, 80, 0, 0);
    ck_assert_str_eq(ckpt_names(), "e0002-b0000 ");
    ck_assert_str_eq(ckpt_link("best"), "e0002-b0000"); /* of those that are there */
    ckpt_must_save(3, NAN, 0, 0);
    ck_assert_str_eq(ckpt_names(), "e0003-b0000 ");
    ck_assert_str_eq(ckpt_link("best"), "");
}
END_TEST

START_TEST(checkpoints_are_ordered_by_number_not_by_letter)
{
    ckpt_fresh();
    ck_assert(ckpt_save(ckpt_at(10000, 0, NAN), CKPT_ALL, 0) == ADN_OK);
    ck_assert(ckpt_save(ckpt_at(9999, 12345, NAN), CKPT_ALL, 0) == ADN_OK);
    ck_assert(ckpt_save(ckpt_at(9999, 2, NAN), CKPT_ALL, 0) == ADN_OK);
    ck_assert_str_eq(ckpt_names(), "e9999-b0002 e9999-b12345 e10000-b0000 ");
    ck_assert_str_eq(ckpt_link("last"), "e10000-b0000");
}
END_TEST

START_TEST(two_saves_may_be_open_at_once)
{
    adn_ckpt_info first = ckpt_at(1, 0, NAN), second = ckpt_at(2, 0, NAN);
    char *dir_1, *dir_2;
    ckpt_fresh();
    ck_assert(adn_ckpt_begin(ckpt_run, &first, &dir_1) == ADN_OK);
    ck_assert(ckpt_put(dir_1, "a", "1") == ADN_OK);
    ck_assert(adn_ckpt_begin(ckpt_run, &second, &dir_2) == ADN_OK);
    ck_assert(ckpt_put(dir_2, "a", "2") == ADN_OK);
    ck_assert_str_eq(ckpt_names(), "");
    ck_assert(adn_ckpt_commit(ckpt_run, dir_2, &second, CKPT_ALL, 0) == ADN_OK);
    ck_assert(adn_ckpt_commit(ckpt_run, dir_1, &first, CKPT_ALL, 0) == ADN_OK);
    ck_assert_str_eq(ckpt_names(), "e0001-b0000 e0002-b0000 ");
    ck_assert_str_eq(ckpt_link("last"), "e0002-b0000");
    adn_free(dir_1);
    adn_free(dir_2);
}
END_TEST

START_TEST(an_abandoned_save_leaves_nothing)
{
    adn_ckpt_info info = ckpt_at(1, 0, NAN);
    char *dir;
    ckpt_fresh();
    ck_assert(adn_ckpt_begin(ckpt_run, &info, &dir) == ADN_OK);
    ck_assert(ckpt_put(dir, "a", "1") == ADN_OK);
    adn_ckpt_abandon(dir);
    adn_ckpt_abandon(dir);
    ck_assert_int_eq(n_hidden(), 0);
    ck_assert_str_eq(ckpt_names(), "");
    adn_free(dir);
}
END_TEST

START_TEST(leftovers_go_and_an_interrupted_replacement_is_undone)
{
    adn_ckpt_info info = ckpt_at(2, 0, NAN);
    char *dir, *from, *to;
    ckpt_fresh();
    ckpt_must_save(1, NAN, CKPT_ALL, 0);
    ck_assert(adn_ckpt_begin(ckpt_run, &info, &dir) == ADN_OK); /* killed here */
    ck_assert(ckpt_put(dir, "a", "1") == ADN_OK);
    adn_free(dir);
    ck_assert(adn_ckpt_begin(ckpt_run, &info, &dir) == ADN_OK); /* begins anew */
    ck_assert(rmdir(dir) == 0 && ckpt_put(ckpt_run, "ckpt/.x.tmp", "") == ADN_OK);
    adn_free(dir);
    from = adn_format("%s/ckpt/e0001-b0000", ckpt_run);
    to = adn_format("%s/ckpt/.e0001-b0000.old", ckpt_run);
    ck_assert(rename(from, to) == 0); /* killed between moving the old one and the new one */
    char *link = adn_format("%s/ckpt/last", ckpt_run);
    ck_assert(unlink(link) == 0);
    ck_assert(adn_ckpt_clean(ckpt_run) == ADN_OK);
    ck_assert_int_eq(n_hidden(), 0);
    ck_assert_str_eq(ckpt_names(), "e0001-b0000 ");
    ck_assert_str_eq(ckpt_link("last"), "e0001-b0000");
    adn_free(from);
    adn_free(to);
    adn_free(link);
}
END_TEST

/* Runs `call` with its n-th allocation failing until none fails. */
static void sweep(adn_status (*call)(void), void (*check)(void))
{
    adn_status st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        int64_t live = adn_alloc_live();
        adn_alloc_fail_at(n);
        st = call();
        adn_alloc_fail_at(0);
        ck_assert_msg(st == ADN_OK || st == ADN_NOMEM, "call %d: %s", n, adn_status_name(st));
        ck_assert_msg(adn_alloc_live() == live, "call %d leaks", n);
        check();
    }
}

static adn_status save_second(void)
{
    return ckpt_save(ckpt_at(2, 0, 20), CKPT_ALL, 1);
}

static void is_sound(void)
{
    adn_ckpt_info info;
    ck_assert(adn_ckpt_newest(ckpt_run, &info) == ADN_OK);
    ck_assert(strstr(ckpt_names(), "*") == NULL);
    ck_assert(adn_ckpt_clean(ckpt_run) == ADN_OK);
    ck_assert_int_eq(n_hidden(), 0);
    ck_assert(strstr(ckpt_names(), "e0001-b0000 ") != NULL);
}

static adn_status newest(void)
{
    adn_ckpt_info info = {.epoch = -1};
    adn_status st = adn_ckpt_newest(ckpt_run, &info);
    ck_assert(info.epoch == (st == ADN_OK ? 2 : -1));
    return st;
}

static adn_status list(void)
{
    adn_ckpt_info *out = NULL;
    int n = -1;
    adn_status st = adn_ckpt_list(ckpt_run, &out, &n);
    ck_assert(st == ADN_OK ? n == 2 : out == NULL && n == -1);
    adn_free(out);
    return st;
}

static adn_status last_path(void)
{
    char *path = NULL;
    adn_status st = adn_ckpt_path(ckpt_run, "last", &path);
    ck_assert((path != NULL) == (st == ADN_OK));
    adn_free(path);
    return st;
}

static adn_status clean(void)
{
    return adn_ckpt_clean(ckpt_run);
}

START_TEST(any_failed_allocation_leaves_the_old_checkpoints_and_nothing_half_made)
{
    ckpt_fresh();
    ckpt_must_save(1, 10, CKPT_ALL, 1);
    sweep(save_second, is_sound);
    sweep(newest, is_sound);
    sweep(list, is_sound);
    sweep(last_path, is_sound);
    sweep(clean, is_sound);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_checkpoint");
    TCase *flow = tcase_create("saving"), *keep = tcase_create("keeping");
    TCase *left = tcase_create("leftovers"), *memory = tcase_create("memory");

    tcase_set_timeout(memory, 60);
    tcase_add_test(flow, a_run_without_checkpoints_has_none);
    tcase_add_test(flow, what_is_committed_is_found_again);
    tcase_add_test(flow, the_manifest_is_a_function_of_the_state_alone);
    tcase_add_test(flow, two_saves_may_be_open_at_once);
    tcase_add_test(flow, checkpoints_are_ordered_by_number_not_by_letter);
    tcase_add_test(keep, keeping_counts_by_age_and_by_score);
    tcase_add_test(keep, the_newest_stays_even_if_nothing_is_to_be_kept);
    tcase_add_test(left, an_abandoned_save_leaves_nothing);
    tcase_add_test(left, leftovers_go_and_an_interrupted_replacement_is_undone);
    tcase_add_test(memory, any_failed_allocation_leaves_the_old_checkpoints_and_nothing_half_made);
    suite_add_tcase(suite, flow);
    suite_add_tcase(suite, keep);
    suite_add_tcase(suite, left);
    suite_add_tcase(suite, memory);
    return adn_suite_run(suite);
}
