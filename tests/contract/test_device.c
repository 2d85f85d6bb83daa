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
        ck_assert(o->queue_create != NULL && o->queue_destroy != NULL && o->queue_sync != NULL);
        ck_assert(o->queue_profile != NULL && o->queue_rates != NULL);
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

static void check_on(adn_queue *q, const op_case *c, const op_data *start, const op_data *wanted)
{
    op_data got;

    op_data_copy(&got, start, c);
    const char *algo = op_run(q, c, &got);
    op_data_compare(c, &got, wanted, algo);
    op_data_clear(&got);
}

static void check_case(const op_case *c, void *user)
{
    bool is_f64 = c->desc.type == ADN_F64;
    op_data start, wanted;

    (void)user;
    if (is_f64 && c->is_integer) return; /* nothing new */
    op_data_init(&start, c, 7);
    op_data_copy(&wanted, &start, c);
    op_run_loops(c, &wanted);
    for (int i = 0; i < all.n; i++)
        for (int k = 0; k < (is_f64 ? all.one[i].has_f64 : all.one[i].n_queue); k++)
            check_on(all.one[i].queues[k], c, &start, &wanted);
    op_data_clear(&start);
    op_data_clear(&wanted);
}

START_TEST(each_operation_agrees_with_its_loop)
{
    op_cases_each((adn_op_kind)_i, ADN_F32, check_case, NULL);
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
        for (adn_op_kind kind = 0; kind < ADN_N_OP; kind++)
            op_cases_each(kind, ADN_F32, check_empty, all.one[i].queues[1]);
}
END_TEST

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

START_TEST(an_update_after_a_halt_changes_nothing)
{
    op_case c = small(ADN_OP_SGD, (adn_shape){1, 1, 1, 70}, (adn_shape){1, 1, 1, 70});

    c.value[0] = c.value[1] = c.value[3] = 1;
    c.halt = 1;
    for (int i = 0; i < all.n; i++) {
        op_data before, after;
        op_data_init(&before, &c, 1);
        op_data_copy(&after, &before, &c);
        op_run(all.one[i].queues[0], &c, &after);
        ck_assert_mem_eq(after.p[ADN_WEIGHT], before.p[ADN_WEIGHT], 70 * sizeof(double));
        ck_assert_mem_eq(after.p[ADN_MOMENTUM], before.p[ADN_MOMENTUM], 70 * sizeof(double));
        ck_assert_int_eq(*(int32_t *)after.p[ADN_HALT], 1);
        op_data_clear(&before);
        op_data_clear(&after);
    }
}
END_TEST

/* ---- what is not finite ---- */

START_TEST(what_is_not_a_number_passes_through_to_the_loss)
{
    static const adn_op_kind kinds[] = {ADN_OP_RELU_FWD, ADN_OP_ADD, ADN_OP_NORM_INFER,
                                        ADN_OP_NORM_FWD, ADN_OP_POOL_FWD};
    adn_shape map = {2, 4, 4, 40}, pooled = {2, 2, 2, 40};

    for (int i = 0; i < all.n; i++)
        for (size_t k = 0; k < ADN_COUNT(kinds); k++) {
            op_case c = small(kinds[k], map, kinds[k] == ADN_OP_POOL_FWD ? pooled : map);
            op_data d;
            if (kinds[k] == ADN_OP_POOL_FWD) {
                c.desc.u.pool.kind = ADN_POOL_MAX;
                c.desc.u.pool.kernel = c.desc.u.pool.stride = 2;
            } else
                c.desc.u.norm.relu = true;
            op_data_init(&d, &c, 5);
            ((double *)d.p[ADN_SRC])[37] = NAN; /* channel 37 of the first place */
            op_run(all.one[i].queues[0], &c, &d);
            ck_assert_msg(isnan(item(&d, ADN_DST, 37)), "%s", op_case_text(&c));
            ck_assert_msg(!isnan(item(&d, ADN_DST, 36)), "%s", op_case_text(&c));
            op_data_clear(&d);
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

int main(void)
{
    Suite *suite = suite_create("device");
    TCase *rows = tcase_create("rows"), *ops = tcase_create("operations"),
          *known = tcase_create("known answers"), *rest = tcase_create("rest");

    devices_open(&all);
    tcase_add_test(rows, every_required_entry_of_every_device_is_set);
    tcase_add_loop_test(rows, every_kind_has_its_rows, 0, ADN_N_OP);
    tcase_set_timeout(ops, 0);
    tcase_add_loop_test(ops, each_operation_agrees_with_its_loop, 0, ADN_N_OP);
    tcase_add_loop_test(ops, each_operation_in_double_is_its_loop, 0, ADN_N_OP);
    tcase_add_test(ops, an_empty_batch_touches_nothing_and_its_sums_are_zero);
    tcase_add_test(known, a_convolution_by_hand);
    tcase_add_test(known, running_statistics_move_as_pytorchs);
    tcase_add_test(known, a_maximum_is_the_first_of_the_largest);
    tcase_add_test(known, adaptive_windows_are_pytorchs);
    tcase_add_test(known, the_loss_is_pytorchs_with_smoothing_and_two_classes);
    tcase_add_test(known, a_hit_is_a_label_whose_score_is_the_first_of_the_largest);
    tcase_add_test(known, sgd_takes_pytorchs_steps);
    tcase_add_test(known, an_update_after_a_halt_changes_nothing);
    tcase_add_test(rest, what_is_not_a_number_passes_through_to_the_loss);
    tcase_add_test(rest, a_loss_that_is_not_finite_halts_and_a_good_one_clears_nothing);
    tcase_add_test(rest, weights_come_back_from_their_layout_and_fill_all_of_it);
    tcase_add_test(rest, an_operation_knows_its_multiply_adds_and_bytes);
    suite_add_tcase(suite, rows);
    suite_add_tcase(suite, ops);
    suite_add_tcase(suite, known);
    suite_add_tcase(suite, rest);
    int result = adn_suite_run(suite);
    devices_close(&all);
    return result;
}
