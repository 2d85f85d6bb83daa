/* Memory in files without a name. */
#include <check.h>
#include <dirent.h>
#include <string.h>

#include "core/map.h"
#include "suite.h"

static int n_entry(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL) n++;
    closedir(d);
    return n - 2; /* . and .. */
}

START_TEST(it_is_zeroed_holds_what_is_written_and_has_no_name)
{
    static const size_t sizes[] = {1, 4096, 3 << 20};
    const char *dir = adn_test_dir();

    for (size_t i = 0; i < ADN_COUNT(sizes); i++) {
        void *p = NULL;
        ck_assert_int_eq(adn_map_create(dir, sizes[i], &p), ADN_OK);
        const unsigned char *bytes = p;
        for (size_t k = 0; k < sizes[i]; k++)
            if (bytes[k] != 0) ck_abort_msg("byte %zu of %zu is %d", k, sizes[i], bytes[k]);
        memset(p, 7, sizes[i]);
        ck_assert(bytes[0] == 7 && bytes[sizes[i] - 1] == 7);
        ck_assert_int_eq(n_entry(dir), 0);
        adn_map_release(p, sizes[i]);
    }
    adn_map_release(NULL, 5);
}
END_TEST

START_TEST(a_folder_that_is_not_there_or_a_full_disk_is_told)
{
    const char *dir = adn_test_dir();
    void *p = NULL;

    adn_test_log_clear();
    ck_assert_int_eq(adn_map_create("/nowhere/at/all", 100, &p), ADN_IO);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "/nowhere/at/all: a file of 0.0 MiB for slots "
                                                 "cannot be made: No such file or directory"));
    ck_assert_int_eq(adn_map_create(dir, (size_t)1 << 61, &p), ADN_IO);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "finds no room"));
    ck_assert_ptr_null(p);
    ck_assert_int_eq(n_entry(dir), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *tc = tcase_create("map");

    tcase_add_test(tc, it_is_zeroed_holds_what_is_written_and_has_no_name);
    tcase_add_test(tc, a_folder_that_is_not_there_or_a_full_disk_is_told);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
