/* The device table's operations: every kind, over every device that opens, against the loops in
 * double. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/cpu/cpu.h"
#include "devices.h"
#include "op_run.h"
#include "suite.h"

static devices all;

/* ---- what there must be ---- */

START_TEST(every_required_entry_of_every_device_is_set)
{
    for (int i = 0; i < all.n; i++) {
        const adn_device_ops *o = all.one[i].dev->ops;
        ck_assert_str_eq(o->name, all.one[i].name);
        ck_assert(o->close != NULL && o->alloc != NULL && o->release != NULL);
        ck_assert(o->host_alloc != NULL && o->host_release != NULL && o->memory_free != NULL);
        ck_assert(o->queue_create != NULL && o->queue_destroy != NULL && o->queue_sync != NULL);
        ck_assert(o->queue_profile != NULL && o->queue_rates != NULL);
        ck_assert(o->range_begin != NULL && o->range_end != NULL);
        ck_assert(o->event_create != NULL && o->event_destroy != NULL && o->event_record != NULL);
        ck_assert(o->event_wait != NULL && o->event_sync != NULL && o->event_query != NULL);
        ck_assert(o->upload != NULL && o->download != NULL && o->copy != NULL && o->fill != NULL);
        ck_assert(o->layout_create != NULL && o->layout_destroy != NULL);
        ck_assert(o->param_import != NULL && o->param_export != NULL);
        ck_assert(o->plan != NULL && o->run != NULL && o->op_destroy != NULL);
    }
}
END_TEST

typedef struct tally {
    int n, n_empty, n_single, n_odd;
} tally;

static void count_case(const op_case *c, void *user)
{
    tally *t = user;
    t->n++;
    t->n_empty += adn_shape_count(c->desc.src) == 0;
    t->n_single += adn_shape_count(c->desc.src) == 1 || c->desc.src.n == 1;
    t->n_odd += c->desc.src.c % 16 != 0;
}

START_TEST(every_kind_has_its_rows)
{
    adn_op_kind kind = (adn_op_kind)_i;
    tally t = {0};

    ck_assert_ptr_nonnull(adn_op_infos[kind].name);
    ck_assert_ptr_nonnull(adn_ref_float(kind));
    ck_assert_ptr_nonnull(adn_ref_double(kind));
    for (int k = 0; adn_cpu_isa_at(k) != NULL; k++)
        ck_assert_ptr_nonnull(adn_cpu_isa_at(k)->ways[kind]);
    ck_assert_ptr_nonnull(op_tolerance_of(kind, NULL));
    ck_assert_ptr_nonnull(op_tolerance_of(kind, NULL)->reason);
    op_cases_each(kind, ADN_F32, count_case, &t);
    ck_assert_msg(t.n >= 7 && t.n_empty > 0 && t.n_single > 0 && t.n_odd > 0,
                  "%s: %d cases, %d empty, %d single", adn_op_infos[kind].name, t.n, t.n_empty,
                  t.n_single);
}
END_TEST

/* ---- the operations ---- */

/* By tiles all sums but those for norms have one order, whatever the team. */
static void check_same(const op_case *c, const op_data *got, const op_data *first, const char *algo)
{
    if (strcmp(algo, "amx") != 0) return;
    for (adn_role r = 0; r < ADN_N_ROLE; r++)
        if (got->p[r] != NULL && r != ADN_SUMS)
            ck_assert_msg(memcmp(got->p[r], first->p[r], got->count[r] * op_item_bytes(c, r)) == 0,
                          "%s: the team changes bits of role %d", op_case_text(c), (int)r);
}

/* By each of a device's first n queues, whose teams differ. */
static void check_on(adn_queue *const *queues, int n, const op_case *c, const op_data *start,
                     const op_data *wanted)
{
    op_data got[DEVICE_QUEUES];

    for (int k = 0; k < n; k++) {
        op_data_copy(&got[k], start, c);
        const char *algo = op_run(queues[k], c, &got[k]);
        op_data_compare(c, &got[k], wanted, algo);
        check_same(c, &got[k], &got[0], algo);
    }
    for (int k = 0; k < n; k++) op_data_clear(&got[k]);
}

static void check_case(const op_case *c, void *user)
{
    bool is_f64 = c->desc.type == ADN_F64;
    op_data start, wanted;

    (void)user;
    if (is_f64 && c->is_integer) return; /* nothing new */
    op_data_init(&start, c, OP_SEED);
    op_data_copy(&wanted, &start, c);
    op_run_loops(c, &wanted);
    for (int i = 0; i < all.n; i++)
        check_on(all.one[i].queues, is_f64 ? all.one[i].has_f64 : all.one[i].n_team, c, &start,
                 &wanted);
    op_data_clear(&start);
    op_data_clear(&wanted);
}

START_TEST(each_operation_agrees_with_its_loop)
{
    op_cases_each((adn_op_kind)_i, ADN_F32, check_case, NULL);
}
END_TEST

START_TEST(each_operation_over_bf16_agrees_with_its_loop)
{
    op_cases_each((adn_op_kind)_i, ADN_BF16, check_case, NULL);
}
END_TEST

START_TEST(each_operation_in_double_is_its_loop)
{
    op_cases_each((adn_op_kind)_i, ADN_F64, check_case, NULL);
}
END_TEST

/* An empty batch: what is written holds what it held, but sums over the batch are zero. */
static void check_empty(const op_case *c, void *user)
{
    op_data data;

    if (c->desc.src.n != 0) return;
    op_data_init(&data, c, 3);
    op_run(user, c, &data);
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (data.p[r] == NULL || !op_is_real(c, r)) continue;
        bool is_only_written = adn_op_infos[c->desc.kind].role[r] == ADN_WRITE;
        bool is_sum = r == ADN_GRAD_WEIGHT || r == ADN_GRAD_BIAS || r == ADN_SUMS;
        double value = is_sum ? 0 : OP_UNSET;
        for (size_t k = 0; is_only_written && k < data.count[r]; k++)
            if (((double *)data.p[r])[k] != value)
                ck_abort_msg("%s: role %d", op_case_text(c), (int)r);
    }
    if (data.p[ADN_RESULT] != NULL) {
        const adn_loss_result *result = data.p[ADN_RESULT];
        ck_assert(result->loss_sum == 0 && result->hits == 0 && result->n == 0);
    }
    op_data_clear(&data);
}

START_TEST(an_empty_batch_touches_nothing_and_its_sums_are_zero)
{
    for (int i = 0; i < all.n; i++)
        for (adn_op_kind kind = 0; kind < ADN_N_OP; kind++) {
            op_cases_each(kind, ADN_F32, check_empty, all.one[i].queues[1]);
            op_cases_each(kind, ADN_BF16, check_empty, all.one[i].queues[1]);
        }
}
END_TEST

/* ---- layouts ---- */

static void check_layout(const op_case *c, void *user)
{
    adn_queue *q = user;
    const adn_device_ops *ops = q->dev->ops;
    adn_op_desc fwd = c->desc;
    adn_layout *l = NULL;
    op_data d;
    char *images[2];
    void *device;

    if (c->is_integer) return;
    op_data_init(&d, c, 11);
    size_t n = d.count[ADN_WEIGHT];
    fwd.src.n = fwd.dst.n = c->layout_n;
    ck_assert_int_eq(ops->layout_create(q, &fwd, &l), ADN_OK);
    ck_assert_uint_ge(l->bytes, n * adn_type_bytes(fwd.type));
    ck_assert_ptr_eq(l->dev, q->dev);
    ck_assert_ptr_nonnull(l->algo);
    ck_assert_int_eq(ops->alloc(q->dev, l->bytes, &device), ADN_OK);
    double *back = adn_alloc(n * sizeof(double));
    for (int i = 0; i < 2; i++) { /* over zeros, and over other bytes */
        images[i] = adn_alloc(l->bytes);
        ck_assert_int_eq(ops->fill(q, device, i == 0 ? 0 : 0x5a, l->bytes), ADN_OK);
        ck_assert_int_eq(ops->param_import(q, l, device, d.p[ADN_WEIGHT]), ADN_OK);
        ck_assert_int_eq(ops->param_export(q, l, back, device), ADN_OK);
        ck_assert_msg(memcmp(back, d.p[ADN_WEIGHT], n * sizeof(double)) == 0, "%s",
                      op_case_text(c));
        ck_assert_int_eq(ops->download(q, images[i], device, l->bytes), ADN_OK);
        ck_assert_int_eq(ops->queue_sync(q), ADN_OK);
    }
    ck_assert_msg(memcmp(images[0], images[1], l->bytes) == 0, "%s: bytes that import leaves",
                  op_case_text(c));
    for (int i = 0; i < 2; i++) adn_free(images[i]);
    adn_free(back);
    ops->release(q->dev, device);
    ops->layout_destroy(l);
    op_data_clear(&d);
}

START_TEST(weights_come_back_from_their_layout_and_fill_all_of_it)
{
    for (int i = 0; i < all.n; i++)
        for (int f64 = 0; f64 <= all.one[i].has_f64; f64++) {
            op_cases_each(ADN_OP_CONV_FWD, f64 ? ADN_F64 : ADN_F32, check_layout,
                          all.one[i].queues[1]);
            op_cases_each(ADN_OP_LINEAR_FWD, f64 ? ADN_F64 : ADN_F32, check_layout,
                          all.one[i].queues[1]);
        }
}
END_TEST

/* ---- sizes that device.c tells ---- */

START_TEST(an_operation_knows_its_multiply_adds_and_bytes)
{
    adn_op_desc d = {.kind = ADN_OP_CONV_FWD, .src = {2, 4, 4, 3}, .dst = {2, 2, 2, 5}};
    d.u.conv.kernel = 3;
    d.u.conv.stride = 2;
    d.u.conv.pad = 1;
    ck_assert_double_eq(adn_op_macs(&d), 2 * 2 * 2 * 5 * 3 * 9);
    d.kind = ADN_OP_LINEAR_FWD;
    d.dst = (adn_shape){2, 1, 1, 7};
    ck_assert_double_eq(adn_op_macs(&d), 2 * 7 * 48);
    d = (adn_op_desc){.kind = ADN_OP_ADD, .src = {2, 3, 4, 5}, .dst = {2, 3, 4, 5}};
    ck_assert_double_eq(adn_op_macs(&d), 0);
    ck_assert_double_eq(adn_op_bytes(&d), 3 * 120 * 4);
    d.kind = ADN_OP_NORMALISE;
    ck_assert_double_eq(adn_op_bytes(&d), 120 + 120 * 4);
    ck_assert_uint_eq(adn_op_role_bytes(&d, ADN_WEIGHT), 0);
}
END_TEST

/* Of the 36 taps of 2x2 places 16 fall inside. ThreadSanitizer's builds have the loops alone, and
 * what cuDNN does it does not say. */
START_TEST(taps_outside_a_small_map_cost_nothing)
{
    adn_op_desc d = {.kind = ADN_OP_CONV_FWD, .src = {3, 2, 2, 20}, .dst = {3, 2, 2, 7}};
    d.u.conv.kernel = 3;
    d.u.conv.stride = d.u.conv.pad = 1;
    for (int i = 0; i < all.n; i++) {
        adn_queue *q = all.one[i].queues[0];
        adn_layout *l = NULL;
        adn_op *op = NULL;
        d.layout = NULL;
        ck_assert_int_eq(q->dev->ops->layout_create(q, &d, &l), ADN_OK);
        d.layout = l;
        ck_assert_int_eq(q->dev->ops->plan(q, &d, &op), ADN_OK);
        bool knows = strcmp(op->algo, "loops") != 0 && strcmp(op->algo, "cudnn") != 0;
        ck_assert_double_eq(op->macs, (knows ? 16 : 36) * 3 * 20 * 7);
        adn_op_destroy(op);
        q->dev->ops->layout_destroy(l);
    }
}
END_TEST

/* A kind's tests, under its name: CK_RUN_CASE=conv_fwd runs them alone, CK_INCLUDE_TAGS=conv those
 * of convolutions, which take half of the time. */
static TCase *case_of(adn_op_kind kind)
{
    TCase *tc = tcase_create(adn_op_infos[kind].name);

    if (strncmp(adn_op_infos[kind].name, "conv_", strlen("conv_")) == 0) tcase_set_tags(tc, "conv");
    tcase_set_timeout(tc, 0);
    tcase_add_loop_test(tc, each_operation_agrees_with_its_loop, (int)kind, (int)kind + 1);
    tcase_add_loop_test(tc, each_operation_over_bf16_agrees_with_its_loop, (int)kind,
                        (int)kind + 1);
    tcase_add_loop_test(tc, each_operation_in_double_is_its_loop, (int)kind, (int)kind + 1);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("device");
    TCase *rows = tcase_create("rows"), *rest = tcase_create("rest");

    devices_open(&all);
    tcase_add_test(rows, every_required_entry_of_every_device_is_set);
    tcase_add_loop_test(rows, every_kind_has_its_rows, 0, ADN_N_OP);
    tcase_set_timeout(rest, 0);
    tcase_add_test(rest, an_empty_batch_touches_nothing_and_its_sums_are_zero);
    tcase_add_test(rest, weights_come_back_from_their_layout_and_fill_all_of_it);
    tcase_add_test(rest, an_operation_knows_its_multiply_adds_and_bytes);
    tcase_add_test(rest, taps_outside_a_small_map_cost_nothing);
    suite_add_tcase(suite, rows);
    for (adn_op_kind kind = 0; kind < ADN_N_OP; kind++) suite_add_tcase(suite, case_of(kind));
    suite_add_tcase(suite, rest);
    int result = adn_suite_run(suite);
    devices_close(&all);
    return result;
}
