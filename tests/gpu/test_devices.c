/* Two GPUs: whichever is current in the calling thread, each entry of the table works on its own.
 */
#include <check.h>
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/cuda.h"
#include "suite.h"

static adn_device *gpu; /* 0; calls are made while the other is current */

/* A call that succeeds, made while the other GPU is current. */
#define ELSEWHERE(call)                                                                            \
    do {                                                                                           \
        ck_assert_int_eq(cudaSetDevice(1), cudaSuccess);                                           \
        ck_assert_int_eq((call), ADN_OK);                                                          \
    } while (0)

static float *memory_of(size_t n)
{
    void *p;
    ELSEWHERE(gpu->ops->alloc(gpu, n * sizeof(float), &p));
    return p;
}

static adn_queue *queue_of(const char *name)
{
    const adn_queue_conf conf = {.name = name, .n_thread = 1};
    adn_queue *q;
    ELSEWHERE(gpu->ops->queue_create(gpu, &conf, &q));
    return q;
}

enum { ROWS = 3, IN = 16, OUT = 8 };

/* Of ones, with ones as its weights. */
static void check_product(adn_op_kind kind)
{
    const adn_device_ops *ops = gpu->ops;
    adn_queue *q = queue_of("product");
    adn_op_desc d = {.kind = kind, .type = ADN_F32, .src = {ROWS, 1, 1, IN}};
    float *src = memory_of(ROWS * IN), *dst = memory_of(ROWS * OUT), *weight = memory_of(IN * OUT);
    float ones[ROWS * IN], got[ROWS * OUT];
    double weights[IN * OUT];
    adn_op_args args = {.p = {[ADN_SRC] = src, [ADN_WEIGHT] = weight, [ADN_DST] = dst}};
    adn_layout *layout;
    adn_op *op;

    d.dst = (adn_shape){ROWS, 1, 1, OUT};
    d.u.conv.kernel = d.u.conv.stride = 1;
    for (int k = 0; k < ROWS * IN; k++) ones[k] = 1;
    for (int k = 0; k < IN * OUT; k++) weights[k] = 1;
    ELSEWHERE(ops->layout_create(q, &d, &layout));
    d.layout = layout;
    ELSEWHERE(ops->plan(q, &d, &op));
    if (op->workspace_bytes > 0)
        args.p[ADN_WORKSPACE] = memory_of(op->workspace_bytes / sizeof(float) + 1);
    ELSEWHERE(ops->upload(q, src, ones, sizeof(ones)));
    ELSEWHERE(ops->param_import(q, layout, weight, weights));
    ELSEWHERE(ops->run(op, &args));
    ELSEWHERE(ops->param_export(q, layout, weights, weight));
    ELSEWHERE(ops->download(q, got, dst, sizeof(got)));
    ELSEWHERE(ops->queue_sync(q));
    for (int k = 0; k < ROWS * OUT; k++) ck_assert_float_eq(got[k], IN);
    ops->op_destroy(op);
    ops->layout_destroy(layout);
    void *const used[] = {src, dst, weight, args.p[ADN_WORKSPACE]};
    for (size_t k = 0; k < ADN_COUNT(used); k++) ops->release(gpu, used[k]);
    ops->queue_destroy(q);
}

START_TEST(libraries_run_on_the_queues_gpu)
{
    check_product(ADN_OP_LINEAR_FWD);
    check_product(ADN_OP_CONV_FWD);
}
END_TEST

/* One queue fills, another makes it positive and copies it, a third reads it. */
START_TEST(memory_events_and_kernels_are_of_the_queues_gpu)
{
    enum { N = 100, BYTE = 0xbf };
    const adn_device_ops *ops = gpu->ops;
    adn_queue *first = queue_of("first"), *second = queue_of("second");
    adn_op_desc d = {
        .kind = ADN_OP_RELU_FWD, .type = ADN_F32, .src = {N, 1, 1, 1}, .dst = {N, 1, 1, 1}};
    float *src = memory_of(N), *dst = memory_of(N), *copy = memory_of(N), got[N];
    adn_event *filled;
    adn_op *op;

    ELSEWHERE(ops->event_create(gpu, &filled));
    ELSEWHERE(ops->plan(second, &d, &op));
    ELSEWHERE(ops->fill(first, src, BYTE, N * sizeof(float))); /* negative numbers */
    ELSEWHERE(ops->event_record(first, filled));
    ELSEWHERE(ops->event_wait(second, filled));
    ELSEWHERE(ops->run(op, &(adn_op_args){.p = {[ADN_SRC] = src, [ADN_DST] = dst}}));
    ELSEWHERE(ops->copy(second, copy, dst, N * sizeof(float)));
    ELSEWHERE(ops->download(second, got, copy, sizeof(got)));
    ELSEWHERE(ops->event_sync(filled));
    ELSEWHERE(ops->queue_sync(second));
    for (int k = 0; k < N; k++) ck_assert_float_eq(got[k], 0);
    ops->op_destroy(op);
    ops->event_destroy(filled);
    float *const used[] = {src, dst, copy};
    for (size_t k = 0; k < ADN_COUNT(used); k++) ops->release(gpu, used[k]);
    ops->queue_destroy(first);
    ops->queue_destroy(second);
}
END_TEST

START_TEST(a_queue_without_plans_tells_its_rates)
{
    adn_queue *q = queue_of("rates");
    adn_rates got = {0};

    ELSEWHERE(gpu->ops->queue_rates(q, &got));
    ck_assert_double_gt(got.macs_s, 0);
    ck_assert_double_gt(got.macs_bf16_s, 0);
    ck_assert_double_gt(got.copy_bytes_s, 0);
    gpu->ops->queue_destroy(q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("devices");
    TCase *tc = tcase_create("devices");
    int n = adn_cuda_count(NULL);

    if (n < 2) {
        printf("skipped: %d GPUs, not two\n", n);
        return getenv("ADN_REQUIRE_GPU") != NULL ? 1 : 77;
    }
    if (adn_cuda_open(&(adn_cuda_conf){.ordinal = 0}, &gpu) != ADN_OK) return 1;
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, libraries_run_on_the_queues_gpu);
    tcase_add_test(tc, memory_events_and_kernels_are_of_the_queues_gpu);
    tcase_add_test(tc, a_queue_without_plans_tells_its_rates);
    suite_add_tcase(suite, tc);
    int result = adn_suite_run(suite);
    gpu->ops->close(gpu);
    return result;
}
