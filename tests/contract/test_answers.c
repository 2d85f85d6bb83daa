/* The device table's operations where the answer is known without the loops: by hand, by PyTorch's
 * rules, and where numbers are not finite. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "devices.h"
#include "op_run.h"
#include "suite.h"

static devices all;

/* ---- answers known without the loops ---- */

/* A small case with PyTorch's numbers by hand; `fill` may overwrite inputs. */
static op_case small(adn_op_kind kind, adn_shape src, adn_shape dst)
{
    return (op_case){.desc = {.kind = kind, .type = ADN_F32, .src = src, .dst = dst},
                     .layout_n = 1};
}

static double item(const op_data *d, adn_role role, size_t k)
{
    return ((double *)d->p[role])[k];
}

START_TEST(a_convolution_by_hand)
{
    op_case c = small(ADN_OP_CONV_FWD, (adn_shape){1, 2, 2, 2}, (adn_shape){1, 2, 2, 1});
    c.desc.u.conv.kernel = 3;
    c.desc.u.conv.stride = c.desc.u.conv.pad = 1;
    c.desc.u.conv.has_bias = true;

    for (int i = 0; i < all.n; i++) {
        op_data d;
        op_data_init(&d, &c, 1);
        /* channel 0 is 1 2 / 3 4, channel 1 ten times that; weight [i][ky][kx] counts 1 .. 18 */
        for (int k = 0; k < 8; k++)
            ((double *)d.p[ADN_SRC])[k] = (k / 2 + 1) * (k % 2 == 0 ? 1 : 10);
        for (int k = 0; k < 18; k++) ((double *)d.p[ADN_WEIGHT])[k] = k + 1;
        ((double *)d.p[ADN_BIAS])[0] = 1000;
        op_run(all.one[i].queues[0], &c, &d);
        /* 1*5 + 2*6 + 3*8 + 4*9 = 77 and 10 * (1*14 + 2*15 + 3*17 + 4*18) = 1670, and so on */
        ck_assert_double_eq(item(&d, ADN_DST, 0), 1000 + 77 + 1670);
        ck_assert_double_eq(item(&d, ADN_DST, 1),
                            1000 + 4 + 10 + 21 + 32 + 10 * (13 + 28 + 48 + 68));
        ck_assert_double_eq(item(&d, ADN_DST, 2),
                            1000 + 2 + 6 + 15 + 24 + 10 * (11 + 24 + 42 + 60));
        ck_assert_double_eq(item(&d, ADN_DST, 3),
                            1000 + 1 + 4 + 12 + 20 + 10 * (10 + 22 + 39 + 56));
        op_data_clear(&d);
    }
}
END_TEST

START_TEST(running_statistics_move_as_pytorchs)
{
    op_case c = small(ADN_OP_NORM_FWD, (adn_shape){4, 1, 1, 1}, (adn_shape){4, 1, 1, 1});
    c.desc.u.norm.eps = 1;
    c.desc.u.norm.momentum = 0.25;

    for (int i = 0; i < all.n; i++)
        for (int moves = 0; moves < 2; moves++) {
            op_data d;
            c.value[0] = moves;
            op_data_init(&d, &c, 1);
            for (int k = 0; k < 4; k++) ((double *)d.p[ADN_SRC])[k] = (double[]){0, 0, 4, 8}[k];
            ((double *)d.p[ADN_WEIGHT])[0] = 2;
            ((double *)d.p[ADN_BIAS])[0] = 1;
            ((double *)d.p[ADN_RUN_MEAN])[0] = 1;
            ((double *)d.p[ADN_RUN_VAR])[0] = 2;
            op_run(all.one[i].queues[0], &c, &d);
            /* mean 3, variance 11 (biased) or 44 / 3, 1 / sqrt(11 + 1) */
            ck_assert_double_eq(item(&d, ADN_MEAN, 0), 3);
            ck_assert_double_eq_tol(item(&d, ADN_INV_STD, 0), 0.28867513, 1e-7);
            ck_assert_double_eq_tol(item(&d, ADN_DST, 3), 1 + 2 * 5 * 0.28867513, 1e-6);
            ck_assert_double_eq_tol(item(&d, ADN_RUN_MEAN, 0), moves ? 0.75 + 0.75 : 1, 1e-6);
            ck_assert_double_eq_tol(item(&d, ADN_RUN_VAR, 0), moves ? 1.5 + 11.0 / 3 : 2, 1e-6);
            op_data_clear(&d);
        }
}
END_TEST

START_TEST(a_maximum_is_the_first_of_the_largest)
{
    static const double src[] = {1, 7, 7, 3, 0, 0, 0, 0};
    op_case c = small(ADN_OP_POOL_FWD, (adn_shape){2, 2, 2, 1}, (adn_shape){2, 1, 1, 1});
    c.desc.u.pool.kernel = c.desc.u.pool.stride = 2;

    for (int i = 0; i < all.n; i++) {
        op_data d;
        op_data_init(&d, &c, 1);
        memcpy(d.p[ADN_SRC], src, sizeof(src));
        op_run(all.one[i].queues[0], &c, &d);
        ck_assert_double_eq(item(&d, ADN_DST, 0), 7);
        ck_assert_int_eq(((uint8_t *)d.p[ADN_INDEX])[0], 1);
        ck_assert_int_eq(((uint8_t *)d.p[ADN_INDEX])[1], 0);
        op_data_clear(&d);
    }
}
END_TEST

START_TEST(adaptive_windows_are_pytorchs)
{
    op_case c = small(ADN_OP_POOL_FWD, (adn_shape){1, 1, 5, 1}, (adn_shape){1, 1, 3, 1});
    c.desc.u.pool.kind = ADN_POOL_ADAPTIVE_AVG;

    for (int i = 0; i < all.n; i++) {
        op_data d;
        op_data_init(&d, &c, 1);
        for (int k = 0; k < 5; k++) ((double *)d.p[ADN_SRC])[k] = 6 * k;
        op_run(all.one[i].queues[0], &c, &d);
        ck_assert_double_eq(item(&d, ADN_DST, 0), 3);  /* 0, 1 */
        ck_assert_double_eq(item(&d, ADN_DST, 1), 12); /* 1, 2, 3 */
        ck_assert_double_eq(item(&d, ADN_DST, 2), 21); /* 3, 4 */
        op_data_clear(&d);
    }
}
END_TEST

/* torch.nn.functional.cross_entropy(scores, targets, label_smoothing=0.1) of these, in double */
START_TEST(the_loss_is_pytorchs_with_smoothing_and_two_classes)
{
    static const double scores[] = {1, 2, 0.5, -1, 0, 3};
    op_case c = small(ADN_OP_LOSS, (adn_shape){2, 1, 1, 3}, (adn_shape){2, 1, 1, 3});
    c.desc.u.loss.smoothing = 0.1;

    for (int i = 0; i < all.n; i++) {
        op_data d;
        op_data_init(&d, &c, 1);
        memcpy(d.p[ADN_SRC], scores, sizeof(scores));
        ((adn_label *)d.p[ADN_LABELS])[0] = (adn_label){1, 1, 1};
        ((adn_label *)d.p[ADN_LABELS])[1] = (adn_label){1, 2, 0.25f};
        op_run(all.one[i].queues[0], &c, &d);
        /* log(e + e^2 + e^0.5) = 2.464369, log(e^-1 + 1 + e^3) = 3.065884
         * 1: 0.9 * 0.464369 + 0.1 / 3 * (1.464369 + 0.464369 + 1.964369)
         * 2: 0.9 * (0.25 * 3.065884 + 0.75 * 0.065884) + 0.1 / 3 * (4.065884 + 3.065884 + 0.065884)
         */
        const adn_loss_result *r = d.p[ADN_RESULT];
        ck_assert_double_eq_tol(r->loss_sum, 0.5477021 + 0.9742172, 1e-6);
        ck_assert_int_eq(r->hits, 1);
        ck_assert_int_eq(r->n, 2);
        /* softmax of class 1, less 0.9 + 0.1 / 3, over two samples */
        ck_assert_double_eq_tol(item(&d, ADN_GRAD_SRC, 1), (exp(-0.4643688) - 0.9 - 0.1 / 3) / 2,
                                1e-6);
        op_data_clear(&d);
    }
}
END_TEST

START_TEST(a_hit_is_a_label_whose_score_is_the_first_of_the_largest)
{
    static const double scores[] = {2, 2, 1, 2, 2, 1, 0, 1, 1};
    op_case c = small(ADN_OP_LOSS, (adn_shape){3, 1, 1, 3}, (adn_shape){3, 1, 1, 3});

    for (int i = 0; i < all.n; i++)
        for (int a = 0; a < 3; a++) {
            op_data d;
            op_data_init(&d, &c, 1);
            memcpy(d.p[ADN_SRC], scores, sizeof(scores));
            for (int n = 0; n < 3; n++)
                ((adn_label *)d.p[ADN_LABELS])[n] = (adn_label){a, 0, 0.25f};
            op_run(all.one[i].queues[0], &c, &d);
            ck_assert_int_eq(((adn_loss_result *)d.p[ADN_RESULT])->hits, 2 - a);
            op_data_clear(&d);
        }
}
END_TEST

START_TEST(sgd_takes_pytorchs_steps)
{
    op_case c = small(ADN_OP_SGD, (adn_shape){1, 1, 1, 1}, (adn_shape){1, 1, 1, 1});
    double values[] = {0.5, 0.5, 0.25, 0};

    memcpy(c.value, values, sizeof(values));
    for (int i = 0; i < all.n; i++)
        for (int variant = 0; variant < 4; variant++) {
            op_data d;
            c.desc.u.sgd.nesterov = variant % 2;
            c.value[3] = variant / 2;
            op_data_init(&d, &c, 1);
            *(double *)d.p[ADN_WEIGHT] = 4;
            *(double *)d.p[ADN_GRAD_WEIGHT] = 3;
            *(double *)d.p[ADN_MOMENTUM] = 8;
            op_run(all.one[i].queues[0], &c, &d);
            double m = c.value[3] == 1 ? 4 : 8; /* g = 3 + 4 / 4; m = 8 / 2 + g */
            ck_assert_double_eq(item(&d, ADN_MOMENTUM, 0), m);
            ck_assert_double_eq(item(&d, ADN_WEIGHT, 0), 4 - 0.5 * (variant % 2 ? 4 + 0.5 * m : m));
            op_data_clear(&d);
        }
}
END_TEST

/* The second of a run whose first, of a gradient of 1, left m = 1/2 and v = 1/4. */
START_TEST(adamw_takes_pytorchs_steps)
{
    op_case c = small(ADN_OP_ADAMW, (adn_shape){1, 1, 1, 1}, (adn_shape){1, 1, 1, 1});
    /* keep, betas of 1/2 and 3/4, rate 1/2 / (1 - 1/4), scale, eps */
    double values[] = {0.875, 0.5, 0.5, 0.75, 0.25, 2. / 3, 1 / sqrt(1 - 0.5625), 1};

    memcpy(c.value, values, sizeof(values));
    for (int i = 0; i < all.n; i++) {
        op_data d;
        op_data_init(&d, &c, 1);
        *(double *)d.p[ADN_WEIGHT] = 4;
        *(double *)d.p[ADN_GRAD_WEIGHT] = 2;
        *(double *)d.p[ADN_MOMENTUM] = 0.5;
        *(double *)d.p[ADN_MOMENT2] = 0.25;
        op_run(all.one[i].queues[0], &c, &d);
        /* m = 1/4 + 1, v = 3/16 + 1; 7/2 - 2/3 * 1.25 / (sqrt(1.1875 / 0.4375) + 1) */
        ck_assert_double_eq(item(&d, ADN_MOMENTUM, 0), 1.25);
        ck_assert_double_eq(item(&d, ADN_MOMENT2, 0), 1.1875);
        ck_assert_double_eq_tol(item(&d, ADN_WEIGHT, 0), 3.185238708703, 1e-6);
        op_data_clear(&d);
    }
}
END_TEST

/* Where a layout pads, all is 0, and stays so. */
START_TEST(updates_leave_padding_alone)
{
    static const adn_role roles[] = {ADN_WEIGHT, ADN_GRAD_WEIGHT, ADN_MOMENTUM, ADN_MOMENT2};
    double values[] = {0.875, 0.9, 0.1, 0.999, 1e-3, 0.01, 31.6, 1e-30}; /* SGD takes them too */

    for (int i = 0; i < all.n; i++)
        for (adn_op_kind kind = ADN_OP_SGD; kind <= ADN_OP_ADAMW; kind++) {
            op_case c = small(kind, (adn_shape){1, 1, 1, 70}, (adn_shape){1, 1, 1, 70});
            op_data d;
            memcpy(c.value, values, sizeof(values));
            op_data_init(&d, &c, 1);
            for (size_t r = 0; r < ADN_COUNT(roles); r++)
                if (d.p[roles[r]] != NULL) memset(d.p[roles[r]], 0, 70 * sizeof(double));
            op_run(all.one[i].queues[0], &c, &d);
            for (size_t k = 0; k < 70; k++) ck_assert_double_eq(item(&d, ADN_WEIGHT, k), 0);
            op_data_clear(&d);
        }
}
END_TEST

START_TEST(an_update_after_a_halt_changes_nothing)
{
    static const adn_role roles[] = {ADN_WEIGHT, ADN_MOMENTUM, ADN_MOMENT2};

    for (int i = 0; i < all.n; i++)
        for (adn_op_kind kind = ADN_OP_SGD; kind <= ADN_OP_ADAMW; kind++) {
            op_case c = small(kind, (adn_shape){1, 1, 1, 70}, (adn_shape){1, 1, 1, 70});
            op_data before, after;
            for (int k = 0; k < ADN_N_VALUE; k++) c.value[k] = 1;
            c.halt = 1;
            op_data_init(&before, &c, 1);
            op_data_copy(&after, &before, &c);
            op_run(all.one[i].queues[0], &c, &after);
            for (size_t r = 0; r < ADN_COUNT(roles); r++)
                if (before.p[roles[r]] != NULL)
                    ck_assert_mem_eq(after.p[roles[r]], before.p[roles[r]], 70 * sizeof(double));
            ck_assert_int_eq(*(int32_t *)after.p[ADN_HALT], 1);
            op_data_clear(&before);
            op_data_clear(&after);
        }
}
END_TEST

/* ---- what is not finite ---- */

/* What is not a number lies in turn at each place of the first window of 2x2, in channel 37. */
static void check_nan(adn_queue *q, op_case *c)
{
    static const adn_role pooled[] = {ADN_DST_MAX, ADN_DST_AVG};
    bool is_pool = c->desc.kind == ADN_OP_POOL_FWD;

    for (size_t tap = 0; tap < 4; tap++) {
        size_t at = (tap / 2 * (size_t)c->desc.src.w + tap % 2) * (size_t)c->desc.src.c + 37;
        size_t to = is_pool ? 37 : at;
        op_data d;
        op_data_init(&d, c, 5);
        ((double *)d.p[ADN_SRC])[at] = NAN;
        op_run(q, c, &d);
        ck_assert_msg(isnan(item(&d, ADN_DST, to)), "%s, tap %zu", op_case_text(c), tap);
        ck_assert_msg(!isnan(item(&d, ADN_DST, to - 1)), "%s, tap %zu", op_case_text(c), tap);
        for (size_t k = 0; k < ADN_COUNT(pooled) && d.p[pooled[k]] != NULL; k++) {
            ck_assert_msg(isnan(item(&d, pooled[k], 37)), "%s, tap %zu", op_case_text(c), tap);
            ck_assert_msg(!isnan(item(&d, pooled[k], 36)), "%s, tap %zu", op_case_text(c), tap);
        }
        op_data_clear(&d);
    }
}

START_TEST(what_is_not_a_number_passes_through_to_the_loss)
{
    static const adn_op_kind kinds[] = {ADN_OP_RELU_FWD, ADN_OP_ADD, ADN_OP_NORM_INFER,
                                        ADN_OP_NORM_FWD, ADN_OP_POOL_FWD};
    adn_shape map = {2, 4, 4, 40}, halved = {2, 2, 2, 40};

    for (int i = 0; i < all.n; i++)
        for (size_t k = 0; k < ADN_COUNT(kinds) * (all.one[i].has_f64 ? 2 : 1); k++) {
            adn_op_kind kind = kinds[k % ADN_COUNT(kinds)];
            op_case c = small(kind, map, kind == ADN_OP_POOL_FWD ? halved : map);
            if (k >= ADN_COUNT(kinds)) c.desc.type = ADN_F64;
            if (kind == ADN_OP_POOL_FWD) {
                c.desc.u.pool.kind = ADN_POOL_MAX;
                c.desc.u.pool.kernel = c.desc.u.pool.stride = 2;
            } else {
                c.desc.u.norm.relu = true;
                c.desc.u.norm.has_max = true;
                c.desc.u.norm.avg_h = c.desc.u.norm.avg_w = 2;
            }
            check_nan(all.one[i].queues[0], &c);
        }
}
END_TEST

START_TEST(a_loss_that_is_not_finite_halts_and_a_good_one_clears_nothing)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY, 0};
    op_case c = small(ADN_OP_LOSS, (adn_shape){5, 1, 1, 3}, (adn_shape){5, 1, 1, 3});

    for (int i = 0; i < all.n; i++)
        for (int k = 0; k < 8; k++) {
            op_data d;
            c.halt = k / 4;
            op_data_init(&d, &c, 1);
            for (int n = 0; n < 5; n++) ((adn_label *)d.p[ADN_LABELS])[n] = (adn_label){1, 1, 1};
            ((double *)d.p[ADN_SRC])[4] = bad[k % 4];
            op_run(all.one[i].queues[0], &c, &d);
            ck_assert_int_eq(*(int32_t *)d.p[ADN_HALT], k != 3);
            ck_assert_int_eq(isfinite(((adn_loss_result *)d.p[ADN_RESULT])->loss_sum) != 0,
                             k % 4 == 3);
            op_data_clear(&d);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answers");
    TCase *known = tcase_create("known answers");

    devices_open(&all);
    tcase_add_test(known, a_convolution_by_hand);
    tcase_add_test(known, running_statistics_move_as_pytorchs);
    tcase_add_test(known, a_maximum_is_the_first_of_the_largest);
    tcase_add_test(known, adaptive_windows_are_pytorchs);
    tcase_add_test(known, the_loss_is_pytorchs_with_smoothing_and_two_classes);
    tcase_add_test(known, a_hit_is_a_label_whose_score_is_the_first_of_the_largest);
    tcase_add_test(known, sgd_takes_pytorchs_steps);
    tcase_add_test(known, adamw_takes_pytorchs_steps);
    tcase_add_test(known, updates_leave_padding_alone);
    tcase_add_test(known, an_update_after_a_halt_changes_nothing);
    tcase_add_test(known, what_is_not_a_number_passes_through_to_the_loss);
    tcase_add_test(known, a_loss_that_is_not_finite_halts_and_a_good_one_clears_nothing);
    suite_add_tcase(suite, known);
    int result = adn_suite_run(suite);
    devices_close(&all);
    return result;
}
