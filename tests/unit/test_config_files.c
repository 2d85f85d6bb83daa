/* Files that are no configurations: not there, not text, too deep, too long. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_case.h"
#include "core/file.h"
#include "suite.h"

START_TEST(files_that_cannot_be_read_are_the_users_mistake)
{
    adn_config *conf = NULL;
    const char *dir = adn_test_dir();
    char path[512];

    adn_test_log_clear();
    snprintf(path, sizeof(path), "%s/none.yaml", dir);
    ck_assert_int_eq(adn_config_load(path, NULL, 0, &conf), ADN_BADCONF);
    ck_says("none.yaml: cannot be opened: No such file");
    ck_assert_int_eq(adn_config_load(dir, NULL, 0, &conf), ADN_BADCONF);
    ck_says("is no regular file");
    snprintf(path, sizeof(path), "%s/pipe", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(adn_config_load(path, NULL, 0, &conf),
                     ADN_BADCONF); /* and does not wait for a writer */
    snprintf(path, sizeof(path), "%s/big.yaml", dir);
    ck_assert_int_eq(adn_file_write(path, "version: 1\n", 11), ADN_OK);
    ck_assert_int_eq(truncate(path, 100 << 20), 0);
    ck_assert_int_eq(adn_config_load(path, NULL, 0, &conf), ADN_BADCONF);
    ck_says("big.yaml: has 104857600 bytes");
    ck_assert_ptr_null(conf);
}
END_TEST

START_TEST(binary_garbage_is_refused_with_its_byte)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } bad[] = {{"version: 1\nseed: \xff\n", 19, "byte 0xff at offset 17"},
               {"version: 1\n\0seed: x\n", 20, "byte 0x00 at offset 11"},
               {"\xff\xfev\0", 4, "byte 0xff at offset 0"},
               {"a\x1b[31m", 6, "byte 0x1b at offset 1"},
               {"a: \xc0\x80", 5, "byte 0xc0 at offset 3"},
               {"a: \xed\xa0\x80", 6, "byte 0xed"},
               {"a: \xe2\x82", 5, "byte 0xe2 at offset 3"},
               {"a: \xc2\x9b", 5, "byte 0xc2"}};
    char noise[5000];
    uint32_t x = 1;

    for (size_t i = 0; i < ADN_COUNT(bad); i++) {
        config_refuse_bytes(bad[i].bytes, bad[i].n);
        ck_says(bad[i].says);
    }
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
        config_refuse_bytes(noise, sizeof(noise));
    }
}
END_TEST

START_TEST(deep_long_and_multiplying_files_end_soon)
{
    enum { N = 60000 };
    static char text[N + 64];
    static const struct {
        const char *begin, *repeated;
    } shapes[] = {{"", "["},
                  {"", "{a: "},
                  {"", "- "},
                  {"", "? "},
                  {"version: 1\nname: |\n", " \n"},
                  {"", "&a "},
                  {"version: 1\n", "a: 1\n"},
                  {"version: 1\nseed: ", "1"},
                  {"version: 1\nmodel: {cuts: [", "1, "},
                  {"version: 1\nmodel:\n  units:\n", "  - {conv: 1}\n"},
                  {"version: 1\nblocks:\n", "  - {threads: 1}\n"},
                  {"version: 1\ndata:\n  augment:\n", "  - flip\n"},
                  {"version: 1\nname: \"", "x"},
                  {"%TAG ! x\n", "%Y 1\n"}};
    double begin = adn_now();

    for (size_t i = 0; i < ADN_COUNT(shapes); i++) {
        size_t n = (size_t)snprintf(text, sizeof(text), "%s", shapes[i].begin),
               m = strlen(shapes[i].repeated);
        while (n + m < N) {
            memcpy(text + n, shapes[i].repeated, m);
            n += m;
        }
        config_refuse_bytes(text, n);
    }
    config_refuse("version: 1\nblocks: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", NULL);
    ck_says("error: nested deeper than 16 levels");
    /* a billion laughs: each name ten times the one before */
    size_t n = (size_t)snprintf(text, sizeof(text), "version: 1\nx0: &x0 [a,a,a,a,a,a,a,a,a,a]\n");
    for (int i = 1; i < 20; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "x%d: &x%d [", i, i);
        for (int k = 0; k < 10; k++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "*x%d,", i - 1);
        n += (size_t)snprintf(text + n, sizeof(text) - n, "]\n");
    }
    snprintf(text + n, sizeof(text) - n, "blocks: *x19\n");
    config_refuse(text, NULL);
    ck_assert_msg(adn_now() - begin < 60, "took %.1f s", adn_now() - begin);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_files");
    TCase *tc = tcase_create("files");

    tcase_add_test(tc, files_that_cannot_be_read_are_the_users_mistake);
    tcase_add_test(tc, binary_garbage_is_refused_with_its_byte);
    tcase_add_test(tc, deep_long_and_multiplying_files_end_soon);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
