/* order.bin: what is appended is read, hostile bytes are named. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ckpt_case.h"
#include "core/file.h"
#include "core/thread.h"
#include "run_case.h"
#include "suite.h"

static char file[400]; /* this case's */

static void fresh(void)
{
    ckpt_fresh();
    snprintf(file, sizeof(file), "%s/order.bin", ckpt_run);
}

/* The k-th step of a run of 3 blocks: every field takes its least and its greatest value. */
static adn_order_step step_of(int k)
{
    static const int64_t far = ((int64_t)1 << 56) - 1;
    int stage = k % 4 - 1;
    return (adn_order_step){.stage = stage,
                            .in_slot = stage < 0    ? -1
                                       : k % 5 == 0 ? ADN_ORDER_SLOTS - 1
                                                    : k % 7 - 1,
                            .out_slot = k % 3 == 0 ? ADN_ORDER_SLOTS - 1 : k % 9 - 1,
                            .act = (uint8_t)(k % ADN_ORDER_ACTS),
                            .flags = (uint8_t)(k * 37 % ADN_ORDER_FLAGS),
                            .source_step = k % 11 == 0 ? far : k};
}

static bool is_same(const adn_order_step *a, const adn_order_step *b)
{
    return a->stage == b->stage && a->in_slot == b->in_slot && a->out_slot == b->out_slot &&
           a->act == b->act && a->flags == b->flags && a->source_step == b->source_step;
}

static adn_order *create(void)
{
    adn_order *o;
    ck_assert(adn_order_create(file, 3, 0, &o) == ADN_OK);
    return o;
}

static void append(adn_order *o, int from, int to)
{
    for (int k = from; k < to; k++) {
        adn_order_step s = step_of(k);
        ck_assert(adn_order_append(o, &s) == ADN_OK);
    }
}

static void write_steps(int n)
{
    adn_order *o = create();
    append(o, 0, n);
    ck_assert(adn_order_close(o) == ADN_OK);
}

/* Reads the file: n steps, each as it was appended, then the end. */
static void must_have(int n)
{
    adn_order_reader *r;
    adn_order_step s, expected;
    ck_assert(adn_order_open(file, &r) == ADN_OK);
    ck_assert_int_eq(adn_order_about(r).n_step, n);
    for (int k = 0; k < n; k++) {
        expected = step_of(k);
        ck_assert(adn_order_next(r, &s) == ADN_OK);
        ck_assert_msg(is_same(&s, &expected), "step %d", k);
    }
    ck_assert(adn_order_next(r, &s) == ADN_END && adn_order_next(r, &s) == ADN_END);
    adn_order_reader_close(r);
}

static int64_t file_bytes(void)
{
    struct stat info;
    ck_assert(stat(file, &info) == 0);
    return (int64_t)info.st_size;
}

START_TEST(steps_are_read_as_they_were_appended)
{
    static const int counts[] = {0, 1, 4095, 4096, 4097, 3 * 4096};
    adn_order_reader *r;
    adn_order *o;
    fresh();
    for (size_t i = 0; i < ADN_COUNT(counts); i++) {
        write_steps(counts[i]); /* replaces the one before */
        ck_assert_int_eq(file_bytes(), 32 + 16 * counts[i]);
        must_have(counts[i]);
    }
    ck_assert(adn_order_create(file, 64, INT64_MAX, &o) == ADN_OK);
    ck_assert(adn_order_close(o) == ADN_OK && adn_order_close(NULL) == ADN_OK);
    ck_assert(adn_order_open(file, &r) == ADN_OK);
    ck_assert_int_eq(adn_order_about(r).n_block, 64);
    ck_assert(adn_order_about(r).first_step == INT64_MAX);
    adn_order_reader_close(r);
    adn_order_reader_close(NULL);
}
END_TEST

START_TEST(the_bytes_are_those_of_the_drawing)
{
    static const uint8_t expected[] = {
        'a', 'd', 'n', 'o', 'r', 'd', 'e', 'r', 1,   0, 0, 0, 3, 0, 0, 0,
        2,   1,   0,   0,   0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, /* a step: */
        3,   0,   77,  4,   3,   2,   255, 255, 255, 7, 6, 5, 4, 3, 2, 1};
    adn_order *o;
    char *bytes;
    size_t n;
    fresh();
    ck_assert(adn_order_create(file, 3, 0x102, &o) == ADN_OK);
    ck_assert(adn_order_append(o, &(adn_order_step){2, 0x020304, -1, 5, 9, 0x01020304050607}) ==
              ADN_OK);
    ck_assert(adn_order_close(o) == ADN_OK);
    ck_assert(adn_file_read(file, 1000, &bytes, &n) == ADN_OK);
    ck_assert_uint_eq(n, sizeof(expected));
    ck_assert(memcmp(bytes, expected, n) == 0);
    adn_free(bytes);
}
END_TEST

START_TEST(appending_allocates_nothing_and_writes_once_in_4096_steps)
{
    fresh();
    adn_order *o = create();
    uint64_t calls = adn_alloc_calls();
    append(o, 0, 4096);
    ck_assert_int_eq(file_bytes(), 32);
    append(o, 4096, 4097);
    ck_assert_int_eq(file_bytes(), 32 + 16 * 4096);
    ck_assert(adn_order_flush(o) == ADN_OK);
    must_have(4097);
    append(o, 4097, 4100);
    ck_assert(adn_order_flush(o) == ADN_OK && adn_order_flush(o) == ADN_OK);
    must_have(4100);
    ck_assert_uint_eq(adn_alloc_calls(), calls + 4); /* those of two readers */
    ck_assert(adn_order_close(o) == ADN_OK);
}
END_TEST

enum { WRITERS = 4, EACH = 50000 };
static adn_order *of_all;
static pthread_barrier_t all_are_there;

static adn_status append_as_a_stage(void *user)
{
    adn_order_step s = {.stage = *(int *)user, .in_slot = -1, .out_slot = -1};
    pthread_barrier_wait(&all_are_there);
    for (s.source_step = 0; s.source_step < EACH; s.source_step++) {
        adn_status st = adn_order_append(of_all, &s);
        if (st != ADN_OK) return st;
    }
    return ADN_OK;
}

START_TEST(many_threads_append_whole_steps_each_in_its_order)
{
    adn_thread threads[WRITERS];
    int stages[WRITERS];
    int64_t next[WRITERS] = {0};
    adn_order_reader *r;
    adn_order_step s;
    fresh();
    ck_assert(adn_order_create(file, WRITERS, 0, &of_all) == ADN_OK);
    pthread_barrier_init(&all_are_there, NULL, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        stages[i] = i;
        ck_assert(adn_thread_start(&threads[i], "writer", append_as_a_stage, &stages[i]) == ADN_OK);
    }
    for (int i = 0; i < WRITERS; i++) ck_assert(adn_thread_join(&threads[i]) == ADN_OK);
    pthread_barrier_destroy(&all_are_there);
    ck_assert(adn_order_close(of_all) == ADN_OK);
    ck_assert(adn_order_open(file, &r) == ADN_OK);
    ck_assert_int_eq(adn_order_about(r).n_step, WRITERS * EACH);
    while (adn_order_next(r, &s) == ADN_OK) {
        ck_assert(s.stage >= 0 && s.source_step == next[s.stage]);
        next[s.stage]++;
    }
    for (int i = 0; i < WRITERS; i++) ck_assert_int_eq(next[i], EACH);
    adn_order_reader_close(r);
}
END_TEST

START_TEST(a_kill_at_any_byte_costs_the_torn_step_alone)
{
    fresh();
    write_steps(3);
    for (int64_t n = 32 + 3 * 16; n >= 32; n--) {
        ck_assert(truncate(file, (off_t)n) == 0);
        must_have((int)(n - 32) / 16);
    }
}
END_TEST

START_TEST(a_full_disk_is_said_once_and_ends_the_order)
{
    adn_order_step s = step_of(1);
    fresh();
    adn_order *o = create();
    append(o, 0, 4096);
    adn_test_log_clear();
    run_limit_files(32 + 16 * 10 + 5);
    adn_status st = adn_order_append(o, &s);
    run_limit_files(-1);
    ck_assert(st == ADN_IO && strstr(adn_test_log(), "order.bin: cannot be written") != NULL);
    adn_test_log_clear();
    for (int i = 0; i < 5000; i++) ck_assert(adn_order_append(o, &s) == ADN_IO);
    ck_assert(adn_order_flush(o) == ADN_IO && adn_order_close(o) == ADN_IO);
    ck_assert_str_eq(adn_test_log(), "");
    must_have(10); /* the part of a step behind them is not one */
}
END_TEST

/* --- Hostile files */

static void put_bytes(int64_t offset, const char *bytes, size_t n)
{
    FILE *f = fopen(file, "r+b");
    ck_assert(f != NULL && fseek(f, (long)offset, SEEK_SET) == 0 && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

static void must_refuse(const char *text)
{
    adn_order_reader *r = NULL;
    adn_order_step s;
    adn_test_log_clear();
    adn_status st = adn_order_open(file, &r);
    ck_assert((r != NULL) == (st == ADN_OK));
    while (st == ADN_OK) st = adn_order_next(r, &s);
    if (r != NULL) ck_assert(adn_order_next(r, &s) == ADN_BADDATA); /* it is not passed over */
    ck_assert_msg(st == ADN_BADDATA, "%s: %s", text, adn_status_name(st));
    ck_assert_msg(strstr(adn_test_log(), "order.bin") != NULL, "%s", adn_test_log());
    ck_assert_msg(strstr(adn_test_log(), text) != NULL, "%s: %s", text, adn_test_log());
    adn_order_reader_close(r);
}

START_TEST(hostile_files_are_refused_with_their_name_and_the_byte)
{
    static const struct {
        int64_t at;
        const char *bytes;
        size_t n;
        const char *text;
    } wrong[] = {
        {0, "x", 1, "byte 0: is no order of events"},
        {7, "x", 1, "byte 0: is no order of events"},
        {8, "\2", 1, "byte 8: is of version 2"},
        {11, "\1", 1, "byte 8: is of version 16777217"},
        {12, "\0", 1, "byte 12: says 0 blocks"},
        {13, "\5", 1, "byte 12: says 1283 blocks"},
        {12, "\377\377\377\377", 4, "byte 12: says 4294967295 blocks"},
        {23, "\200", 1, "byte 16: begins at source step 9223372036854775808"},
        {32 + 16, "\4", 1, "byte 48: a stage that there is not"},
        {32 + 16, "\377", 1, "byte 48: a stage that there is not"},
        {32 + 16 + 1, "\1", 1, "byte 48: a stage that there is not"},
        {32 + 3, "\0", 1, "byte 32: a slot that the source would take"},
        {32, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, "byte 32: a slot that the source would take"},
        {32 + 5000 * 16, "\4", 1, "byte 80032: a stage that there is not"},
    };
    fresh();
    for (size_t i = 0; i < ADN_COUNT(wrong); i++) {
        write_steps(5001);
        put_bytes(wrong[i].at, wrong[i].bytes, wrong[i].n);
        must_refuse(wrong[i].text);
    }
    for (off_t n = 31; n >= 0; n--) {
        char text[64];
        ck_assert(truncate(file, n) == 0);
        snprintf(text, sizeof(text), "byte %d: ends inside the header", (int)n);
        must_refuse(text);
    }
}
END_TEST

START_TEST(what_is_no_file_is_said)
{
    adn_order_reader *r = NULL;
    adn_order *o = NULL;
    adn_order_step s;
    fresh();
    ck_assert(adn_order_open(file, &r) == ADN_IO);
    ck_assert(adn_order_open("/dev/zero", &r) == ADN_IO && r == NULL);
    ck_assert(adn_order_create("/proc/none/order.bin", 1, 0, &o) == ADN_IO && o == NULL);
    write_steps(5000);
    ck_assert(adn_order_open(file, &r) == ADN_OK);
    ck_assert(truncate(file, 100) == 0); /* under its reader */
    ck_assert(adn_order_next(r, &s) == ADN_IO && adn_order_next(r, &s) == ADN_IO);
    adn_order_reader_close(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_order");
    TCase *steps = tcase_create("steps"), *hostile = tcase_create("hostile");

    tcase_set_timeout(steps, 60);
    tcase_add_test(steps, steps_are_read_as_they_were_appended);
    tcase_add_test(steps, the_bytes_are_those_of_the_drawing);
    tcase_add_test(steps, appending_allocates_nothing_and_writes_once_in_4096_steps);
    tcase_add_test(steps, many_threads_append_whole_steps_each_in_its_order);
    tcase_add_test(steps, a_kill_at_any_byte_costs_the_torn_step_alone);
    tcase_add_test(steps, a_full_disk_is_said_once_and_ends_the_order);
    tcase_add_test(hostile, hostile_files_are_refused_with_their_name_and_the_byte);
    tcase_add_test(hostile, what_is_no_file_is_said);
    suite_add_tcase(suite, steps);
    suite_add_tcase(suite, hostile);
    return adn_suite_run(suite);
}
