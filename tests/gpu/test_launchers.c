/* Launchers that no operation has: sums over rows, biases, changes of type. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adn_kernels.h"
#include "core/bf16.h"
#include "core/rng.h"
#include "guarded.h"
#include "kernel_device.h"
#include "suite.h"

/* ---- sums over rows ---- */

static const struct {
    size_t rows, c;
} arrays[] = {{1, 1},    {63, 3},  {64, 4},   {65, 8}, {700, 6},  {257, 20}, {500, 64},
              {33, 130}, {129, 1}, {4099, 4}, {0, 5},  {5, 1024}, {300, 200}};

/* Whole numbers from -3 to 3, plus `mean`, as the type holds them. */
static void *whole_numbers(adn_k_type type, size_t n, int mean, double *value)
{
    void *p = adn_alloc(n * sizeof(float) + 1);
    ck_assert_ptr_nonnull(p);
    for (size_t k = 0; k < n; k++) {
        adn_draw d = adn_rng_draw(5, ADN_RNG_TEST, 1, k);
        value[k] = (int)adn_rng_below(d.u[0], 7) - 3 + mean;
        if (type == ADN_K_F32)
            ((float *)p)[k] = (float)value[k];
        else
            ((adn_bf16 *)p)[k] = adn_bf16_of((float)value[k]);
    }
    return p;
}

static size_t bytes_of(adn_k_type type)
{
    return type == ADN_K_F32 ? sizeof(float) : sizeof(adn_bf16);
}

/* sums [2][c] of the rows and of their squares. */
static void sum_up(const double *x, size_t rows, size_t c, double *sums)
{
    memset(sums, 0, 2 * c * sizeof(*sums));
    for (size_t k = 0; k < rows * c; k++) {
        sums[k % c] += x[k];
        sums[c + k % c] += x[k] * x[k];
    }
}

static void check_sums(adn_k_type type, size_t rows, size_t c, size_t off)
{
    size_t n = rows * c;
    double *x = adn_alloc((n + 1) * sizeof(double)), *wanted = adn_alloc(2 * c * sizeof(double)),
           *got = adn_alloc(2 * c * sizeof(double));
    float *column = adn_alloc(c * sizeof(float));
    ck_assert(x != NULL && wanted != NULL && got != NULL && column != NULL);
    void *host = whole_numbers(type, n, 2, x);
    sum_up(x, rows, c, wanted);

    guarded src = guarded_put(host, n * bytes_of(type), off);
    guarded sums = guarded_put(NULL, 2 * c * sizeof(double), 0),
            columns = guarded_put(NULL, c * sizeof(float), 0);
    guarded work = guarded_put(NULL, adn_k_moments_workspace(rows, c), 0),
            work2 = guarded_put(NULL, adn_k_column_sums_workspace(rows, c), 0);
    guarded_must(adn_k_moments(type, src.p, rows, c, sums.p, work.p, NULL));
    guarded_must(adn_k_column_sums(type, src.p, rows, c, columns.p, work2.p, NULL));
    guarded_take(sums, got);
    guarded_take(columns, column);
    guarded_take(src, NULL);
    guarded_take(work, NULL);
    guarded_take(work2, NULL);
    for (size_t k = 0; k < 2 * c; k++)
        ck_assert_msg(got[k] == wanted[k], "[%zu, %zu] sum %zu: %g, not %g", rows, c, k, got[k],
                      wanted[k]);
    for (size_t k = 0; k < c; k++)
        ck_assert_msg(column[k] == (float)wanted[k], "[%zu, %zu] column %zu: %g, not %g", rows, c,
                      k, column[k], wanted[k]);
    adn_free(x);
    adn_free(wanted);
    adn_free(got);
    adn_free(column);
    adn_free(host);
}

START_TEST(sums_of_whole_numbers_are_exact)
{
    for (size_t k = 0; k < ADN_COUNT(arrays); k++)
        for (size_t off = 0; off <= 4; off += 4) {
            check_sums(ADN_K_F32, arrays[k].rows, arrays[k].c, off);
            check_sums(ADN_K_BF16, arrays[k].rows, arrays[k].c, off);
        }
}
END_TEST

START_TEST(a_small_variance_beside_a_large_mean_keeps_its_digits)
{
    enum { ROWS = 900, C = 4 };
    static float x[ROWS * C];
    double wide[ROWS * C], wanted[2 * C], got[2 * C];

    for (size_t k = 0; k < ROWS * C; k++) {
        x[k] = 1000 + 0.01f * (2 * adn_rng_unit(adn_rng_draw(9, ADN_RNG_TEST, 2, k).u[0]) - 1);
        wide[k] = x[k];
    }
    sum_up(wide, ROWS, C, wanted);
    guarded src = guarded_put(x, sizeof(x), 0), sums = guarded_put(NULL, sizeof(got), 0),
            work = guarded_put(NULL, adn_k_moments_workspace(ROWS, C), 0);
    guarded_must(adn_k_moments(ADN_K_F32, src.p, ROWS, C, sums.p, work.p, NULL));
    guarded_take(sums, got);
    guarded_take(src, NULL);
    guarded_take(work, NULL);
    for (size_t c = 0; c < C; c++) {
        double mean = got[c] / ROWS, var = got[C + c] / ROWS - mean * mean;
        double mean2 = wanted[c] / ROWS, var2 = wanted[C + c] / ROWS - mean2 * mean2;
        ck_assert_msg(fabs(var - var2) <= 1e-4 * var2, "%.9g, not %.9g", var, var2);
    }
}
END_TEST

/* ---- biases and types ---- */

START_TEST(a_bias_is_added_to_every_row)
{
    for (size_t a = 0; a < ADN_COUNT(arrays); a++)
        for (int type = 0; type < 2; type++)
            for (size_t off = 0; off <= 4; off += 4) {
                size_t rows = arrays[a].rows, c = arrays[a].c, n = rows * c;
                double *x = adn_alloc((n + 1) * sizeof(double)), *b = adn_alloc(c * sizeof(double));
                ck_assert(x != NULL && b != NULL);
                char *host = whole_numbers((adn_k_type)type, n, 0, x);
                void *bias = whole_numbers(ADN_K_F32, c, 1, b);
                guarded dst = guarded_put(host, n * bytes_of((adn_k_type)type), off),
                        from = guarded_put(bias, c * sizeof(float), 0);
                guarded_must(adn_k_add_bias((adn_k_type)type, dst.p, from.p, rows, c, NULL));
                guarded_take(dst, host);
                guarded_take(from, NULL);
                for (size_t k = 0; k < n; k++) {
                    float got = type == ADN_K_F32 ? ((float *)(void *)host)[k]
                                                  : adn_bf16_float(((adn_bf16 *)(void *)host)[k]);
                    ck_assert_msg((double)got == x[k] + b[k % c], "[%zu, %zu] element %zu", rows, c,
                                  k);
                }
                adn_free(x);
                adn_free(b);
                adn_free(host);
                adn_free(bias);
            }
}
END_TEST

static void check_cast(const float *wide, size_t n, size_t off)
{
    adn_bf16 *narrow = adn_alloc(n * sizeof(*narrow) + 1);
    float *back = adn_alloc(n * sizeof(*back) + 1);
    ck_assert(narrow != NULL && back != NULL);
    guarded a = guarded_put(wide, n * sizeof(float), off),
            b = guarded_put(NULL, n * sizeof(adn_bf16), off),
            c = guarded_put(NULL, n * sizeof(float), off);

    guarded_must(adn_k_narrow(a.p, b.p, n, NULL));
    guarded_must(adn_k_widen(b.p, c.p, n, NULL));
    guarded_take(a, NULL);
    guarded_take(b, narrow);
    guarded_take(c, back);
    for (size_t k = 0; k < n; k++) {
        adn_bf16 wanted = adn_bf16_of(wide[k]);
        float wanted_back = adn_bf16_float(wanted);
        if (narrow[k].bits != wanted.bits || memcmp(&back[k], &wanted_back, sizeof(float)) != 0)
            ck_abort_msg("%zu of %zu: %a goes to %#x and %a, not %#x", k, n, wide[k],
                         narrow[k].bits, back[k], wanted.bits);
    }
    adn_free(narrow);
    adn_free(back);
}

START_TEST(floats_become_the_loops_bf16_and_come_back)
{
    enum { N = 4099 };
    static float x[N];
    static const size_t counts[] = {0, 1, 3, 4, 5, 1023, N};

    for (uint32_t k = 0; k < N; k++) {
        uint32_t bits = adn_rng_draw(3, ADN_RNG_TEST, 3, k).u[0];
        if (k % 3 == 0) bits = (bits & 0xffff0000) | 0x8000; /* ties */
        if (k % 64 == 1) bits |= 0x7f800000;                 /* no numbers */
        if (k % 64 == 2) bits = (bits & 0x80000000) | 0x7f7fffff;
        if (k % 64 == 4) bits = 0x7f800001;
        if (k % 64 == 5) bits &= 0x807fffff;
        if (k % 64 == 7) bits = (bits & 0x80000000) | 0x7f800000;
        memcpy(&x[k], &bits, sizeof(bits));
    }
    for (size_t i = 0; i < ADN_COUNT(counts); i++)
        for (size_t off = 0; off <= 4; off += 4) check_cast(x, counts[i], off);
}
END_TEST

/* ---- more than one round of the grid ---- */

START_TEST(a_grid_strides_over_more_than_it_covers)
{
    enum { N = 2048 * 256 + 77, ROWS = 2048 * 32 + 33 };
    float *x = adn_alloc(N * sizeof(float)), bias = 1;
    ck_assert_ptr_nonnull(x);
    for (size_t k = 0; k < N; k++) x[k] = (float)(k % 1000);
    check_cast(x, N, 4); /* element by element */
    guarded dst = guarded_put(x, ROWS * sizeof(float), 0), b = guarded_put(&bias, sizeof(bias), 0);
    guarded_must(adn_k_add_bias(ADN_K_F32, dst.p, b.p, ROWS, 1, NULL));
    guarded_take(dst, x);
    guarded_take(b, NULL);
    for (size_t k = 0; k < ROWS; k++)
        if (x[k] != (float)(k % 1000) + 1) ck_abort_msg("row %zu: %g", k, x[k]);
    adn_free(x);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launchers");
    TCase *sums = tcase_create("sums"), *rest = tcase_create("rest");
    adn_queue *q;
    const char *why;

    if (!kernel_device_open(&q, &why)) {
        printf("skipped: %s\n", why);
        return getenv("ADN_REQUIRE_GPU") != NULL ? 1 : 77;
    }
    tcase_set_timeout(sums, 0);
    tcase_set_timeout(rest, 0);
    tcase_add_test(sums, sums_of_whole_numbers_are_exact);
    tcase_add_test(sums, a_small_variance_beside_a_large_mean_keeps_its_digits);
    tcase_add_test(rest, a_bias_is_added_to_every_row);
    tcase_add_test(rest, floats_become_the_loops_bf16_and_come_back);
    tcase_add_test(rest, a_grid_strides_over_more_than_it_covers);
    suite_add_tcase(suite, sums);
    suite_add_tcase(suite, rest);
    int result = adn_suite_run(suite);
    kernel_device_close();
    return result;
}
