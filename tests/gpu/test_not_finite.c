/* What kernels do with numbers that are none, and which of equal ones they take. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "adn_kernels.h"
#include "guarded.h"
#include "kernel_device.h"
#include "suite.h"

static adn_k_loss_result loss_of(const float *scores, size_t n, size_t c, int32_t a, int32_t *halt)
{
    adn_k_label *labels = adn_alloc(n * sizeof(*labels));
    adn_k_loss_result result;
    ck_assert_ptr_nonnull(labels);
    for (size_t k = 0; k < n; k++) labels[k] = (adn_k_label){a, a, 1};
    guarded src = guarded_put(scores, n * c * sizeof(float), 0),
            to = guarded_put(NULL, sizeof(result), 0),
            l = guarded_put(labels, n * sizeof(*labels), 0),
            h = guarded_put(halt, sizeof(*halt), 0),
            work = guarded_put(NULL, adn_k_loss_workspace(n), 0);
    guarded_must(adn_k_loss(ADN_K_F32, src.p, l.p, n, c, 0, NULL, to.p, h.p, work.p, NULL));
    guarded_take(to, &result);
    guarded_take(h, halt);
    guarded_take(src, NULL);
    guarded_take(l, NULL);
    guarded_take(work, NULL);
    adn_free(labels);
    return result;
}

START_TEST(a_loss_that_is_not_finite_halts)
{
    float scores[3 * 40] = {0};
    int32_t halt = 0;

    adn_k_loss_result r = loss_of(scores, 3, 40, 0, &halt);
    ck_assert_int_eq(halt, 0);
    ck_assert_int_eq((int)r.hits, 3); /* of equal ones the first */
    scores[40 + 35] = NAN;
    r = loss_of(scores, 3, 40, 0, &halt);
    ck_assert_int_eq(halt, 1);
    ck_assert(isnan(r.loss_sum));
    ck_assert_int_eq((int)r.n, 3);
    halt = 0;
    scores[40 + 35] = INFINITY;
    loss_of(scores, 3, 40, 0, &halt);
    ck_assert_int_eq(halt, 1);
    halt = 0;
    scores[40 + 35] = -INFINITY; /* a class that cannot be is no harm, unless it was asked for */
    loss_of(scores, 3, 40, 0, &halt);
    ck_assert_int_eq(halt, 0);
    loss_of(scores, 3, 40, 35, &halt);
    ck_assert_int_eq(halt, 1);
}
END_TEST

START_TEST(the_largest_class_is_the_first_of_them)
{
    float scores[2 * 70];
    int32_t halt = 0;

    for (size_t k = 0; k < 140; k++) scores[k] = -1;
    scores[33] = scores[65] = scores[34] = 2; /* in the same lane, and in the next */
    scores[70 + 69] = 3;
    ck_assert_int_eq((int)loss_of(scores, 2, 70, 33, &halt).hits, 1);
    ck_assert_int_eq((int)loss_of(scores, 2, 70, 34, &halt).hits, 0);
    ck_assert_int_eq((int)loss_of(scores, 2, 70, 65, &halt).hits, 0);
    ck_assert_int_eq((int)loss_of(scores, 2, 70, 69, &halt).hits, 1);
}
END_TEST

START_TEST(what_is_not_a_number_passes_relu_and_wins_a_maximum)
{
    /* one map of 2x2 with four channels: a NaN first, a NaN last, none, all -inf */
    const float x[16] = {NAN, 1, 1, -INFINITY, 2, 5,   7, -INFINITY,
                         3,   2, 7, -INFINITY, 4, NAN, 3, -INFINITY};
    const adn_k_pool p = {ADN_K_F32, ADN_K_POOL_MAX, 1, 4, 2, 2, 1, 1, 2, 2};
    float y[16], most[4];
    unsigned char index[4];

    guarded src = guarded_put(x, sizeof(x), 0), dst = guarded_put(NULL, sizeof(y), 0),
            max = guarded_put(NULL, sizeof(most), 0), which = guarded_put(NULL, sizeof(index), 0);
    guarded_must(adn_k_relu(ADN_K_F32, src.p, dst.p, 16, NULL));
    guarded_must(adn_k_pool_forward(&p, src.p, max.p, which.p, NULL));
    guarded_take(src, NULL);
    guarded_take(dst, y);
    guarded_take(max, most);
    guarded_take(which, index);
    for (size_t k = 0; k < 16; k++)
        ck_assert(isnan(x[k]) ? isnan(y[k]) : y[k] == (x[k] > 0 ? x[k] : 0));
    ck_assert(isnan(most[0]) && isnan(most[1]) && most[2] == 7 && most[3] == -INFINITY);
    ck_assert(index[0] == 0 && index[1] == 3 && index[2] == 1 && index[3] == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("not_finite");
    TCase *tc = tcase_create("not_finite");
    adn_queue *q;
    const char *why;

    if (!kernel_device_open(&q, &why)) {
        printf("skipped: %s\n", why);
        return getenv("ADN_REQUIRE_GPU") != NULL ? 1 : 77;
    }
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, a_loss_that_is_not_finite_halts);
    tcase_add_test(tc, the_largest_class_is_the_first_of_them);
    tcase_add_test(tc, what_is_not_a_number_passes_relu_and_wins_a_maximum);
    suite_add_tcase(suite, tc);
    int result = adn_suite_run(suite);
    kernel_device_close();
    return result;
}
