/* The kernels' launchers against the plain loops, at odd sizes and both types, under guard. What a
 * sum's order cannot change must be the float loops' to the bit. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu/cpu.h"
#include "kernel_device.h"
#include "op_run.h"
#include "suite.h"

static adn_queue *q;

/* ---- cases ---- */

static const int channels[] = {1, 3, 4, 6, 8, 20, 64, 130};
static const struct {
    int n, h, w;
} maps[] = {{1, 1, 1}, {5, 1, 1}, {2, 2, 2}, {3, 3, 5}, {1, 17, 17}, {4, 6, 4}, {0, 2, 2}};

typedef void (*case_fn)(const op_case *c);

static op_case start(adn_op_kind kind, adn_type type, size_t map, size_t channel)
{
    adn_shape s = {maps[map].n, maps[map].h, maps[map].w, channels[channel]};
    op_case c = {.desc = {.kind = kind, .type = type, .src = s, .dst = s}};
    return c;
}

/* The pools that this map's sides allow: which of them, by the case's number. */
static void norm_case(op_case c, int k, case_fn fn)
{
    adn_shape s = c.desc.src;

    c.desc.u.norm.eps = 1e-5;
    c.desc.u.norm.momentum = 0.1;
    c.desc.u.norm.relu = k % 2 == 0;
    c.desc.u.norm.has_max = k % 3 != 0 && s.h % 2 == 0 && s.w % 2 == 0;
    if (k % 4 >= 2) {
        c.desc.u.norm.avg_h = s.h % 3 == 0 && k % 8 < 4 ? s.h / 3 : 1; /* 6x4: windows 3x4 or 6x4 */
        c.desc.u.norm.avg_w = s.w % 2 == 0 ? s.w / 2 : 1;
    }
    c.desc.u.norm.is_pooled_only = k % 5 == 0 && (c.desc.u.norm.has_max || c.desc.u.norm.avg_h > 0);
    c.is_in_place = c.desc.kind == ADN_OP_NORM_GRAD && k % 2 == 1;
    c.has_sums = c.desc.kind == ADN_OP_NORM_FWD && k % 7 == 3;
    c.is_absent = c.desc.kind != ADN_OP_NORM_GRAD && k % 11 == 5;
    c.value[0] = k % 3 > 0;
    fn(&c);
}

static void pool_case(op_case c, int k, case_fn fn)
{
    static const struct {
        adn_pool_kind kind;
        int kernel, stride, out_h, out_w;
    } pools[] = {{ADN_POOL_MAX, 2, 2, 0, 0},          {ADN_POOL_MAX, 3, 2, 0, 0},
                 {ADN_POOL_MAX, 3, 1, 0, 0},          {ADN_POOL_AVG, 2, 2, 0, 0},
                 {ADN_POOL_AVG, 3, 1, 0, 0},          {ADN_POOL_AVG, 2, 3, 0, 0},
                 {ADN_POOL_ADAPTIVE_AVG, 0, 0, 1, 1}, {ADN_POOL_ADAPTIVE_AVG, 0, 0, 2, 3},
                 {ADN_POOL_ADAPTIVE_AVG, 0, 0, 5, 4}, {ADN_POOL_MAX, 1, 1, 0, 0}};

    for (size_t i = 0; i < ADN_COUNT(pools); i++) {
        bool is_adaptive = pools[i].kind == ADN_POOL_ADAPTIVE_AVG;
        int kernel = pools[i].kernel, stride = pools[i].stride;
        if (c.desc.src.h < kernel || c.desc.src.w < kernel) continue;
        if (pools[i].out_h > 2 * c.desc.src.h + 1) continue; /* sums past the tolerance's length */
        if ((k + (int)i) % 3 != 0) continue;                 /* a third of them */
        c.desc.u.pool.kind = pools[i].kind;
        c.desc.u.pool.kernel = kernel;
        c.desc.u.pool.stride = stride;
        c.desc.dst.h = is_adaptive ? pools[i].out_h : (c.desc.src.h - kernel) / stride + 1;
        c.desc.dst.w = is_adaptive ? pools[i].out_w : (c.desc.src.w - kernel) / stride + 1;
        c.is_absent = c.desc.kind == ADN_OP_POOL_FWD && k % 5 == 0;
        c.is_integer = pools[i].kind == ADN_POOL_MAX && k % 2 == 1;
        fn(&c);
    }
}

static void pixel_case(op_case c, case_fn fn)
{
    if (c.desc.src.c > ADN_PIXEL_CHANNELS) return;
    for (int i = 0; i < ADN_PIXEL_CHANNELS; i++) {
        c.desc.u.pixel.mean[i] = 0.4914 - 0.02 * i;
        c.desc.u.pixel.std[i] = 0.2023 + 0.03 * i;
    }
    fn(&c);
}

static void augment_case(op_case c, int k, case_fn fn)
{
    if (c.desc.src.c > ADN_PIXEL_CHANNELS) return;
    for (int list = 0; list < OP_AUGMENT_LISTS; list++) {
        op_augment_set(&c, list, c.desc.src.n > 0 ? k % 7 : 0);
        fn(&c);
    }
}

static void loss_case(op_case c, int k, case_fn fn)
{
    c.desc.src.n = c.desc.dst.n = c.desc.src.n * c.desc.src.h * c.desc.src.w;
    c.desc.src.h = c.desc.src.w = c.desc.dst.h = c.desc.dst.w = 1;
    c.desc.u.loss.smoothing = k % 2 == 0 ? 0 : 0.1;
    c.is_absent = k % 5 == 3;
    c.halt = k % 4 == 1;
    fn(&c);
}

static void sgd_case(op_case c, int k, case_fn fn)
{
    c.desc.u.sgd.nesterov = k % 2 == 1;
    c.value[0] = k % 3 == 0 ? 0.1 : 0.5;
    c.value[1] = k % 3 == 0 ? 0.9 : 0.5;
    c.value[2] = k % 3 == 0 ? 5e-4 : 0.25;
    c.value[3] = k % 4 == 0;
    c.halt = k % 5 == 4;
    c.is_integer = k % 3 != 0;
    fn(&c);
}

static void adamw_case(op_case c, int k, case_fn fn)
{
    static const double values[][ADN_N_VALUE] = {
        {1 - 1e-5, 0.9, 0.1, 0.999, 1e-3, 1e-2, 31.622776601683793, 1e-8},
        {0.75, 0, 1, 0.5, 0.5, 0.5, 0.25, 1}};
    memcpy(c.value, values[k % 2], sizeof(c.value));
    c.halt = k % 5 == 4;
    c.is_integer = k % 3 != 0;
    fn(&c);
}

static void each_case(adn_op_kind kind, adn_type type, case_fn fn)
{
    for (int k = 0; k < (int)(ADN_COUNT(maps) * ADN_COUNT(channels)); k++) {
        op_case c = start(kind, type, (size_t)k % ADN_COUNT(maps), (size_t)k / ADN_COUNT(maps));
        c.is_integer = k % 2 == 1 && !op_is_norm(kind) && kind != ADN_OP_LOSS;
        if (op_is_norm(kind)) {
            norm_case(c, k, fn);
            norm_case(c, k + 3, fn);
        } else if (kind == ADN_OP_POOL_FWD || kind == ADN_OP_POOL_GRAD) {
            pool_case(c, k, fn);
        } else if (kind == ADN_OP_NORMALISE) {
            pixel_case(c, fn);
        } else if (kind == ADN_OP_AUGMENT) {
            augment_case(c, k, fn);
        } else if (kind == ADN_OP_LOSS) {
            loss_case(c, k, fn);
        } else if (kind == ADN_OP_SGD) {
            sgd_case(c, k, fn);
        } else if (kind == ADN_OP_ADAMW) {
            adamw_case(c, k, fn);
        } else {
            c.desc.u.norm.relu = kind == ADN_OP_ADD && k % 2 == 0;
            c.is_in_place = kind != ADN_OP_RELU_FWD && k % 3 == 0;
            fn(&c);
        }
    }
}

/* ---- against the loops ---- */

static void check_case(const op_case *c)
{
    op_data got, wanted;

    op_data_init(&got, c, OP_SEED);
    op_data_copy(&wanted, &got, c);
    op_run_loops(c, &wanted);
    const char *algo = op_run(q, c, &got);
    if (c->desc.src.n > 0) op_data_compare(c, &got, &wanted, algo);
    op_data_clear(&got);
    op_data_clear(&wanted);
}

START_TEST(each_kernel_agrees_with_its_loop)
{
    if (kernel_device_runs((adn_op_kind)_i)) each_case((adn_op_kind)_i, ADN_F32, check_case);
}
END_TEST

START_TEST(each_kernel_over_bf16_agrees_with_its_loop)
{
    if (kernel_device_runs((adn_op_kind)_i)) each_case((adn_op_kind)_i, ADN_BF16, check_case);
}
END_TEST

START_TEST(memory_off_16_bytes_goes_element_by_element)
{
    if (!kernel_device_runs((adn_op_kind)_i)) return;
    kernel_device_skew(8);
    each_case((adn_op_kind)_i, ADN_F32, check_case);
    each_case((adn_op_kind)_i, ADN_BF16, check_case);
    kernel_device_skew(0);
}
END_TEST

/* The float loops on a case whose roles are floats (or bytes, or int32). */
static void run_float_loops(const op_case *c, op_data *data)
{
    adn_op_desc d = c->desc;
    adn_op_args args = {{0}, {0}};

    d.type = ADN_F32;
    memcpy(args.value, c->value, sizeof(args.value));
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        args.p[r] = data->p[r];
        if (data->p[r] == NULL || !op_is_real(c, r)) continue;
        args.p[r] = adn_alloc(data->count[r] * sizeof(float));
        ck_assert_ptr_nonnull(args.p[r]);
        for (size_t k = 0; k < data->count[r]; k++)
            ((float *)args.p[r])[k] = (float)((double *)data->p[r])[k];
    }
    adn_ref_float(d.kind)(&d, &args);
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (data->p[r] == NULL || !op_is_real(c, r)) continue;
        for (size_t k = 0; k < data->count[r]; k++)
            ((double *)data->p[r])[k] = ((float *)args.p[r])[k];
        adn_free(args.p[r]);
    }
}

static void check_bits(const op_case *c)
{
    op_data got, wanted;

    op_data_init(&got, c, OP_SEED);
    op_data_copy(&wanted, &got, c);
    run_float_loops(c, &wanted);
    op_run(q, c, &got);
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        bool is_sum = c->desc.kind == ADN_OP_NORM_INFER && r == ADN_DST_AVG;
        bool is_written = (adn_op_infos[c->desc.kind].role[r] & ADN_WRITE) != 0;
        if (got.p[r] == NULL || is_sum || !is_written) continue;
        if (!op_is_real(c, r)) {
            ck_assert_msg(memcmp(got.p[r], wanted.p[r], got.count[r] * op_item_bytes(c, r)) == 0,
                          "%s: role %d", op_case_text(c), (int)r);
            continue;
        }
        for (size_t k = 0; k < got.count[r]; k++) {
            double a = ((double *)got.p[r])[k], b = op_held(c, r, ((double *)wanted.p[r])[k]);
            if (memcmp(&a, &b, sizeof(a)) != 0)
                ck_abort_msg("%s: role %d, item %zu: %a, the loops' %a", op_case_text(c), (int)r, k,
                             a, b);
        }
    }
    op_data_clear(&got);
    op_data_clear(&wanted);
}

START_TEST(what_has_no_order_has_the_float_loops_bits)
{
    static const adn_op_kind kinds[] = {
        ADN_OP_NORM_INFER, ADN_OP_RELU_FWD,  ADN_OP_RELU_GRAD, ADN_OP_POOL_FWD, ADN_OP_POOL_GRAD,
        ADN_OP_ADD,        ADN_OP_NORMALISE, ADN_OP_SGD,       ADN_OP_ADAMW,    ADN_OP_AUGMENT};
    each_case(kinds[_i], ADN_F32, check_bits);
    each_case(kinds[_i], ADN_BF16, check_bits);
}
END_TEST

/* ---- more than one round of the grid ---- */

/* Averages of five places, by two threads each: more windows than all blocks hold at once. */
START_TEST(windows_come_round_after_round)
{
    enum { N = 2048 * 16 + 33 };
    static const adn_shape s = {N, 1, 5, 1};
    op_case c = {.desc = {.kind = ADN_OP_NORM_INFER, .type = ADN_F32, .src = s, .dst = s}};
    c.desc.u.norm.eps = 1e-5;
    c.desc.u.norm.avg_h = c.desc.u.norm.avg_w = 1;
    check_case(&c);
}
END_TEST

START_TEST(a_batch_of_more_samples_than_warps_is_summed_up)
{
    enum { N = 2048 * 8 + 5 };
    static const adn_shape s = {N, 1, 1, 2};
    op_case c = {.desc = {.kind = ADN_OP_LOSS, .type = ADN_F32, .src = s, .dst = s}};
    check_case(&c);
}
END_TEST

/* An image of more bytes than all blocks hold at once; more images than there are blocks. */
START_TEST(images_are_augmented_round_after_round)
{
    static const adn_shape sets[] = {{2, 725, 725, 1}, {5, 1, 1, 1}};
    static const int batches[] = {1, 2048 + 5};

    for (size_t k = 0; k < ADN_COUNT(sets); k++) {
        op_case c = {.desc = {.kind = ADN_OP_AUGMENT, .type = ADN_F32, .src = sets[k]}};
        c.desc.dst = sets[k];
        op_augment_set(&c, 0, batches[k]);
        check_case(&c);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *ops = tcase_create("operations"), *rounds = tcase_create("rounds");
    const char *why;

    if (!kernel_device_open(&q, &why)) {
        printf("skipped: %s\n", why);
        return getenv("ADN_REQUIRE_GPU") != NULL ? 1 : 77;
    }
    tcase_set_timeout(ops, 0);
    tcase_set_timeout(rounds, 0);
    tcase_add_loop_test(ops, each_kernel_agrees_with_its_loop, 0, ADN_N_OP);
    tcase_add_loop_test(ops, each_kernel_over_bf16_agrees_with_its_loop, 0, ADN_N_OP);
    tcase_add_loop_test(ops, memory_off_16_bytes_goes_element_by_element, 0, ADN_N_OP);
    tcase_add_loop_test(ops, what_has_no_order_has_the_float_loops_bits, 0, 10);
    tcase_add_test(rounds, windows_come_round_after_round);
    tcase_add_test(rounds, a_batch_of_more_samples_than_warps_is_summed_up);
    tcase_add_test(rounds, images_are_augmented_round_after_round);
    suite_add_tcase(suite, ops);
    suite_add_tcase(suite, rounds);
    int result = adn_suite_run(suite);
    kernel_device_close();
    return result;
}
