/* Every call of the device table fails once, the n-th for each n, and so does every allocation: the
 * right status comes back, nothing is left behind, and what a failed create was to fill in keeps
 * its value. */
#include <check.h>
#include <string.h>

#include "device/device.h"
#include "suite.h"

enum { N_PLAN = 5, IMAGES = 3 };

static const adn_shape input = {IMAGES, 6, 6, 3}, map = {IMAGES, 6, 6, 8};
static int untouched; /* its address: a pointer that nobody gives */

/* All that a small life with a device owns; NULL is nothing. */
typedef struct life {
    adn_device *dev;
    const adn_device_ops *ops;
    adn_queue *q, *q2;
    adn_event *e;
    adn_layout *layout;
    adn_op *op[N_PLAN];
    void *memory, *weight;
    char bytes[64]; /* the host's, in use until the queues are done */
    int n_use;
} life;

/* Creates into `at`: on failure it must be as it was. */
#define CREATE(st, at, call)                                                                       \
    do {                                                                                           \
        (at) = (void *)&untouched;                                                                 \
        (st) = (call);                                                                             \
        if ((st) == ADN_OK) break;                                                                 \
        ck_assert_ptr_eq((void *)(at), (void *)&untouched);                                        \
        (at) = NULL;                                                                               \
        return (st);                                                                               \
    } while (0)
#define DO(st, call)                                                                               \
    do {                                                                                           \
        (st) = (call);                                                                             \
        if ((st) != ADN_OK) return (st);                                                           \
    } while (0)

static adn_op_desc conv(int n)
{
    adn_op_desc d = {.kind = ADN_OP_CONV_FWD, .type = ADN_F32, .src = input, .dst = map};
    d.src.n = d.dst.n = n;
    d.u.conv.kernel = 3;
    d.u.conv.stride = d.u.conv.pad = 1;
    return d;
}

static adn_status plan_all(life *l)
{
    adn_op_desc d[N_PLAN] = {conv(IMAGES), conv(1), conv(IMAGES)};
    adn_status st;

    for (int i = 0; i < 3; i++) d[i].layout = l->layout;
    d[2].kind = ADN_OP_CONV_GRAD_PARAM;
    d[3] = (adn_op_desc){.kind = ADN_OP_NORM_FWD, .type = ADN_F32, .src = map, .dst = map};
    d[3].u.norm.eps = 1e-5;
    d[4] = (adn_op_desc){
        .kind = ADN_OP_POOL_FWD, .type = ADN_F32, .src = map, .dst = {IMAGES, 3, 3, 8}};
    d[4].u.pool.kernel = d[4].u.pool.stride = 2;
    for (int i = 0; i < N_PLAN; i++) CREATE(st, l->op[i], l->ops->plan(l->q, &d[i], &l->op[i]));
    return ADN_OK;
}

static adn_status create_all(life *l)
{
    adn_queue_conf conf = {.name = "life", .n_thread = 1};
    adn_op_desc fwd = conv(IMAGES);
    adn_status st;

    CREATE(st, l->q, l->ops->queue_create(l->dev, &conf, &l->q));
    CREATE(st, l->q2, l->ops->queue_create(l->dev, &conf, &l->q2));
    CREATE(st, l->e, l->ops->event_create(l->dev, &l->e));
    CREATE(st, l->layout, l->ops->layout_create(l->q, &fwd, &l->layout));
    CREATE(st, l->memory, l->ops->alloc(l->dev, 1 << 16, &l->memory));
    CREATE(st, l->weight, l->ops->alloc(l->dev, l->layout->bytes, &l->weight));
    return plan_all(l);
}

static adn_status use_all(life *l)
{
    char *at = l->memory;
    double weight[8 * 3 * 9] = {0};
    adn_op_args args = {{[ADN_SRC] = at, [ADN_WEIGHT] = l->weight, [ADN_DST] = at + (1 << 14)},
                        {0}};
    adn_profile profile;
    adn_status st;

    args.p[ADN_WORKSPACE] = l->op[0]->workspace_bytes > 0 ? at + (1 << 15) : NULL;
    DO(st, l->ops->param_import(l->q, l->layout, l->weight, weight));
    DO(st, l->ops->upload(l->q, at, l->bytes, sizeof(l->bytes)));
    DO(st, l->ops->fill(l->q, at + 64, 1, 64));
    DO(st, l->ops->copy(l->q, at + 128, at, 64));
    if (l->op[0]->workspace_bytes <= 1 << 15) DO(st, adn_op_run(l->op[0], &args));
    DO(st, l->ops->event_record(l->q, l->e));
    DO(st, l->ops->event_wait(l->q2, l->e));
    DO(st, l->ops->download(l->q2, l->bytes, at + 64, sizeof(l->bytes)));
    DO(st, l->ops->event_sync(l->e));
    ck_assert(l->ops->event_query(l->e));
    DO(st, l->ops->param_export(l->q, l->layout, weight, l->weight));
    DO(st, l->ops->queue_profile(l->q, &profile));
    l->n_use++;
    ck_assert_int_eq(profile.copies.runs, 3 * l->n_use);
    if (l->op[0]->workspace_bytes <= 1 << 15) ck_assert_int_eq(l->op[0]->tally.runs, l->n_use);
    DO(st, l->ops->queue_sync(l->q2));
    ck_assert_int_eq(l->bytes[63], 1);
    return ADN_OK;
}

static void destroy_all(life *l, adn_status st)
{
    /* A failure may leave work under way, with operations and memory in use. */
    if (st != ADN_OK && l->q != NULL && l->ops->queue_sync(l->q) != ADN_OK)
        ck_abort_msg("a second failure");
    for (int i = 0; i < N_PLAN; i++) adn_op_destroy(l->op[i]);
    l->ops->queue_destroy(l->q2);
    l->ops->queue_destroy(l->q);
    l->ops->event_destroy(l->e);
    l->ops->layout_destroy(l->layout);
    l->ops->release(l->dev, l->memory);
    l->ops->release(l->dev, l->weight);
}

static adn_status live(adn_device *dev)
{
    life l = {.dev = dev, .ops = dev->ops};
    adn_status st = create_all(&l);
    if (st == ADN_OK) st = use_all(&l);
    destroy_all(&l, st);
    return st;
}

static const struct {
    const char *name;
    adn_status (*open)(adn_device **out);
} openers[] = {{"cpu", adn_cpu_open}};

static adn_device *open_faulty(size_t i)
{
    adn_device *inner = NULL, *dev = NULL;

    if (openers[i].open(&inner) != ADN_OK) return NULL;
    ck_assert_int_eq(adn_faulty_open(inner, &dev), ADN_OK);
    ck_assert_str_eq(dev->ops->name, openers[i].name);
    return dev;
}

START_TEST(each_call_that_fails_is_told_and_leaves_nothing)
{
    for (size_t i = 0; i < ADN_COUNT(openers); i++) {
        int64_t before = adn_alloc_live();
        adn_device *dev = open_faulty(i);
        if (dev == NULL) continue;
        int64_t opened = adn_alloc_live(), n = 0;
        adn_status st = ADN_DEVICE;
        while (st != ADN_OK) {
            adn_faulty_arm(dev, ++n);
            st = live(dev);
            ck_assert_msg(st == ADN_OK || st == ADN_DEVICE, "call %d: %s", (int)n,
                          adn_status_name(st));
            ck_assert_int_eq(st == ADN_OK, adn_faulty_calls(dev) < n);
            ck_assert_msg(adn_alloc_live() == opened, "call %d left %d blocks", (int)n,
                          (int)(adn_alloc_live() - opened));
        }
        ck_assert_int_ge(n, 20);
        dev->ops->close(dev);
        ck_assert_int_eq(adn_alloc_live(), before);
    }
}
END_TEST

START_TEST(an_armed_call_fails_once_and_is_logged)
{
    adn_device *dev = open_faulty(0);
    void *p = &untouched;

    adn_faulty_arm(dev, 2);
    ck_assert_int_eq(dev->ops->alloc(dev, 10, &p), ADN_OK);
    dev->ops->release(dev, p);
    p = &untouched;
    adn_test_log_clear();
    ck_assert_int_eq(dev->ops->alloc(dev, 10, &p), ADN_DEVICE);
    ck_assert_ptr_eq(p, &untouched);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "call 2 (alloc)"));
    ck_assert_int_eq(dev->ops->alloc(dev, 10, &p), ADN_OK);
    ck_assert_int_eq(adn_faulty_calls(dev), 3);
    dev->ops->release(dev, p);
    adn_faulty_arm(dev, 0);
    ck_assert_int_eq(adn_faulty_calls(dev), 0);
    dev->ops->close(dev);
}
END_TEST

START_TEST(shorthands_go_through_the_faulty_table_too)
{
    adn_device *dev = open_faulty(0);
    life l = {.dev = dev, .ops = dev->ops};
    adn_op_args args = {{0}, {0}};

    ck_assert_int_eq(create_all(&l), ADN_OK);
    adn_faulty_arm(dev, 1);
    ck_assert_int_eq(adn_op_run(l.op[1], &args),
                     ADN_DEVICE); /* nothing is run: no memory is given */
    ck_assert_int_eq(adn_faulty_calls(dev), 1);
    ck_assert_ptr_eq(l.q->dev, dev);
    ck_assert_ptr_eq(l.e->dev, dev);
    ck_assert_ptr_eq(l.layout->dev, dev);
    destroy_all(&l, ADN_OK);
    dev->ops->close(dev);
}
END_TEST

START_TEST(each_allocation_that_fails_is_told_and_leaves_nothing)
{
    for (size_t i = 0; i < ADN_COUNT(openers); i++) {
        adn_device *dev = NULL;
        if (openers[i].open(&dev) != ADN_OK) continue;
        int64_t opened = adn_alloc_live(), n = 0;
        adn_status st = ADN_NOMEM;
        while (st != ADN_OK) {
            adn_alloc_fail_at(++n);
            st = live(dev);
            adn_alloc_fail_at(0);
            ck_assert_msg(st == ADN_OK || st == ADN_NOMEM, "allocation %d: %s", (int)n,
                          adn_status_name(st));
            ck_assert_msg(adn_alloc_live() == opened, "allocation %d left %d blocks", (int)n,
                          (int)(adn_alloc_live() - opened));
        }
        ck_assert_int_ge(n, 8);
        dev->ops->close(dev);
    }
}
END_TEST

START_TEST(a_device_that_cannot_open_owes_nothing)
{
    adn_device *poison = (adn_device *)(void *)&untouched, *dev = poison, *inner = NULL;
    int64_t before = adn_alloc_live();

    adn_alloc_fail_at(1);
    ck_assert_int_eq(adn_cpu_open(&dev), ADN_NOMEM);
    ck_assert_ptr_eq(dev, poison);
    ck_assert_int_eq(adn_cpu_open(&inner), ADN_OK);
    adn_alloc_fail_at(1);
    ck_assert_int_eq(adn_faulty_open(inner, &dev), ADN_NOMEM);
    ck_assert_ptr_eq(dev, poison);
    inner->ops->close(inner); /* still ours */
    ck_assert_int_eq(adn_alloc_live(), before);
}
END_TEST

START_TEST(a_run_allocates_nothing)
{
    adn_device *dev = NULL;
    ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
    life l = {.dev = dev, .ops = dev->ops};

    ck_assert_int_eq(create_all(&l), ADN_OK);
    uint64_t calls = adn_alloc_calls();
    for (int k = 0; k < 3; k++) ck_assert_int_eq(use_all(&l), ADN_OK);
    ck_assert_uint_eq(adn_alloc_calls(), calls);
    destroy_all(&l, ADN_OK);
    dev->ops->close(dev);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faulty");
    TCase *tc = tcase_create("faulty");

    tcase_add_test(tc, each_call_that_fails_is_told_and_leaves_nothing);
    tcase_add_test(tc, an_armed_call_fails_once_and_is_logged);
    tcase_add_test(tc, shorthands_go_through_the_faulty_table_too);
    tcase_add_test(tc, each_allocation_that_fails_is_told_and_leaves_nothing);
    tcase_add_test(tc, a_device_that_cannot_open_owes_nothing);
    tcase_add_test(tc, a_run_allocates_nothing);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
