/* Safetensors: what is written is read, the same state is the same bytes, and no file, however
 * broken, is believed. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "store/store.h"
#include "suite.h"

static const char *dir; /* one for all cases */
static char path[400], path_2[400];

static void make_paths(void)
{
    if (dir == NULL) dir = adn_test_dir();
    snprintf(path, sizeof(path), "%s/a.safetensors", dir);
    snprintf(path_2, sizeof(path_2), "%s/b.safetensors", dir);
    adn_test_log_clear();
}

static float weight[12], bias[3];
static double total[2];
static int64_t batches = 77;

/* Every type, a scalar, an empty one, and sizes that leave the next one misaligned if they lay in
 * this order. */
static const adn_st_tensor state[] = {
    {"unit1.conv.weight", ADN_ST_F32, 4, {1, 3, 2, 2}, weight},
    {"unit1.conv.bias", ADN_ST_F32, 1, {3}, bias},
    {"unit1.norm.num_batches_tracked", ADN_ST_I64, 0, {0}, &batches},
    {"none", ADN_ST_F32, 2, {0, 5}, NULL},
    {"total \"1\" \303\251", ADN_ST_F64, 1, {2}, total},
};
static const adn_st_meta notes[] = {{"format", "pt"},
                                    {"what", "a \"quote\", a\nnewline, \303\251"}};

static adn_status write_state(const char *to)
{
    for (int i = 0; i < 12; i++) weight[i] = (float)i / 7;
    for (int i = 0; i < 3; i++) bias[i] = -(float)i;
    total[0] = 0.1, total[1] = -0.0;
    return adn_st_write(to, state, (int)ADN_COUNT(state), notes, (int)ADN_COUNT(notes));
}

START_TEST(what_is_written_is_read)
{
    adn_st_file f;
    make_paths();
    ck_assert(write_state(path) == ADN_OK);
    int64_t live = adn_alloc_live();
    ck_assert(adn_st_read(path, &f) == ADN_OK);
    ck_assert_int_eq(f.n_tensor, ADN_COUNT(state));
    for (size_t i = 0; i < ADN_COUNT(state); i++) {
        const adn_st_tensor *t = adn_st_find(&f, state[i].name);
        ck_assert_msg(t != NULL, "%s is missing", state[i].name);
        ck_assert(t->type == state[i].type && t->n_dim == state[i].n_dim);
        for (int d = 0; d < t->n_dim; d++) ck_assert(t->dim[d] == state[i].dim[d]);
        ck_assert((uintptr_t)t->data % 64 == 0);
        size_t n = (size_t)adn_st_bytes(t);
        ck_assert(n == 0 || memcmp(t->data, state[i].data, n) == 0);
    }
    ck_assert(adn_st_find(&f, "unit1.conv") == NULL);
    ck_assert_int_eq(f.n_meta, 2);
    for (int i = 0; i < 2; i++) ck_assert_str_eq(f.meta[i].value, notes[i].value);
    adn_st_clear(&f);
    adn_st_clear(&f); /* a cleared one is empty */
    ck_assert(adn_alloc_live() == live);
}
END_TEST

START_TEST(no_tensors_at_all_are_a_file_too)
{
    adn_st_file f;
    make_paths();
    ck_assert(adn_st_write(path, NULL, 0, NULL, 0) == ADN_OK);
    ck_assert(adn_st_read(path, &f) == ADN_OK);
    ck_assert(f.n_tensor == 0 && f.n_meta == 0);
    adn_st_clear(&f);
}
END_TEST

START_TEST(the_same_state_is_the_same_bytes_with_data_from_a_multiple_of_64)
{
    char *a, *b;
    size_t n_a, n_b;
    uint64_t n_header;
    make_paths();
    ck_assert(write_state(path) == ADN_OK && write_state(path_2) == ADN_OK);
    ck_assert(adn_file_read(path, 1 << 20, &a, &n_a) == ADN_OK);
    ck_assert(adn_file_read(path_2, 1 << 20, &b, &n_b) == ADN_OK);
    ck_assert(n_a == n_b && memcmp(a, b, n_a) == 0);
    memcpy(&n_header, a, 8);
    ck_assert((8 + n_header) % 64 == 0);
    ck_assert(n_a == 8 + n_header + 12 * 4 + 3 * 4 + 8 + 2 * 8);
    ck_assert(memcmp(a + 8 + n_header, &batches, 8) == 0); /* eight-byte elements first */
    adn_free(a);
    adn_free(b);
}
END_TEST

/* --- Hostile files */

static void put_file(const void *bytes, size_t n)
{
    ck_assert(adn_file_write(path, bytes, n) == ADN_OK);
}

/* A file of this header and n_data zero bytes of data. */
static void put_header(const char *json, size_t n_json, size_t n_data)
{
    uint64_t n = n_json;
    char *bytes = adn_alloc(8 + n_json + n_data);
    ck_assert(bytes != NULL);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, json, n_json);
    put_file(bytes, 8 + n_json + n_data);
    adn_free(bytes);
}

static void is_refused(const char *what, const char *expected)
{
    adn_st_file f = {.n_tensor = -5};
    int64_t live = adn_alloc_live();
    adn_test_log_clear();
    adn_status st = adn_st_read(path, &f);
    ck_assert_msg(st == ADN_BADCKPT, "%s: %s", what, adn_status_name(st));
    ck_assert(f.n_tensor == -5);
    ck_assert(adn_alloc_live() == live);
    ck_assert_msg(strstr(adn_test_log(), path) != NULL, "%s: %s", what, adn_test_log());
    ck_assert_msg(strstr(adn_test_log(), ": byte ") != NULL, "%s: %s", what, adn_test_log());
    ck_assert_msg(strstr(adn_test_log(), expected) != NULL, "%s: %s", what, adn_test_log());
}

#define T(name, shape, offsets)                                                                    \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *what, *json;
    size_t n_data;
    const char *expected;
} malformed[] = {
    {"a hole", "{" T("a", "[1]", "[0,4]") "," T("b", "[1]", "[8,12]") "}", 12, "'b' leaves a hole"},
    {"a hole in front", "{" T("a", "[1]", "[4,8]") "}", 8, "'a' leaves a hole"},
    {"an overlap", "{" T("a", "[2]", "[0,8]") "," T("b", "[2]", "[4,12]") "}", 12, "'b' overlaps"},
    {"the same place twice", "{" T("a", "[1]", "[0,4]") "," T("b", "[1]", "[0,4]") "}", 4,
     "'b' overlaps"},
    {"an end before the file's", "{" T("a", "[1]", "[0,4]") "}", 5, "the file 1 bytes later"},
    {"data without tensors", "{}", 4, "the file 4 bytes later"},
    {"an end behind the file's", "{" T("a", "[2]", "[0,8]") "}", 4, "lies at 0 to 8 of 4 bytes"},
    {"an end before the begin", "{" T("a", "[1]", "[4,0]") "}", 4, "lies at 4 to 0"},
    {"too many bytes for the shape", "{" T("a", "[1]", "[0,8]") "}", 8,
     "has 8 bytes of data, its shape takes 4"},
    {"a size that overflows", "{" T("a", "[4294967296,4294967296]", "[0,4]") "}", 4,
     "no size in memory"},
    {"a size that overflows by its bytes", "{" T("a", "[4611686018427387905]", "[0,4]") "}", 4,
     "no size in memory"},
    {"a size that overflows before a zero", "{" T("a", "[4294967296,4294967296,0]", "[0,0]") "}", 0,
     "no size in memory"},
    {"a negative size", "{" T("a", "[-1]", "[0,4]") "}", 4, "no size in memory"},
    {"two negative sizes", "{" T("a", "[-1,-1]", "[0,4]") "}", 4, "no size in memory"},
    {"a broken size", "{" T("a", "[1.0]", "[0,4]") "}", 4, "no size in memory"},
    {"a size in words", "{" T("a", "[\"1\"]", "[0,4]") "}", 4, "no size in memory"},
    {"five sizes", "{" T("a", "[1,1,1,1,1]", "[0,4]") "}", 4, "no list of at most 4"},
    {"a shape that is no list", "{" T("a", "1", "[0,4]") "}", 4, "no list of at most 4"},
    {"three offsets", "{" T("a", "[1]", "[0,4,4]") "}", 4, "no two offsets"},
    {"a negative offset", "{" T("a", "[1]", "[-4,0]") "}", 4, "no two offsets"},
    {"an offset beyond 64 bits", "{" T("a", "[1]", "[0,99999999999999999999]") "}", 4, "no JSON"},
    {"offsets that are no list", "{" T("a", "[1]", "4") "}", 4, "no two offsets"},
    {"an unknown dtype", "{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "none of F32"},
    {"a dtype that is no text", "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "none of F32"},
    {"no dtype", "{\"a\":{\"x\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "something else than dtype"},
    {"a key too many", "{\"a\":{\"dtype\":\"F32\",\"x\":1,\"shape\":[1],\"data_offsets\":[0,4]}}",
     4, "something else than dtype"},
    {"a tensor that is a number", "{\"a\":1}", 0, "something else than dtype"},
    {"the same name twice", "{" T("a", "[1]", "[0,4]") "," T("a", "[1]", "[4,8]") "}", 8,
     "duplicate"},
    {"the same key twice",
     "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "duplicate"},
    {"an empty name", "{" T("", "[1]", "[0,4]") "}", 4, "name is empty"},
    {"a name with control characters", "{" T("a\\u001b[31m", "[1]", "[0,4]") "}", 4,
     "control characters"},
    {"a name with a zero", "{" T("a\\u0000b", "[1]", "[0,4]") "}", 4, "no JSON"},
    {"a name that is no UTF-8", "{" T("a\xff", "[1]", "[0,4]") "}", 4, "no JSON"},
    {"metadata that is a list", "{\"__metadata__\":[]}", 0, "is no object"},
    {"metadata with a number", "{\"__metadata__\":{\"a\":1}}", 0, "no text"},
    {"a list", "[]", 0, "does not start with"},
    {"a space in front", " {}", 0, "does not start with"},
    {"nothing", "", 0, "does not start with"},
    {"an open object", "{", 0, "no JSON"},
    {"an open text", "{\"a", 0, "no JSON"},
    {"an escape at the end", "{\"a\\", 0, "no JSON"},
    {"something behind the object", "{}{}", 0, "no JSON"},
    {"a bracket too many", "{}]", 0, "no JSON"},
    {"four levels", "{\"a\":{\"b\":[[1]]}}", 0, "nests deeper than 3"},
};

START_TEST(each_rule_of_the_format_is_checked)
{
    make_paths();
    put_header("{" T("a", "[1]", "[0,4]") "}", strlen("{" T("a", "[1]", "[0,4]") "}"), 4);
    adn_st_file f;
    ck_assert(adn_st_read(path, &f) == ADN_OK); /* the table's form is right but for its faults */
    adn_st_clear(&f);
    for (size_t i = 0; i < ADN_COUNT(malformed); i++) {
        put_header(malformed[i].json, strlen(malformed[i].json), malformed[i].n_data);
        is_refused(malformed[i].what, malformed[i].expected);
    }
}
END_TEST

START_TEST(a_header_that_claims_more_than_the_file_holds_takes_no_memory)
{
    static const uint64_t claims[] = {25,        1000, 100000000, 100000001, (uint64_t)1 << 62,
                                      UINT64_MAX};
    char bytes[32] = {0};
    make_paths();
    for (size_t i = 0; i < ADN_COUNT(claims); i++) {
        memcpy(bytes, &claims[i], 8);
        put_file(bytes, sizeof(bytes));
        uint64_t calls = adn_alloc_calls();
        is_refused("a claim", "a header of");
        ck_assert(adn_alloc_calls() == calls + 1); /* the reader's own record */
    }
}
END_TEST

START_TEST(deep_nesting_and_endless_lists_are_bounded)
{
    enum { DEEP = 3000000 };
    char *json = adn_alloc(DEEP);
    make_paths();
    memset(json, '[', DEEP);
    json[0] = '{';
    put_header(json, DEEP, 0);
    is_refused("brackets", "nests deeper");
    for (int i = 1; i < DEEP; i += 2) json[i] = '0', json[i + (i + 1 < DEEP)] = ',';
    put_header(json, DEEP, 0);
    is_refused("commas", "more than 1000000 values");
    memset(json, '"', DEEP);
    json[0] = '{';
    put_header(json, DEEP, 0);
    is_refused("quotes", "no JSON");
    adn_free(json);
}
END_TEST

START_TEST(brackets_inside_a_text_do_not_nest)
{
    static const char json[] = "{\"__metadata__\":{\"a\":\"[[[[{{{{\\\"[[[[\\\\\"}}";
    adn_st_file f;
    make_paths();
    put_header(json, strlen(json), 0);
    ck_assert(adn_st_read(path, &f) == ADN_OK);
    ck_assert_str_eq(f.meta[0].value, "[[[[{{{{\"[[[[\\");
    adn_st_clear(&f);
}
END_TEST

START_TEST(a_header_in_any_order_is_read_in_the_order_of_the_data)
{
    static const char json[] =
        "{" T("b", "[1]", "[8,12]") "," T("e", "[0]", "[12,12]") "," T("a", "[2]", "[0,8]") "}   ";
    adn_st_file f;
    make_paths();
    put_header(json, strlen(json), 12);
    ck_assert(adn_st_read(path, &f) == ADN_OK);
    ck_assert_str_eq(f.tensors[0].name, "a");
    ck_assert_str_eq(f.tensors[1].name, "b");
    ck_assert_str_eq(f.tensors[2].name, "e");
    adn_st_clear(&f);
}
END_TEST

START_TEST(a_file_cut_at_any_byte_or_too_long_is_refused)
{
    char *whole;
    size_t n;
    make_paths();
    ck_assert(write_state(path) == ADN_OK);
    ck_assert(adn_file_read(path, 1 << 20, &whole, &n) == ADN_OK);
    for (size_t cut = 0; cut < n; cut++) {
        put_file(whole, cut);
        is_refused("a cut file", "");
    }
    put_file(whole, n + 1);
    is_refused("one byte more", "the file 1 bytes later");
    adn_free(whole);
}
END_TEST

/* Reads a file that may be anything: refused with a message, or every byte of it can be used. */
static void is_safe(void)
{
    adn_st_file f;
    volatile char sum = 0;
    adn_status st = adn_st_read(path, &f);
    ck_assert_msg(st == ADN_OK || st == ADN_BADCKPT, "%s", adn_status_name(st));
    if (st != ADN_OK) return;
    for (int i = 0; i < f.n_tensor; i++)
        for (int64_t b = 0; b < adn_st_bytes(&f.tensors[i]); b++)
            sum = (char)(sum + ((const char *)f.tensors[i].data)[b]);
    adn_st_clear(&f);
}

START_TEST(a_flipped_byte_of_the_header_does_no_harm)
{
    static const unsigned char flips[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    char *whole;
    size_t n;
    uint64_t n_header;
    make_paths();
    ck_assert(write_state(path) == ADN_OK);
    ck_assert(adn_file_read(path, 1 << 20, &whole, &n) == ADN_OK);
    memcpy(&n_header, whole, 8);
    int64_t live = adn_alloc_live();
    FILE *out = fopen(path, "r+");
    ck_assert(out != NULL);
    for (size_t at = 0; at < 8 + n_header; at++)
        for (size_t i = 0; i < ADN_COUNT(flips); i++) {
            fseek(out, (long)at, SEEK_SET);
            fputc((unsigned char)whole[at] ^ flips[i], out);
            fflush(out);
            is_safe();
            fseek(out, (long)at, SEEK_SET);
            fputc((unsigned char)whole[at], out);
        }
    fclose(out);
    ck_assert(adn_alloc_live() == live);
    adn_free(whole);
}
END_TEST

START_TEST(what_is_no_file_is_an_error_of_the_world)
{
    adn_st_file f;
    make_paths();
    ck_assert(adn_st_read("/nonexistent/a", &f) == ADN_IO);
    ck_assert(adn_st_read(dir, &f) == ADN_IO);
    ck_assert(adn_st_write("/nonexistent/a", state, 1, NULL, 0) == ADN_IO);
}
END_TEST

START_TEST(any_failed_allocation_leaves_nothing_behind)
{
    make_paths();
    int64_t live = adn_alloc_live();
    adn_status st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        remove(path);
        adn_alloc_fail_at(n);
        st = write_state(path);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_OK || st == ADN_NOMEM);
        ck_assert(adn_alloc_live() == live);
    }
    adn_st_file f;
    st = ADN_NOMEM;
    for (int n = 1; st != ADN_OK; n++) {
        f = (adn_st_file){.n_tensor = -5};
        adn_alloc_fail_at(n);
        st = adn_st_read(path, &f);
        adn_alloc_fail_at(0);
        ck_assert(st == ADN_OK || (st == ADN_NOMEM && f.n_tensor == -5));
        ck_assert(st == ADN_OK || adn_alloc_live() == live);
    }
    adn_st_clear(&f);
    ck_assert(adn_alloc_live() == live);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_safetensors");
    TCase *good = tcase_create("round trips"), *bad = tcase_create("hostile files");
    TCase *memory = tcase_create("memory");

    tcase_add_test(good, what_is_written_is_read);
    tcase_add_test(good, no_tensors_at_all_are_a_file_too);
    tcase_add_test(good, the_same_state_is_the_same_bytes_with_data_from_a_multiple_of_64);
    tcase_add_test(good, brackets_inside_a_text_do_not_nest);
    tcase_add_test(good, a_header_in_any_order_is_read_in_the_order_of_the_data);
    tcase_add_test(bad, each_rule_of_the_format_is_checked);
    tcase_add_test(bad, a_header_that_claims_more_than_the_file_holds_takes_no_memory);
    tcase_add_test(bad, deep_nesting_and_endless_lists_are_bounded);
    tcase_add_test(bad, a_file_cut_at_any_byte_or_too_long_is_refused);
    tcase_add_test(bad, a_flipped_byte_of_the_header_does_no_harm);
    tcase_add_test(bad, what_is_no_file_is_an_error_of_the_world);
    tcase_add_test(memory, any_failed_allocation_leaves_nothing_behind);
    suite_add_tcase(suite, good);
    suite_add_tcase(suite, bad);
    suite_add_tcase(suite, memory);
    return adn_suite_run(suite);
}
