/* Gradients of single operations against central differences in double, through the device table.
 *
 * For an operation y = f(x1, x2, ...) and fixed random numbers c, the gradients of s = sum c y
 * along one random direction v of all its inputs at once must be (s(x + h v) - s(x - h v)) / 2h. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "op_run.h"
#include "suite.h"

static adn_device *dev;
static adn_queue *queue;

/* h^2 cuts off about 1e-10, roundings cost about 1e-16 / h = 1e-11, relative to what is summed. */
static const double h = 1e-5;

/* A gradient that comes out of `grad`'s role belongs to fwd's input `of`. */
typedef struct slope {
    const op_case *grad;
    adn_role from, of;
} slope;

typedef struct check {
    op_case fwd;
    op_case grads[2]; /* operations that compute the gradients */
    int n_grad;
    slope slopes[3];
    int n_slope;
} check;

static double random_number(uint64_t stream, size_t k)
{
    return 2 * (double)adn_rng_unit(adn_rng_draw(5, ADN_RNG_TEST, stream, k).u[0]) - 1;
}

enum { STREAM_C = 100, STREAM_V = 200 };

/* s at x + by * v; `out` (if not NULL) takes all of the forward run's data. */
static double value_at(const check *k, const op_data *x, double by, op_data *out)
{
    op_data d;
    double sum = 0;

    op_data_copy(&d, x, &k->fwd);
    for (int i = 0; i < k->n_slope; i++) {
        adn_role r = k->slopes[i].of;
        for (size_t j = 0; j < d.count[r]; j++)
            ((double *)d.p[r])[j] += by * random_number(STREAM_V + (uint64_t)r, j);
    }
    op_run(queue, &k->fwd, &d);
    if (k->fwd.desc.kind == ADN_OP_LOSS)
        sum = ((adn_loss_result *)d.p[ADN_RESULT])->loss_sum / k->fwd.desc.src.n;
    else
        for (size_t j = 0; j < d.count[ADN_DST]; j++)
            sum += random_number(STREAM_C, j) * ((double *)d.p[ADN_DST])[j];
    if (out != NULL)
        *out = d;
    else
        op_data_clear(&d);
    return sum;
}

/* The gradient operation's inputs: what the forward run took and gave, and c as the gradient of
 * dst. */
static void take_inputs(const op_case *grad, op_data *g, const op_data *fwd)
{
    for (adn_role r = 0; r < ADN_N_ROLE; r++)
        if (g->p[r] != NULL && fwd->p[r] != NULL &&
            (adn_op_infos[grad->desc.kind].role[r] & ADN_READ) != 0)
            memcpy(g->p[r], fwd->p[r], g->count[r] * (op_is_real(grad, r) ? sizeof(double) : 1));
    for (size_t j = 0; g->p[ADN_GRAD_DST] != NULL && j < g->count[ADN_GRAD_DST]; j++)
        ((double *)g->p[ADN_GRAD_DST])[j] = random_number(STREAM_C, j);
}

static double along(const op_data *g, adn_role from, adn_role of, double *size)
{
    double sum = 0;
    for (size_t j = 0; j < g->count[from]; j++) {
        double term = ((double *)g->p[from])[j] * random_number(STREAM_V + (uint64_t)of, j);
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static void check_grads(const check *k)
{
    op_data x, at_x;
    double sum = 0, size = 0;

    op_data_init(&x, &k->fwd, 9);
    double difference = (value_at(k, &x, h, NULL) - value_at(k, &x, -h, NULL)) / (2 * h);
    value_at(k, &x, 0, &at_x);
    for (int i = 0; i < k->n_grad; i++) {
        op_data g;
        op_data_init(&g, &k->grads[i], 9);
        take_inputs(&k->grads[i], &g, &at_x);
        op_run(queue, &k->grads[i], &g);
        for (int j = 0; j < k->n_slope; j++)
            if (k->slopes[j].grad == &k->grads[i])
                sum += along(&g, k->slopes[j].from, k->slopes[j].of, &size);
        op_data_clear(&g);
    }
    for (int j = 0; j < k->n_slope; j++) /* the loss gives its own */
        if (k->slopes[j].grad == &k->fwd)
            sum += along(&at_x, k->slopes[j].from, k->slopes[j].of, &size);
    ck_assert_msg(size > 0.1 && fabs(sum - difference) < 1e-6 * fabs(difference),
                  "%s: gradients say %.12g, differences %.12g", op_case_text(&k->fwd), sum,
                  difference);
    op_data_clear(&at_x);
    op_data_clear(&x);
}

static op_case in_double(adn_op_kind kind, adn_shape src, adn_shape dst)
{
    return (op_case){.desc = {.kind = kind, .type = ADN_F64, .src = src, .dst = dst},
                     .layout_n = src.n};
}

static void add_grad(check *k, adn_op_kind kind)
{
    k->grads[k->n_grad] = k->fwd;
    k->grads[k->n_grad++].desc.kind = kind;
}

static void add_slope(check *k, const op_case *grad, adn_role from, adn_role of)
{
    k->slopes[k->n_slope++] = (slope){grad, from, of};
}

/* Convolution and linear layer alike. */
static void check_weighted(op_case fwd, adn_op_kind grad_src, adn_op_kind grad_param)
{
    check k = {.fwd = fwd};
    add_grad(&k, grad_src);
    add_grad(&k, grad_param);
    add_slope(&k, &k.grads[0], ADN_GRAD_SRC, ADN_SRC);
    add_slope(&k, &k.grads[1], ADN_GRAD_WEIGHT, ADN_WEIGHT);
    if (fwd.desc.u.conv.has_bias) add_slope(&k, &k.grads[1], ADN_GRAD_BIAS, ADN_BIAS);
    check_grads(&k);
}

START_TEST(a_convolutions_gradients_are_its_slopes)
{
    static const struct {
        int n, h, w, i, o, kernel, stride, pad;
        bool has_bias;
    } rows[] = {
        {3, 5, 6, 4, 7, 3, 1, 1, true},   {2, 7, 5, 3, 2, 3, 2, 1, false},
        {2, 6, 6, 5, 4, 5, 1, 2, true},   {3, 4, 4, 6, 3, 1, 1, 0, false},
        {2, 7, 7, 2, 3, 1, 2, 0, true},   {1, 5, 5, 3, 3, 3, 1, 0, true},
        {2, 2, 2, 70, 3, 3, 1, 1, false},
    };

    for (size_t r = 0; r < ADN_COUNT(rows); r++) {
        int kernel = rows[r].kernel, stride = rows[r].stride, pad = rows[r].pad;
        adn_shape src = {rows[r].n, rows[r].h, rows[r].w, rows[r].i};
        adn_shape dst = {src.n, (src.h + 2 * pad - kernel) / stride + 1,
                         (src.w + 2 * pad - kernel) / stride + 1, rows[r].o};
        op_case c = in_double(ADN_OP_CONV_FWD, src, dst);
        c.desc.u.conv.kernel = kernel;
        c.desc.u.conv.stride = stride;
        c.desc.u.conv.pad = pad;
        c.desc.u.conv.has_bias = rows[r].has_bias;
        check_weighted(c, ADN_OP_CONV_GRAD_SRC, ADN_OP_CONV_GRAD_PARAM);
    }
}
END_TEST

START_TEST(a_linear_layers_gradients_are_its_slopes)
{
    static const adn_shape shapes[] = {{5, 1, 1, 7}, {3, 2, 3, 4}, {1, 1, 1, 130}};

    for (size_t r = 0; r < ADN_COUNT(shapes); r++) {
        op_case c = in_double(ADN_OP_LINEAR_FWD, shapes[r], (adn_shape){shapes[r].n, 1, 1, 6});
        c.desc.u.conv.has_bias = r != 1;
        check_weighted(c, ADN_OP_LINEAR_GRAD_SRC, ADN_OP_LINEAR_GRAD_PARAM);
    }
}
END_TEST

START_TEST(a_norms_gradients_are_its_slopes)
{
    static const adn_shape maps[] = {{4, 3, 5, 6}, {7, 1, 1, 3}, {2, 4, 4, 70}};

    for (size_t r = 0; r < ADN_COUNT(maps) * 2; r++) {
        check k = {.fwd = in_double(ADN_OP_NORM_FWD, maps[r / 2], maps[r / 2])};
        k.fwd.desc.u.norm.eps = 1e-3;
        k.fwd.desc.u.norm.momentum = 0.1;
        k.fwd.desc.u.norm.relu = r % 2 == 1;
        add_grad(&k, ADN_OP_NORM_GRAD);
        add_slope(&k, &k.grads[0], ADN_GRAD_SRC, ADN_SRC);
        add_slope(&k, &k.grads[0], ADN_GRAD_WEIGHT, ADN_WEIGHT);
        add_slope(&k, &k.grads[0], ADN_GRAD_BIAS, ADN_BIAS);
        check_grads(&k);
    }
}
END_TEST

START_TEST(a_relus_gradient_is_its_slope)
{
    adn_shape map = {3, 4, 5, 6};
    check k = {.fwd = in_double(ADN_OP_RELU_FWD, map, map)};
    add_grad(&k, ADN_OP_RELU_GRAD);
    add_slope(&k, &k.grads[0], ADN_GRAD_SRC, ADN_SRC);
    check_grads(&k);
}
END_TEST

/* Both summands have the sum's gradient, through its ReLU. */
START_TEST(a_sums_gradient_is_that_of_its_relu)
{
    adn_shape map = {3, 4, 5, 6};
    check k = {.fwd = in_double(ADN_OP_ADD, map, map)};
    k.fwd.desc.u.norm.relu = true;
    add_grad(&k, ADN_OP_RELU_GRAD);
    add_slope(&k, &k.grads[0], ADN_GRAD_SRC, ADN_SRC);
    add_slope(&k, &k.grads[0], ADN_GRAD_SRC, ADN_SRC2);
    check_grads(&k);
}
END_TEST

START_TEST(a_pools_gradient_is_its_slope)
{
    static const struct {
        adn_pool_kind kind;
        int h, w, kernel, stride, out_h, out_w;
    } rows[] = {
        {ADN_POOL_MAX, 8, 6, 2, 2, 4, 3},          {ADN_POOL_MAX, 7, 9, 3, 2, 3, 4},
        {ADN_POOL_AVG, 8, 6, 2, 2, 4, 3},          {ADN_POOL_AVG, 7, 9, 3, 2, 3, 4},
        {ADN_POOL_ADAPTIVE_AVG, 8, 6, 0, 0, 1, 1}, {ADN_POOL_ADAPTIVE_AVG, 7, 9, 0, 0, 3, 4},
    };

    for (size_t r = 0; r < ADN_COUNT(rows); r++) {
        adn_shape src = {3, rows[r].h, rows[r].w, 5}, dst = {3, rows[r].out_h, rows[r].out_w, 5};
        check k = {.fwd = in_double(ADN_OP_POOL_FWD, src, dst)};
        k.fwd.desc.u.pool.kind = rows[r].kind;
        k.fwd.desc.u.pool.kernel = rows[r].kernel;
        k.fwd.desc.u.pool.stride = rows[r].stride;
        add_grad(&k, ADN_OP_POOL_GRAD);
        add_slope(&k, &k.grads[0], ADN_GRAD_SRC, ADN_SRC);
        check_grads(&k);
    }
}
END_TEST

/* Labels of one and of two classes come from the case's seed. */
START_TEST(the_losss_gradient_is_its_slope)
{
    static const double smoothings[] = {0, 0.1};
    static const adn_shape scores[] = {{6, 1, 1, 4}, {1, 1, 1, 10}, {33, 1, 1, 100}};

    for (size_t r = 0; r < ADN_COUNT(scores) * ADN_COUNT(smoothings); r++) {
        check k = {.fwd = in_double(ADN_OP_LOSS, scores[r / 2], scores[r / 2])};
        k.fwd.desc.u.loss.smoothing = smoothings[r % 2];
        add_slope(&k, &k.fwd, ADN_GRAD_SRC, ADN_SRC);
        check_grads(&k);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grad");
    TCase *tc = tcase_create("differences");
    adn_queue_conf conf = {.name = "grad", .n_thread = 1};

    ADN_ASSERT(adn_cpu_open(&dev) == ADN_OK &&
               dev->ops->queue_create(dev, &conf, &queue) == ADN_OK);
    tcase_add_test(tc, a_convolutions_gradients_are_its_slopes);
    tcase_add_test(tc, a_linear_layers_gradients_are_its_slopes);
    tcase_add_test(tc, a_norms_gradients_are_its_slopes);
    tcase_add_test(tc, a_relus_gradient_is_its_slope);
    tcase_add_test(tc, a_sums_gradient_is_that_of_its_relu);
    tcase_add_test(tc, a_pools_gradient_is_its_slope);
    tcase_add_test(tc, the_losss_gradient_is_its_slope);
    suite_add_tcase(suite, tc);
    int result = adn_suite_run(suite);
    dev->ops->queue_destroy(queue);
    dev->ops->close(dev);
    return result;
}
