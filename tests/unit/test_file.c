/* Files that are replaced whole or not at all, and the JSON writer against jansson's reader. */
#define _GNU_SOURCE
#include "suite.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"

/* ---- JSON ---- */

START_TEST(json_nests_and_escapes)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "na\"me", "a\\b\n\t\x01\xc3\xa9");
    adn_json_open(&j, "list", '[');
    adn_json_int(&j, NULL, INT64_MIN);
    adn_json_newline(&j);
    adn_json_bool(&j, NULL, true);
    adn_json_open(&j, NULL, '{');
    adn_json_close(&j, '}');
    adn_json_close(&j, ']');
    adn_json_string(&j, "none", NULL);
    adn_json_close(&j, '}');
    ck_assert(!j.failed);
    ck_assert_uint_eq(strlen(j.text), j.n_text);
    ck_assert_str_eq(j.text, "{\"na\\\"me\": \"a\\\\b\\n\\u0009\\u0001\xc3\xa9\", "
                             "\"list\": [-9223372036854775808,\ntrue, {}], \"none\": null}");
    json_t *read = json_loads(j.text, 0, NULL); /* by another's rules too */
    ck_assert_ptr_nonnull(read);
    ck_assert_str_eq(json_string_value(json_object_get(read, "na\"me")), "a\\b\n\t\x01\xc3\xa9");
    ck_assert_uint_eq(json_array_size(json_object_get(read, "list")), 3);
    json_decref(read);
    adn_json_clear(&j);
    ck_assert_ptr_null(j.text);
}
END_TEST

START_TEST(json_numbers_come_back_as_the_same_bits)
{
    static const double values[] = {0,
                                    -0.0,
                                    1,
                                    0.1,
                                    1.0 / 3,
                                    1e6,
                                    123456789,
                                    -2.5e-300,
                                    5e-324,
                                    0x1p53,
                                    1.7976931348623157e308};

    for (size_t i = 0; i < ADN_COUNT(values); i++) {
        adn_json j = {0};
        adn_json_open(&j, NULL, '[');
        adn_json_number(&j, NULL, values[i]);
        adn_json_close(&j, ']');
        json_t *read = json_loads(j.text, JSON_DECODE_INT_AS_REAL, NULL);
        ck_assert_msg(read != NULL, "%s", j.text);
        double back = json_real_value(json_array_get(read, 0));
        ck_assert_mem_eq(&back, &values[i], sizeof(back));
        json_decref(read);
        adn_json_clear(&j);
    }
}
END_TEST

START_TEST(json_writes_null_for_what_is_no_number)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '[');
    adn_json_number(&j, NULL, NAN);
    adn_json_number(&j, NULL, -INFINITY);
    adn_json_number(&j, NULL, 0.1);
    adn_json_close(&j, ']');
    ck_assert_str_eq(j.text, "[null, null, 0.1]");
    adn_json_clear(&j);
}
END_TEST

START_TEST(json_grows_and_remembers_a_failed_allocation)
{
    int64_t live = adn_alloc_live();

    for (int n = 0; n <= 3; n++) {
        adn_json j = {0};
        adn_alloc_fail_at(n);
        adn_json_open(&j, NULL, '[');
        for (int i = 0; i < 200; i++) adn_json_int(&j, NULL, i);
        adn_json_close(&j, ']');
        adn_alloc_fail_at(0);
        ck_assert_int_eq(j.failed, n > 0);
        if (n == 0) ck_assert_uint_eq(j.n_text, 10 + 2 * 90 + 3 * 100 + 2 * 199 + 2);
        adn_json_clear(&j);
        ck_assert_int_eq(adn_alloc_live(), live);
    }
}
END_TEST

/* ---- files ---- */

static void assert_holds(const char *path, const char *expected)
{
    char *text = NULL;
    size_t n = 0;

    ck_assert_int_eq(adn_file_read(path, 1 << 20, &text, &n), ADN_OK);
    ck_assert_uint_eq(n, strlen(expected));
    ck_assert_str_eq(text, expected);
    adn_free(text);
}

START_TEST(a_file_is_written_whole_or_not_at_all)
{
    const char *dir = adn_test_dir();
    char path[600], tmp[620], text[8192];
    struct rlimit was, small = {4096, 4096};

    snprintf(path, sizeof(path), "%s/f", dir);
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    memset(text, 'x', sizeof(text));
    ck_assert_int_eq(adn_file_write(path, "old", 3), ADN_OK);
    assert_holds(path, "old");
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0); /* the disk is full after 4096 bytes */
    small.rlim_max = was.rlim_max;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    adn_status st = adn_file_write(path, text, sizeof(text));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, before);
    ck_assert_int_eq(st, ADN_IO);
    assert_holds(path, "old");
    ck_assert(!adn_path_exists(tmp));
    ck_assert_int_eq(adn_file_write(path, "", 0), ADN_OK);
    assert_holds(path, "");
    ck_assert(!adn_path_exists(tmp));
}
END_TEST

START_TEST(a_file_that_cannot_be_replaced_leaves_nothing_behind)
{
    const char *dir = adn_test_dir();
    char path[600], tmp[620];
    int64_t live = adn_alloc_live();

    snprintf(path, sizeof(path), "%s/folder", dir);
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    ck_assert_int_eq(adn_dir_make(path), ADN_OK);
    adn_test_log_clear();
    ck_assert_int_eq(adn_file_write(path, "x", 1), ADN_IO); /* a folder lies there */
    ck_assert_ptr_nonnull(strstr(adn_test_log(), path));
    ck_assert(!adn_path_exists(tmp));
    snprintf(path, sizeof(path), "%s/none/f", dir);
    ck_assert_int_eq(adn_file_write(path, "x", 1), ADN_IO);
    ck_assert_int_eq(adn_alloc_live(), live);
}
END_TEST

START_TEST(reading_has_a_limit_and_takes_files_alone)
{
    const char *dir = adn_test_dir();
    char path[600], *text = NULL;
    size_t n = 0;
    int64_t live = adn_alloc_live();

    snprintf(path, sizeof(path), "%s/f", dir);
    ck_assert_int_eq(adn_file_write(path, "12345", 5), ADN_OK);
    ck_assert_int_eq(adn_file_read(path, 4, &text, &n), ADN_IO);
    ck_assert_int_eq(adn_file_read(dir, 100, &text, &n), ADN_IO);
    ck_assert_int_eq(adn_file_read("/nowhere/f", 100, &text, &n), ADN_IO);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "/nowhere/f"));
    adn_alloc_fail_at(1);
    ck_assert_int_eq(adn_file_read(path, 5, &text, &n), ADN_NOMEM);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(adn_alloc_live(), live);
    ck_assert_int_eq(adn_file_read(path, 5, &text, &n), ADN_OK);
    ck_assert_str_eq(text, "12345");
    adn_free(text);
}
END_TEST

START_TEST(reading_does_not_wait_for_a_fifo)
{
    const char *dir = adn_test_dir();
    char path[600], *text = NULL;
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/fifo", dir);
    ck_assert_int_eq(mkfifo(path, 0666), 0);
    ck_assert_int_eq(adn_file_read(path, 100, &text, &n), ADN_IO);
}
END_TEST

START_TEST(folders_are_made_with_their_parents_and_removed_with_all_in_them)
{
    const char *dir = adn_test_dir();
    char path[600], file[620];

    snprintf(path, sizeof(path), "%s/a//b/c/", dir);
    ck_assert_int_eq(adn_dir_make(path), ADN_OK);
    ck_assert_int_eq(adn_dir_make(path), ADN_OK);
    snprintf(file, sizeof(file), "%s/a/b/c/f", dir);
    ck_assert_int_eq(adn_file_write(file, "x", 1), ADN_OK);
    ck_assert_int_eq(adn_dir_make(file), ADN_IO); /* a file is no folder */
    ck_assert_int_eq(adn_dir_make("/proc/none"), ADN_IO);
    snprintf(file, sizeof(file), "%s/a/link", dir);
    ck_assert_int_eq(symlink("/", file), 0); /* the link goes, not what it points at */
    snprintf(path, sizeof(path), "%s/a", dir);
    ck_assert_int_eq(adn_dir_remove(path), ADN_OK);
    ck_assert(!adn_path_exists(path));
    ck_assert_int_eq(adn_dir_remove(path), ADN_IO);
}
END_TEST

START_TEST(paths_join)
{
    static const char *const cases[][3] = {{"a/b", "c", "a/b/c"}, {"a/", "c", "a/c"},
                                           {"a", "/c", "/c"},     {"", "c", "c"},
                                           {"/", "c", "/c"},      {".", "c", "./c"}};

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        char *path = adn_path_join(cases[i][0], cases[i][1]);
        ck_assert_str_eq(path, cases[i][2]);
        adn_free(path);
    }
    adn_alloc_fail_at(1);
    ck_assert_ptr_null(adn_path_join("a", "b"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file");
    TCase *json = tcase_create("json");
    TCase *file = tcase_create("file");

    tcase_add_test(json, json_nests_and_escapes);
    tcase_add_test(json, json_numbers_come_back_as_the_same_bits);
    tcase_add_test(json, json_writes_null_for_what_is_no_number);
    tcase_add_test(json, json_grows_and_remembers_a_failed_allocation);
    tcase_add_test(file, a_file_is_written_whole_or_not_at_all);
    tcase_add_test(file, a_file_that_cannot_be_replaced_leaves_nothing_behind);
    tcase_add_test(file, reading_has_a_limit_and_takes_files_alone);
    tcase_add_test(file, reading_does_not_wait_for_a_fifo);
    tcase_add_test(file, folders_are_made_with_their_parents_and_removed_with_all_in_them);
    tcase_add_test(file, paths_join);
    suite_add_tcase(suite, json);
    suite_add_tcase(suite, file);
    return adn_suite_run(suite);
}
