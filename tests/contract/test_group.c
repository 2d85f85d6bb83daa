/* The device table's groups: arrays of several queues become their mean. On the cpu members share
 * the device, on GPUs each has its own. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "devices.h"
#include "suite.h"

enum { MEMBERS = 4, ROUNDS = 3 };
static const size_t counts[] = {1, 15, 16, 17, 1000, 5000};

typedef struct bench { /* of n members */
    int n;
    adn_device *devs[MEMBERS];
    adn_queue *queues[MEMBERS];
    adn_event *ready[MEMBERS];
    void *arrays[MEMBERS];
    adn_group *group;
    adn_type type;
    size_t count;
} bench;

static void bench_open(bench *t, int n, adn_type type, size_t count, uint64_t jitter)
{
    *t = (bench){.n = n, .type = type, .count = count};
    for (int k = 0; k < n; k++) {
        adn_device *dev = t->devs[k] = devices_get(devices_are_gpus() ? k : 0);
        adn_queue_conf conf = {.name = "member",
                               .n_thread = 1 + k % 2,
                               .jitter = jitter > 0 ? jitter + (uint64_t)k : 0};
        ck_assert_int_eq(dev->ops->queue_create(dev, &conf, &t->queues[k]), ADN_OK);
        ck_assert_int_eq(dev->ops->event_create(dev, &t->ready[k]), ADN_OK);
        ck_assert_int_eq(dev->ops->alloc(dev, count * adn_type_bytes(type), &t->arrays[k]), ADN_OK);
    }
    ck_assert_int_eq(t->devs[0]->ops->group_create(t->queues, n, &t->group), ADN_OK);
}

static void bench_close(bench *t)
{
    const adn_device_ops *ops = t->devs[0]->ops;

    for (int k = 0; k < t->n; k++) ck_assert_int_eq(ops->queue_sync(t->queues[k]), ADN_OK);
    ops->group_destroy(t->group);
    for (int k = 0; k < t->n; k++) {
        ops->event_destroy(t->ready[k]);
        ops->release(t->devs[k], t->arrays[k]);
        ops->queue_destroy(t->queues[k]);
        ops->close(t->devs[k]);
    }
}

static double value_of(int round, int member, size_t i)
{
    adn_draw d = adn_rng_draw(5, ADN_RNG_TEST, (uint64_t)(16 * round + member), i);
    return (double)adn_rng_unit(d.u[0]) - 0.5;
}

static void put(void *x, adn_type type, size_t i, double value)
{
    if (type == ADN_F64)
        ((double *)x)[i] = value;
    else
        ((float *)x)[i] = (float)value;
}

static double get(const void *x, adn_type type, size_t i)
{
    return type == ADN_F64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

/* Uploads the round's values and says that they are ready. */
static void offer(bench *t, int round, void *const *host)
{
    size_t bytes = t->count * adn_type_bytes(t->type);

    for (int k = 0; k < t->n; k++) {
        const adn_device_ops *ops = t->devs[k]->ops;
        for (size_t i = 0; i < t->count; i++) put(host[k], t->type, i, value_of(round, k, i));
        ck_assert_int_eq(ops->upload(t->queues[k], t->arrays[k], host[k], bytes), ADN_OK);
        ck_assert_int_eq(ops->event_record(t->queues[k], t->ready[k]), ADN_OK);
    }
}

/* In two parts, as buckets come. */
static void average(bench *t)
{
    const adn_device_ops *ops = t->devs[0]->ops;
    size_t half = t->count / 2, from[2] = {half, 0}, n[2] = {t->count - half, half};

    for (int part = 0; part < 2; part++) {
        void *at[MEMBERS];
        for (int k = 0; k < t->n; k++)
            at[k] = (char *)t->arrays[k] + from[part] * adn_type_bytes(t->type);
        if (n[part] == 0) continue;
        ck_assert_int_eq(ops->group_mean(t->group, t->ready, at, t->type, n[part]), ADN_OK);
    }
    ck_assert_int_eq(ops->group_join(t->group), ADN_OK);
}

static void check_mean(const bench *t, int round, void *const *host)
{
    double most = t->type == ADN_F64 ? 1e-15 : 2e-7;

    for (size_t i = 0; i < t->count; i++) {
        double sum = 0;
        for (int k = 0; k < t->n; k++) {
            double v = value_of(round, k, i);
            sum += t->type == ADN_F64 ? v : (double)(float)v;
        }
        double got = get(host[0], t->type, i);
        ck_assert_msg(got - sum / t->n <= most && sum / t->n - got <= most,
                      "%d members, element %zu of %zu: %.17g, expected %.17g", t->n, i, t->count,
                      got, sum / t->n);
    }
    for (int k = 1; k < t->n; k++)
        ck_assert_msg(memcmp(host[k], host[0], t->count * adn_type_bytes(t->type)) == 0,
                      "member %d has other bits than the first", k);
}

static void try_group(int n, adn_type type, size_t count, uint64_t jitter)
{
    bench t;
    void *host[MEMBERS];
    size_t bytes = count * adn_type_bytes(type);

    bench_open(&t, n, type, count, jitter);
    const adn_device_ops *ops = t.devs[0]->ops;
    for (int k = 0; k < n; k++)
        ck_assert_int_eq(ops->host_alloc(t.devs[k], bytes, &host[k]), ADN_OK);
    for (int round = 0; round < ROUNDS; round++) {
        offer(&t, round, host);
        average(&t);
        for (int k = 0; k < n; k++)
            ck_assert_int_eq(ops->download(t.queues[k], host[k], t.arrays[k], bytes), ADN_OK);
        for (int k = 0; k < n; k++) ck_assert_int_eq(ops->queue_sync(t.queues[k]), ADN_OK);
        check_mean(&t, round, host);
    }
    for (int k = 0; k < n; k++) ops->host_release(t.devs[k], host[k]);
    bench_close(&t);
}

START_TEST(all_arrays_become_their_mean_bit_for_bit)
{
    int most = devices_are_gpus() ? ADN_MIN(devices_count(), (int)MEMBERS) : MEMBERS;

    if (most < 2) adn_test_skip("one GPU: a group needs two");
    for (int n = 2; n <= most; n++)
        for (size_t c = 0; c < ADN_COUNT(counts); c++) {
            try_group(n, ADN_F32, counts[c], 0);
            try_group(n, ADN_F32, counts[c], 3 + c);
            if (!devices_are_gpus()) try_group(n, ADN_F64, counts[c], 0);
        }
}
END_TEST

/* Of a group of two, from the first to the second, there and back by another group. */
START_TEST(what_is_sent_is_received_in_the_queues_order)
{
    if (devices_are_gpus() && devices_count() < 2) {
        adn_test_skip("one GPU: a group needs two");
        return;
    }
    for (uint64_t jitter = 0; jitter < 3; jitter++) {
        bench t;
        adn_group *back;
        void *host[2];
        const size_t n = 1000, bytes = n * sizeof(float);
        bench_open(&t, 2, ADN_F32, n, jitter);
        const adn_device_ops *ops = t.devs[0]->ops;
        adn_queue *turned[2] = {t.queues[1], t.queues[0]};
        ck_assert_int_eq(ops->group_create(turned, 2, &back), ADN_OK);
        for (int k = 0; k < 2; k++)
            ck_assert_int_eq(ops->host_alloc(t.devs[k], bytes, &host[k]), ADN_OK);
        for (int round = 0; round < ROUNDS; round++) {
            for (size_t i = 0; i < n; i++) put(host[0], ADN_F32, i, value_of(round, 0, i));
            ck_assert_int_eq(ops->upload(t.queues[0], t.arrays[0], host[0], bytes), ADN_OK);
            ck_assert_int_eq(ops->group_send(t.group, t.arrays[1], t.arrays[0], bytes), ADN_OK);
            ck_assert_int_eq(ops->fill(t.queues[0], t.arrays[0], 0, bytes), ADN_OK);
            ck_assert_int_eq(ops->group_send(back, t.arrays[0], t.arrays[1], bytes - 4), ADN_OK);
            ck_assert_int_eq(ops->fill(t.queues[1], t.arrays[1], 0, bytes), ADN_OK);
            ck_assert_int_eq(ops->download(t.queues[0], host[0], t.arrays[0], bytes), ADN_OK);
            ck_assert_int_eq(ops->queue_sync(t.queues[0]), ADN_OK);
            for (size_t i = 0; i < n; i++) /* the last is not sent back */
                ck_assert_double_eq(get(host[0], ADN_F32, i),
                                    i == n - 1 ? 0 : (double)(float)value_of(round, 0, i));
        }
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(ops->queue_sync(t.queues[k]), ADN_OK);
            ops->host_release(t.devs[k], host[k]);
        }
        ops->group_destroy(back);
        bench_close(&t);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups");
    TCase *tc = tcase_create("mean");

    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, all_arrays_become_their_mean_bit_for_bit);
    tcase_add_test(tc, what_is_sent_is_received_in_the_queues_order);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
