/* The kernels' launchers against the plain loops, at odd sizes and both types, under guard. What a
 * sum's order cannot change must be the float loops' to the bit. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bf16.h"
#include "core/rng.h"
#include "device/cpu/cpu.h"
#include "kernel_device.h"
#include "adn_kernels.h"
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
        } else if (kind == ADN_OP_LOSS) {
            loss_case(c, k, fn);
        } else if (kind == ADN_OP_SGD) {
            sgd_case(c, k, fn);
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
    static const adn_op_kind kinds[] = {ADN_OP_NORM_INFER, ADN_OP_RELU_FWD,  ADN_OP_RELU_GRAD,
                                        ADN_OP_POOL_FWD,   ADN_OP_POOL_GRAD, ADN_OP_ADD,
                                        ADN_OP_NORMALISE,  ADN_OP_SGD};
    each_case(kinds[_i], ADN_F32, check_bits);
    each_case(kinds[_i], ADN_BF16, check_bits);
}
END_TEST

/* ---- memory under guard, for launchers that no operation has ---- */

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

typedef struct guarded {
    char *base; /* on the device */
    void *p;
    size_t bytes;
} guarded;

static void must(cudaError_t e)
{
    if (e != cudaSuccess) ck_abort_msg("%s", cudaGetErrorString(e));
}

/* `bytes` from the host's `from` (NULL: GUARD_BYTEs), `off` bytes behind what is aligned. */
static guarded put(const void *from, size_t bytes, size_t off)
{
    guarded g = {.bytes = bytes};
    must(cudaMalloc((void **)&g.base, bytes + off + 2 * GUARD));
    must(cudaMemset(g.base, GUARD_BYTE, bytes + off + 2 * GUARD));
    g.p = g.base + GUARD + off;
    if (from != NULL) must(cudaMemcpy(g.p, from, bytes, cudaMemcpyHostToDevice));
    return g;
}

/* Its bytes to the host (NULL: nowhere), and its guards looked at; then freed. */
static void take(guarded g, void *to)
{
    unsigned char guard[2 * GUARD];
    size_t before = (size_t)((char *)g.p - g.base);

    must(cudaDeviceSynchronize());
    if (to != NULL) must(cudaMemcpy(to, g.p, g.bytes, cudaMemcpyDeviceToHost));
    must(cudaMemcpy(guard, g.base + before - GUARD, GUARD, cudaMemcpyDeviceToHost));
    must(cudaMemcpy(guard + GUARD, (char *)g.p + g.bytes, GUARD, cudaMemcpyDeviceToHost));
    for (size_t k = 0; k < sizeof(guard); k++)
        ck_assert_msg(guard[k] == GUARD_BYTE, "guard byte %zu", k);
    must(cudaFree(g.base));
}

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

    guarded src = put(host, n * bytes_of(type), off);
    guarded sums = put(NULL, 2 * c * sizeof(double), 0), columns = put(NULL, c * sizeof(float), 0);
    guarded work = put(NULL, adn_k_moments_workspace(rows, c), 0),
            work2 = put(NULL, adn_k_column_sums_workspace(rows, c), 0);
    must(adn_k_moments(type, src.p, rows, c, sums.p, work.p, NULL));
    must(adn_k_column_sums(type, src.p, rows, c, columns.p, work2.p, NULL));
    take(sums, got);
    take(columns, column);
    take(src, NULL);
    take(work, NULL);
    take(work2, NULL);
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
    guarded src = put(x, sizeof(x), 0), sums = put(NULL, sizeof(got), 0),
            work = put(NULL, adn_k_moments_workspace(ROWS, C), 0);
    must(adn_k_moments(ADN_K_F32, src.p, ROWS, C, sums.p, work.p, NULL));
    take(sums, got);
    take(src, NULL);
    take(work, NULL);
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
                guarded dst = put(host, n * bytes_of((adn_k_type)type), off),
                        from = put(bias, c * sizeof(float), 0);
                must(adn_k_add_bias((adn_k_type)type, dst.p, from.p, rows, c, NULL));
                take(dst, host);
                take(from, NULL);
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
    guarded a = put(wide, n * sizeof(float), off), b = put(NULL, n * sizeof(adn_bf16), off),
            c = put(NULL, n * sizeof(float), off);

    must(adn_k_narrow(a.p, b.p, n, NULL));
    must(adn_k_widen(b.p, c.p, n, NULL));
    take(a, NULL);
    take(b, narrow);
    take(c, back);
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
    guarded dst = put(x, ROWS * sizeof(float), 0), b = put(&bias, sizeof(bias), 0);
    must(adn_k_add_bias(ADN_K_F32, dst.p, b.p, ROWS, 1, NULL));
    take(dst, x);
    take(b, NULL);
    for (size_t k = 0; k < ROWS; k++)
        if (x[k] != (float)(k % 1000) + 1) ck_abort_msg("row %zu: %g", k, x[k]);
    adn_free(x);
}
END_TEST

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

/* ---- what is not a number ---- */

static adn_k_loss_result loss_of(const float *scores, size_t n, size_t c, int32_t a, int32_t *halt)
{
    adn_k_label *labels = adn_alloc(n * sizeof(*labels));
    adn_k_loss_result result;
    ck_assert_ptr_nonnull(labels);
    for (size_t k = 0; k < n; k++) labels[k] = (adn_k_label){a, a, 1};
    guarded src = put(scores, n * c * sizeof(float), 0), to = put(NULL, sizeof(result), 0),
            l = put(labels, n * sizeof(*labels), 0), h = put(halt, sizeof(*halt), 0),
            work = put(NULL, adn_k_loss_workspace(n), 0);
    must(adn_k_loss(ADN_K_F32, src.p, l.p, n, c, 0, NULL, to.p, h.p, work.p, NULL));
    take(to, &result);
    take(h, halt);
    take(src, NULL);
    take(l, NULL);
    take(work, NULL);
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

    guarded src = put(x, sizeof(x), 0), dst = put(NULL, sizeof(y), 0),
            max = put(NULL, sizeof(most), 0), which = put(NULL, sizeof(index), 0);
    must(adn_k_relu(ADN_K_F32, src.p, dst.p, 16, NULL));
    must(adn_k_pool_forward(&p, src.p, max.p, which.p, NULL));
    take(src, NULL);
    take(dst, y);
    take(max, most);
    take(which, index);
    for (size_t k = 0; k < 16; k++)
        ck_assert(isnan(x[k]) ? isnan(y[k]) : y[k] == (x[k] > 0 ? x[k] : 0));
    ck_assert(isnan(most[0]) && isnan(most[1]) && most[2] == 7 && most[3] == -INFINITY);
    ck_assert(index[0] == 0 && index[1] == 3 && index[2] == 1 && index[3] == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *ops = tcase_create("operations"), *sums = tcase_create("sums"),
          *rest = tcase_create("rest");
    const char *why;

    if (!kernel_device_open(&q, &why)) {
        printf("skipped: %s\n", why);
        return getenv("ADN_REQUIRE_GPU") != NULL ? 1 : 77;
    }
    tcase_set_timeout(ops, 0);
    tcase_set_timeout(sums, 0);
    tcase_set_timeout(rest, 0);
    tcase_add_loop_test(ops, each_kernel_agrees_with_its_loop, 0, ADN_N_OP);
    tcase_add_loop_test(ops, each_kernel_over_bf16_agrees_with_its_loop, 0, ADN_N_OP);
    tcase_add_loop_test(ops, memory_off_16_bytes_goes_element_by_element, 0, ADN_N_OP);
    tcase_add_loop_test(ops, what_has_no_order_has_the_float_loops_bits, 0, 8);
    tcase_add_test(sums, sums_of_whole_numbers_are_exact);
    tcase_add_test(sums, a_small_variance_beside_a_large_mean_keeps_its_digits);
    tcase_add_test(rest, a_bias_is_added_to_every_row);
    tcase_add_test(rest, floats_become_the_loops_bf16_and_come_back);
    tcase_add_test(rest, a_grid_strides_over_more_than_it_covers);
    tcase_add_test(rest, windows_come_round_after_round);
    tcase_add_test(rest, a_batch_of_more_samples_than_warps_is_summed_up);
    tcase_add_test(rest, a_loss_that_is_not_finite_halts);
    tcase_add_test(rest, the_largest_class_is_the_first_of_them);
    tcase_add_test(rest, what_is_not_a_number_passes_relu_and_wins_a_maximum);
    suite_add_tcase(suite, ops);
    suite_add_tcase(suite, sums);
    suite_add_tcase(suite, rest);
    int result = adn_suite_run(suite);
    kernel_device_close();
    return result;
}
