/* Damaged checkpoints: found, named, passed over, and no reason to let a sound one go. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ckpt_case.h"
#include "core/file.h"
#include "suite.h"

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

START_TEST(a_flipped_byte_anywhere_is_found_and_passed_over)
{
    static const char *const file[] = {"block0.safetensors", "block0.optim.safetensors",
                                       "manifest.json"};
    adn_ckpt_info info;
    char *path, *text;
    size_t n;
    ckpt_fresh();
    ckpt_must_save(1, 10, CKPT_ALL, 1);
    ckpt_must_save(2, 20, CKPT_ALL, 1);
    for (size_t f = 0; f < ADN_COUNT(file); f++) {
        ck_assert(adn_file_read(ckpt_file("e0002-b0000", file[f]), 1 << 16, &text, &n) == ADN_OK);
        adn_free(text);
        for (long i = 0; i < (long)n; i++) {
            flip(ckpt_file("e0002-b0000", file[f]), i);
            adn_test_log_clear();
            ck_assert_msg(adn_ckpt_verify(ckpt_run, "e0002-b0000") == ADN_BADCKPT, "%s, byte %ld",
                          file[f], i);
            ck_assert_msg(strstr(adn_test_log(), file[f]) != NULL, "%s", adn_test_log());
            ck_assert(adn_ckpt_path(ckpt_run, "last", &path) == ADN_BADCKPT);
            adn_test_log_clear();
            ck_assert(adn_ckpt_newest(ckpt_run, &info) == ADN_OK && info.epoch == 1);
            ck_assert(strstr(adn_test_log(), "warning: checkpoint e0002-b0000 is passed over") !=
                      NULL);
            ck_assert(strstr(adn_test_log(), "error:") == NULL);
            flip(ckpt_file("e0002-b0000", file[f]), i);
        }
    }
    ck_assert(adn_ckpt_verify(ckpt_run, "e0002-b0000") == ADN_OK);
}
END_TEST

START_TEST(a_cut_a_longer_or_a_missing_file_is_not_whole)
{
    adn_ckpt_info info;
    ckpt_fresh();
    for (int e = 1; e <= 5; e++) ckpt_must_save(e, NAN, CKPT_ALL, 1);
    ck_assert(truncate(ckpt_file("e0005-b0000", "block0.safetensors"), 5) == 0);
    ck_assert(truncate(ckpt_file("e0004-b0000", "block0.safetensors"), 500) == 0);
    ck_assert(unlink(ckpt_file("e0003-b0000", "block0.safetensors")) == 0);
    ck_assert(unlink(ckpt_file("e0002-b0000", "manifest.json")) == 0);
    ck_assert_str_eq(ckpt_names(),
                     "e0001-b0000 e0002-b0000* e0003-b0000* e0004-b0000* e0005-b0000* ");
    ck_assert(adn_ckpt_newest(ckpt_run, &info) == ADN_OK && info.epoch == 1);
    for (int e = 2; e <= 5; e++) {
        char name[32];
        snprintf(name, sizeof(name), "e%04d-b0000", e);
        ck_assert(adn_ckpt_verify(ckpt_run, name) == ADN_BADCKPT);
    }
}
END_TEST

START_TEST(a_manifest_of_another_checkpoint_is_refused)
{
    char *from, *to;
    ckpt_fresh();
    ckpt_must_save(1, NAN, CKPT_ALL, 1);
    from = adn_format("%s/ckpt/e0001-b0000", ckpt_run);
    to = adn_format("%s/ckpt/e0005-b0000", ckpt_run);
    ck_assert(rename(from, to) == 0);
    ck_assert_str_eq(ckpt_names(), "e0005-b0000* ");
    ck_assert(adn_ckpt_verify(ckpt_run, "e0005-b0000") == ADN_BADCKPT);
    adn_free(from);
    adn_free(to);
}
END_TEST

START_TEST(a_damaged_newer_one_does_not_push_a_sound_one_out)
{
    adn_ckpt_info info;
    ckpt_fresh();
    ckpt_must_save(1, 10, 1, 0);
    ckpt_must_save(3, 30, 2, 0);
    flip(ckpt_file("e0003-b0000", "block0.safetensors"), 3); /* its size is right */
    ck_assert(adn_ckpt_newest(ckpt_run, &info) == ADN_OK && info.epoch == 1);
    ckpt_must_save(2, 20, 1, 1);
    ck_assert_str_eq(ckpt_link("last"), "e0002-b0000");
    ck_assert_str_eq(ckpt_link("best"), "e0002-b0000");
    ck_assert(adn_ckpt_newest(ckpt_run, &info) == ADN_OK && info.epoch == 2);
    ck_assert(strstr(ckpt_names(), "e0001") == NULL);
    ckpt_must_save(3, 33, 1, 1); /* takes the damaged one's place */
    ck_assert(adn_ckpt_newest(ckpt_run, &info) == ADN_OK && info.epoch == 3 && info.score == 33);
    ck_assert_str_eq(ckpt_names(), "e0003-b0000 ");
}
END_TEST

START_TEST(a_link_to_nothing_is_a_damaged_checkpoint)
{
    char *path, *dir;
    ckpt_fresh();
    ckpt_must_save(1, 10, CKPT_ALL, 1);
    dir = adn_format("%s/ckpt/e0001-b0000", ckpt_run);
    ck_assert(adn_dir_remove(dir) == ADN_OK);
    ck_assert(adn_ckpt_path(ckpt_run, "last", &path) == ADN_BADCKPT);
    adn_free(dir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_damage");
    TCase *tc = tcase_create("damage");

    tcase_add_test(tc, a_flipped_byte_anywhere_is_found_and_passed_over);
    tcase_add_test(tc, a_cut_a_longer_or_a_missing_file_is_not_whole);
    tcase_add_test(tc, a_manifest_of_another_checkpoint_is_refused);
    tcase_add_test(tc, a_damaged_newer_one_does_not_push_a_sound_one_out);
    tcase_add_test(tc, a_link_to_nothing_is_a_damaged_checkpoint);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
