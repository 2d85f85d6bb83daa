/* Checkpoints: what is committed is found, what is damaged is not picked, what is let go is not the
 * last. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "store/store.h"
#include "suite.h"

enum { ALL = 1000 };
static char run[300]; /* this case's run directory */

static void fresh_run(void)
{
    static const char *base;
    static int n;
    if (base == NULL) base = adn_test_dir();
    snprintf(run, sizeof(run), "%s/run%d", base, n++);
    ck_assert(adn_dir_make(run) == ADN_OK);
    adn_test_log_clear();
}

static adn_ckpt_info at(int epoch, int batch, double score)
{
    return (adn_ckpt_info){
        .epoch = epoch, .batch = batch, .step = 100 * epoch + batch, .n_block = 2, .score = score};
}

static adn_status put(const char *dir, const char *name, const char *text)
{
    char *path = adn_path_join(dir, name);
    if (path == NULL) return ADN_NOMEM;
    adn_status st = adn_file_write(path, text, strlen(text));
    adn_free(path);
    return st;
}

/* A checkpoint of two files. */
static adn_status save(adn_ckpt_info info, int keep_last, int keep_best)
{
    char *dir, text[64];
    adn_status st = adn_ckpt_begin(run, &info, &dir);

    if (st != ADN_OK) return st;
    snprintf(text, sizeof(text), "weights of epoch %d", info.epoch);
    ADN_TRY(st, put(dir, "block0.safetensors", text), fail);
    ADN_TRY(st, put(dir, "block0.optim.safetensors", "momentum"), fail);
    st = adn_ckpt_commit(run, dir, &info, keep_last, keep_best);
    adn_free(dir);
    return st;
fail:
    adn_ckpt_abandon(dir);
    adn_free(dir);
    return st;
}

static void must_save(int epoch, double score, int keep_last, int keep_best)
{
    ck_assert(save(at(epoch, 0, score), keep_last, keep_best) == ADN_OK);
}

/* The names that are listed, joined: "e0001-b0000 e0002-b0000* ", * for one that is not whole. */
static const char *names(void)
{
    static char text[2000];
    adn_ckpt_info *list;
    int n;
    ck_assert(adn_ckpt_list(run, &list, &n) == ADN_OK);
    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        strcat(text, list[i].name);
        strcat(text, list[i].is_whole ? " " : "* ");
    }
    adn_free(list);
    return text;
}

static const char *link_of(const char *link)
{
    static char to[64], path[400];
    snprintf(path, sizeof(path), "%s/ckpt/%s", run, link);
    ssize_t n = readlink(path, to, sizeof(to) - 1);
    to[n > 0 ? n : 0] = '\0';
    return to;
}

static int n_hidden(void)
{
    char path[400];
    int n = 0;
    struct dirent *e;
    snprintf(path, sizeof(path), "%s/ckpt", run);
    DIR *d = opendir(path);
    if (d == NULL) return 0;
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static const char *file_of(const char *name, const char *file)
{
    static char path[500];
    snprintf(path, sizeof(path), "%s/ckpt/%s/%s", run, name, file);
    return path;
}

/* Flips a bit of the byte at offset; from the end where it is negative. */
static void flip(const char *path, long offset)
{
    FILE *f = fopen(path, "r+");
    ck_assert(f != NULL);
    fseek(f, offset, offset < 0 ? SEEK_END : SEEK_SET);
    int c = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(c ^ 1, f);
    fclose(f);
}

START_TEST(a_run_without_checkpoints_has_none)
{
    adn_ckpt_info info = at(7, 7, 7);
    char *path = NULL;
    fresh_run();
    ck_assert_str_eq(names(), "");
    ck_assert(adn_ckpt_newest(run, &info) == ADN_END);
    ck_assert_int_eq(info.epoch, 7);
    ck_assert(adn_ckpt_path(run, "last", &path) == ADN_USAGE);
    ck_assert(adn_ckpt_verify(run, "e0001-b0000") == ADN_USAGE);
    ck_assert(adn_ckpt_verify(run, "../../etc") == ADN_USAGE);
    ck_assert(adn_ckpt_clean(run) == ADN_OK);
    ck_assert(path == NULL);
}
END_TEST

START_TEST(what_is_committed_is_found_again)
{
    adn_ckpt_info info, *list;
    char *path, expected[400];
    adn_ckpt_file *files;
    int n;
    fresh_run();
    ck_assert(save(at(12, 34, 91.25), ALL, 1) == ADN_OK);
    ck_assert(adn_ckpt_newest(run, &info) == ADN_OK);
    ck_assert_str_eq(info.name, "e0012-b0034");
    ck_assert(info.epoch == 12 && info.batch == 34 && info.step == 1234 && info.n_block == 2);
    ck_assert(info.score == 91.25 && info.is_whole && info.is_last && info.is_best);
    ck_assert(info.bytes == (int64_t)(strlen("weights of epoch 12") + strlen("momentum")));
    ck_assert(adn_ckpt_list(run, &list, &n) == ADN_OK);
    ck_assert(n == 1 && memcmp(&list[0].epoch, &info.epoch, sizeof(int)) == 0 && list[0].is_best);
    adn_free(list);
    ck_assert(adn_ckpt_path(run, "best", &path) == ADN_OK);
    snprintf(expected, sizeof(expected), "%s/ckpt/e0012-b0034", run);
    ck_assert_str_eq(path, expected);
    adn_free(path);
    ck_assert(adn_ckpt_files(run, "last", &files, &n) == ADN_OK);
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
    fresh_run();
    must_save(3, NAN, ALL, 1);
    ck_assert(adn_file_read(file_of("e0003-b0000", "manifest.json"), 1 << 16, &first, &n) ==
              ADN_OK);
    ck_assert(strstr(first, run) == NULL);
    fresh_run();
    must_save(3, NAN, ALL, 1);
    ck_assert(adn_file_read(file_of("e0003-b0000", "manifest.json"), 1 << 16, &second, &n) ==
              ADN_OK);
    ck_assert_str_eq(first, second);
    adn_free(first);
    adn_free(second);
    ck_assert_str_eq(link_of("best"), ""); /* nothing was measured */
}
END_TEST

START_TEST(keeping_counts_by_age_and_by_score)
{
    static const double score[] = {50, 70, 60, 70, 65, 64, 63};
    fresh_run();
    for (int e = 1; e <= 7; e++) must_save(e, score[e - 1], 2, 1);
    ck_assert_str_eq(names(), "e0004-b0000 e0006-b0000 e0007-b0000 "); /* of equals the newer */
    ck_assert_str_eq(link_of("last"), "e0007-b0000");
    ck_assert_str_eq(link_of("best"), "e0004-b0000");
    ck_assert_int_eq(n_hidden(), 0);
    fresh_run();
    for (int e = 1; e <= 7; e++) must_save(e, score[e - 1], 1, 3);
    ck_assert_str_eq(names(), "e0002-b0000 e0004-b0000 e0005-b0000 e0007-b0000 ");
}
END_TEST

START_TEST(the_newest_stays_even_if_nothing_is_to_be_kept)
{
    fresh_run();
    must_save(1, 90, 0, 0);
    must_save(2, 80, 0, 0);
    ck_assert_str_eq(names(), "e0002-b0000 ");
    ck_assert_str_eq(link_of("best"), "e0002-b0000"); /* of those that are there */
    must_save(3, NAN, 0, 0);
    ck_assert_str_eq(names(), "e0003-b0000 ");
    ck_assert_str_eq(link_of("best"), "");
}
END_TEST

START_TEST(checkpoints_are_ordered_by_number_not_by_letter)
{
    fresh_run();
    ck_assert(save(at(10000, 0, NAN), ALL, 0) == ADN_OK);
    ck_assert(save(at(9999, 12345, NAN), ALL, 0) == ADN_OK);
    ck_assert(save(at(9999, 2, NAN), ALL, 0) == ADN_OK);
    ck_assert_str_eq(names(), "e9999-b0002 e9999-b12345 e10000-b0000 ");
    ck_assert_str_eq(link_of("last"), "e10000-b0000");
}
END_TEST

START_TEST(a_flipped_byte_anywhere_is_found_and_passed_over)
{
    static const char *const file[] = {"block0.safetensors", "block0.optim.safetensors",
                                       "manifest.json"};
    adn_ckpt_info info;
    char *path, *text;
    size_t n;
    fresh_run();
    must_save(1, 10, ALL, 1);
    must_save(2, 20, ALL, 1);
    for (size_t f = 0; f < ADN_COUNT(file); f++) {
        ck_assert(adn_file_read(file_of("e0002-b0000", file[f]), 1 << 16, &text, &n) == ADN_OK);
        adn_free(text);
        for (long i = 0; i < (long)n; i++) {
            flip(file_of("e0002-b0000", file[f]), i);
            adn_test_log_clear();
            ck_assert_msg(adn_ckpt_verify(run, "e0002-b0000") == ADN_BADCKPT, "%s, byte %ld",
                          file[f], i);
            ck_assert_msg(strstr(adn_test_log(), file[f]) != NULL, "%s", adn_test_log());
            ck_assert(adn_ckpt_path(run, "last", &path) == ADN_BADCKPT);
            adn_test_log_clear();
            ck_assert(adn_ckpt_newest(run, &info) == ADN_OK && info.epoch == 1);
            ck_assert(strstr(adn_test_log(), "warning: checkpoint e0002-b0000 is passed over") !=
                      NULL);
            ck_assert(strstr(adn_test_log(), "error:") == NULL);
            flip(file_of("e0002-b0000", file[f]), i);
        }
    }
    ck_assert(adn_ckpt_verify(run, "e0002-b0000") == ADN_OK);
}
END_TEST

START_TEST(a_cut_a_longer_or_a_missing_file_is_not_whole)
{
    adn_ckpt_info info;
    fresh_run();
    for (int e = 1; e <= 5; e++) must_save(e, NAN, ALL, 1);
    ck_assert(truncate(file_of("e0005-b0000", "block0.safetensors"), 5) == 0);
    ck_assert(truncate(file_of("e0004-b0000", "block0.safetensors"), 500) == 0);
    ck_assert(unlink(file_of("e0003-b0000", "block0.safetensors")) == 0);
    ck_assert(unlink(file_of("e0002-b0000", "manifest.json")) == 0);
    ck_assert_str_eq(names(), "e0001-b0000 e0002-b0000* e0003-b0000* e0004-b0000* e0005-b0000* ");
    ck_assert(adn_ckpt_newest(run, &info) == ADN_OK && info.epoch == 1);
    for (int e = 2; e <= 5; e++) {
        char name[32];
        snprintf(name, sizeof(name), "e%04d-b0000", e);
        ck_assert(adn_ckpt_verify(run, name) == ADN_BADCKPT);
    }
}
END_TEST

START_TEST(a_manifest_of_another_checkpoint_is_refused)
{
    char *from, *to;
    fresh_run();
    must_save(1, NAN, ALL, 1);
    from = adn_format("%s/ckpt/e0001-b0000", run);
    to = adn_format("%s/ckpt/e0005-b0000", run);
    ck_assert(rename(from, to) == 0);
    ck_assert_str_eq(names(), "e0005-b0000* ");
    ck_assert(adn_ckpt_verify(run, "e0005-b0000") == ADN_BADCKPT);
    adn_free(from);
    adn_free(to);
}
END_TEST

START_TEST(a_damaged_newer_one_does_not_push_a_sound_one_out)
{
    adn_ckpt_info info;
    fresh_run();
    must_save(1, 10, 1, 0);
    must_save(3, 30, 2, 0);
    flip(file_of("e0003-b0000", "block0.safetensors"), 3); /* its size is right */
    ck_assert(adn_ckpt_newest(run, &info) == ADN_OK && info.epoch == 1);
    must_save(2, 20, 1, 1);
    ck_assert_str_eq(link_of("last"), "e0002-b0000");
    ck_assert_str_eq(link_of("best"), "e0002-b0000");
    ck_assert(adn_ckpt_newest(run, &info) == ADN_OK && info.epoch == 2);
    ck_assert(strstr(names(), "e0001") == NULL);
    must_save(3, 33, 1, 1); /* takes the damaged one's place */
    ck_assert(adn_ckpt_newest(run, &info) == ADN_OK && info.epoch == 3 && info.score == 33);
    ck_assert_str_eq(names(), "e0003-b0000 ");
}
END_TEST

START_TEST(two_saves_may_be_open_at_once)
{
    adn_ckpt_info first = at(1, 0, NAN), second = at(2, 0, NAN);
    char *dir_1, *dir_2;
    fresh_run();
    ck_assert(adn_ckpt_begin(run, &first, &dir_1) == ADN_OK);
    ck_assert(put(dir_1, "a", "1") == ADN_OK);
    ck_assert(adn_ckpt_begin(run, &second, &dir_2) == ADN_OK);
    ck_assert(put(dir_2, "a", "2") == ADN_OK);
    ck_assert_str_eq(names(), "");
    ck_assert(adn_ckpt_commit(run, dir_2, &second, ALL, 0) == ADN_OK);
    ck_assert(adn_ckpt_commit(run, dir_1, &first, ALL, 0) == ADN_OK);
    ck_assert_str_eq(names(), "e0001-b0000 e0002-b0000 ");
    ck_assert_str_eq(link_of("last"), "e0002-b0000");
    adn_free(dir_1);
    adn_free(dir_2);
}
END_TEST

START_TEST(an_abandoned_save_leaves_nothing)
{
    adn_ckpt_info info = at(1, 0, NAN);
    char *dir;
    fresh_run();
    ck_assert(adn_ckpt_begin(run, &info, &dir) == ADN_OK);
    ck_assert(put(dir, "a", "1") == ADN_OK);
    adn_ckpt_abandon(dir);
    adn_ckpt_abandon(dir);
    ck_assert_int_eq(n_hidden(), 0);
    ck_assert_str_eq(names(), "");
    adn_free(dir);
}
END_TEST

START_TEST(leftovers_go_and_an_interrupted_replacement_is_undone)
{
    adn_ckpt_info info = at(2, 0, NAN);
    char *dir, *from, *to;
    fresh_run();
    must_save(1, NAN, ALL, 0);
    ck_assert(adn_ckpt_begin(run, &info, &dir) == ADN_OK); /* killed here */
    ck_assert(put(dir, "a", "1") == ADN_OK);
    adn_free(dir);
    ck_assert(adn_ckpt_begin(run, &info, &dir) == ADN_OK); /* begins anew */
    ck_assert(rmdir(dir) == 0 && put(run, "ckpt/.x.tmp", "") == ADN_OK);
    adn_free(dir);
    from = adn_format("%s/ckpt/e0001-b0000", run);
    to = adn_format("%s/ckpt/.e0001-b0000.old", run);
    ck_assert(rename(from, to) == 0); /* killed between moving the old one and the new one */
    char *link = adn_format("%s/ckpt/last", run);
    ck_assert(unlink(link) == 0);
    ck_assert(adn_ckpt_clean(run) == ADN_OK);
    ck_assert_int_eq(n_hidden(), 0);
    ck_assert_str_eq(names(), "e0001-b0000 ");
    ck_assert_str_eq(link_of("last"), "e0001-b0000");
    adn_free(from);
    adn_free(to);
    adn_free(link);
}
END_TEST

START_TEST(a_link_to_nothing_is_a_damaged_checkpoint)
{
    char *path, *dir;
    fresh_run();
    must_save(1, 10, ALL, 1);
    dir = adn_format("%s/ckpt/e0001-b0000", run);
    ck_assert(adn_dir_remove(dir) == ADN_OK);
    ck_assert(adn_ckpt_path(run, "last", &path) == ADN_BADCKPT);
    adn_free(dir);
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
    return save(at(2, 0, 20), ALL, 1);
}

static void is_sound(void)
{
    adn_ckpt_info info;
    ck_assert(adn_ckpt_newest(run, &info) == ADN_OK);
    ck_assert(strstr(names(), "*") == NULL);
    ck_assert(adn_ckpt_clean(run) == ADN_OK);
    ck_assert_int_eq(n_hidden(), 0);
    ck_assert(strstr(names(), "e0001-b0000 ") != NULL);
}

static adn_status newest(void)
{
    adn_ckpt_info info = {.epoch = -1};
    adn_status st = adn_ckpt_newest(run, &info);
    ck_assert(info.epoch == (st == ADN_OK ? 2 : -1));
    return st;
}

static adn_status list(void)
{
    adn_ckpt_info *out = NULL;
    int n = -1;
    adn_status st = adn_ckpt_list(run, &out, &n);
    ck_assert(st == ADN_OK ? n == 2 : out == NULL && n == -1);
    adn_free(out);
    return st;
}

static adn_status last_path(void)
{
    char *path = NULL;
    adn_status st = adn_ckpt_path(run, "last", &path);
    ck_assert((path != NULL) == (st == ADN_OK));
    adn_free(path);
    return st;
}

static adn_status clean(void)
{
    return adn_ckpt_clean(run);
}

START_TEST(any_failed_allocation_leaves_the_old_checkpoints_and_nothing_half_made)
{
    fresh_run();
    must_save(1, 10, ALL, 1);
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
    TCase *damage = tcase_create("damage"), *left = tcase_create("leftovers"),
          *memory = tcase_create("memory");

    tcase_set_timeout(damage, 60);
    tcase_set_timeout(memory, 60);
    tcase_add_test(flow, a_run_without_checkpoints_has_none);
    tcase_add_test(flow, what_is_committed_is_found_again);
    tcase_add_test(flow, the_manifest_is_a_function_of_the_state_alone);
    tcase_add_test(flow, two_saves_may_be_open_at_once);
    tcase_add_test(flow, checkpoints_are_ordered_by_number_not_by_letter);
    tcase_add_test(keep, keeping_counts_by_age_and_by_score);
    tcase_add_test(keep, the_newest_stays_even_if_nothing_is_to_be_kept);
    tcase_add_test(damage, a_flipped_byte_anywhere_is_found_and_passed_over);
    tcase_add_test(damage, a_cut_a_longer_or_a_missing_file_is_not_whole);
    tcase_add_test(damage, a_manifest_of_another_checkpoint_is_refused);
    tcase_add_test(damage, a_damaged_newer_one_does_not_push_a_sound_one_out);
    tcase_add_test(damage, a_link_to_nothing_is_a_damaged_checkpoint);
    tcase_add_test(left, an_abandoned_save_leaves_nothing);
    tcase_add_test(left, leftovers_go_and_an_interrupted_replacement_is_undone);
    tcase_add_test(memory, any_failed_allocation_leaves_the_old_checkpoints_and_nothing_half_made);
    suite_add_tcase(suite, flow);
    suite_add_tcase(suite, keep);
    suite_add_tcase(suite, damage);
    suite_add_tcase(suite, left);
    suite_add_tcase(suite, memory);
    return adn_suite_run(suite);
}
