/* Data of operations' cases, the loops' answer, the table of tolerances. */
#include "op_case.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/bf16.h"
#include "core/rng.h"
#include "device/cpu/cpu.h"

/* One row a kind; a way (algo) that computes otherwise has a row of its own. In units of float:
 * other types scale by their epsilon. A sum of L products of numbers up to 1 has partial sums of
 * about sqrt(L), each rounded by half an epsilon, and L such errors add up like a random walk:
 * about L epsilons in all, hence `absolute` times the length. */
static const op_tolerance tolerances[] = {
    {ADN_OP_CONV_FWD, NULL, 1e-6, 1e-7, true, "a sum of kernel^2 c products"},
    {ADN_OP_CONV_GRAD_SRC, NULL, 1e-6, 1e-7, true, "a sum of at most kernel^2 c products"},
    {ADN_OP_CONV_GRAD_PARAM, NULL, 1e-6, 1e-7, true, "a sum over the batch's places"},
    {ADN_OP_CONV_FWD, "winograd", 1e-6, 8e-7, false,
     "the transforms' factors reach 4.5 and 1/6: sums and differences that cancel"},
    {ADN_OP_CONV_GRAD_SRC, "winograd", 1e-6, 8e-7, false, "likewise"},
    {ADN_OP_CONV_GRAD_PARAM, "winograd", 1e-6, 8e-7, false, "likewise"},
    {ADN_OP_LINEAR_FWD, NULL, 1e-6, 1e-7, true, "a sum of h w c products"},
    {ADN_OP_LINEAR_GRAD_SRC, NULL, 1e-6, 1e-7, true, "a sum of c products"},
    {ADN_OP_LINEAR_GRAD_PARAM, NULL, 1e-6, 1e-7, true, "a sum over the batch"},
    {ADN_OP_NORM_FWD, NULL, 2e-6, 5e-7, false,
     "x is rounded, then scaled: `absolute` times weight / std"},
    {ADN_OP_NORM_INFER, NULL, 2e-6, 5e-7, false, "likewise"},
    {ADN_OP_NORM_GRAD, NULL, 4e-6, 4e-6, false, "sums over places taken off, scaled by 1 / std"},
    {ADN_OP_RELU_FWD, NULL, 0, 0, true, "a choice"},
    {ADN_OP_RELU_GRAD, NULL, 0, 0, true, "a choice"},
    {ADN_OP_POOL_FWD, NULL, 4e-7, 1e-7, false, "maxima are choices; averages sum and divide"},
    {ADN_OP_POOL_GRAD, NULL, 4e-7, 1e-7, false, "the windows over a place are summed"},
    {ADN_OP_ADD, NULL, 1.2e-7, 0, true, "one rounding"},
    {ADN_OP_LOSS, NULL, 4e-6, 4e-7, false,
     "exponentials and logarithms, each within an ulp or two"},
    {ADN_OP_NORMALISE, NULL, 4e-7, 4e-7, false, "p / 255 - mean cancels, then a division by std"},
    {ADN_OP_SGD, NULL, 4e-7, 2e-7, true, "a handful of operations"},
};

const op_tolerance *op_tolerance_of(adn_op_kind kind, const char *algo)
{
    const op_tolerance *common = NULL;
    for (size_t k = 0; k < ADN_COUNT(tolerances); k++) {
        const op_tolerance *t = &tolerances[k];
        if (t->kind != kind) continue;
        if (t->algo == NULL) common = t;
        if (t->algo != NULL && algo != NULL && strcmp(t->algo, algo) == 0) return t;
    }
    return common;
}

bool op_has_layout(adn_op_kind kind)
{
    return kind >= ADN_OP_CONV_FWD && kind <= ADN_OP_LINEAR_GRAD_PARAM;
}

static bool is_norm(adn_op_kind kind)
{
    return kind == ADN_OP_NORM_FWD || kind == ADN_OP_NORM_INFER || kind == ADN_OP_NORM_GRAD;
}

/* A norm's memory that may be left out, but for the sums. */
static bool norm_has(const op_case *c, adn_role role)
{
    switch (role) {
    case ADN_DST:
    case ADN_GRAD_DST:
        return !c->desc.u.norm.is_pooled_only;
    case ADN_DST_MAX:
    case ADN_GRAD_MAX:
        return c->desc.u.norm.has_max;
    case ADN_INDEX: /* left out where no gradient will come */
        return c->desc.u.norm.has_max && !c->is_absent;
    default:
        return c->desc.u.norm.avg_h > 0;
    }
}

bool op_case_has(const op_case *c, adn_role role)
{
    adn_op_kind kind = c->desc.kind;

    if (adn_op_infos[kind].role[role] == ADN_NONE) return false;
    if (!adn_op_infos[kind].optional[role]) return true;
    if (role == ADN_SUMS) return c->has_sums;
    if (op_has_layout(kind)) return c->desc.u.conv.has_bias;
    if (is_norm(kind)) return norm_has(c, role);
    if (role == ADN_INDEX && c->desc.u.pool.kind != ADN_POOL_MAX) return false;
    return !c->is_absent;
}

bool op_in_place(const op_case *c, adn_role *out, adn_role *in)
{
    adn_op_kind kind = c->desc.kind;
    bool is_grad = kind == ADN_OP_NORM_GRAD || kind == ADN_OP_RELU_GRAD;
    bool is_over_src = kind == ADN_OP_NORM_GRAD && c->desc.u.norm.is_pooled_only;
    *out = is_grad ? ADN_GRAD_SRC : ADN_DST;
    *in = is_grad && !is_over_src ? ADN_GRAD_DST : ADN_SRC;
    return is_grad || kind == ADN_OP_ADD;
}

bool op_is_real(const op_case *c, adn_role role)
{
    switch (role) {
    case ADN_SRC:
        return c->desc.kind != ADN_OP_NORMALISE;
    case ADN_INDEX:
    case ADN_LABELS:
    case ADN_RESULT:
    case ADN_HALT:
        return false;
    default:
        return true;
    }
}

/* The case's descriptor in double with the loops' layout. */
static adn_op_desc in_double(const op_case *c, adn_cpu_layout *l)
{
    adn_op_desc d = c->desc, fwd = c->desc;

    d.type = fwd.type = ADN_F64;
    *l = (adn_cpu_layout){.base = {.type = ADN_F64}};
    if (!op_has_layout(d.kind)) return d;
    fwd.kind = d.kind < ADN_OP_LINEAR_FWD ? ADN_OP_CONV_FWD : ADN_OP_LINEAR_FWD;
    l->base.o = d.dst.c;
    l->base.i = d.src.c;
    l->base.kernel = fwd.kind == ADN_OP_CONV_FWD ? d.u.conv.kernel : 0;
    l->base.h = d.src.h;
    l->base.w = d.src.w;
    ck_assert_int_eq(adn_ref_layout(l, &fwd), ADN_OK);
    d.layout = &l->base;
    return d;
}

static bool is_bf16(const op_case *c, adn_role role)
{
    return c->desc.type == ADN_BF16 && adn_op_is_activation(c->desc.kind, role);
}

static double in_bf16(double number)
{
    return adn_bf16_float(adn_bf16_of((float)number));
}

static double draw_number(const op_case *c, adn_role role, adn_draw d)
{
    double unit = adn_rng_unit(d.u[0]), number = 2 * unit - 1;

    if (role == ADN_INV_STD || role == ADN_RUN_VAR) return (float)(0.25 + unit);
    if (c->is_integer) return (int)adn_rng_below(d.u[0], 7) - 3;
    if (role == ADN_DST) return ADN_MAX(number, 0); /* of a ReLU */
    if (role == ADN_SRC && c->desc.kind == ADN_OP_NORM_FWD)
        number += 2; /* a mean that is no smaller than what varies */
    return is_bf16(c, role) ? in_bf16(number) : (float)number;
}

static adn_label draw_label(const op_case *c, adn_draw d)
{
    uint32_t n_class = (uint32_t)c->desc.src.c;
    adn_label l = {(int32_t)adn_rng_below(d.u[0], n_class), (int32_t)adn_rng_below(d.u[1], n_class),
                   adn_rng_unit(d.u[2])};
    if (d.u[3] % 2 == 0) l = (adn_label){l.a, l.a, 1};
    return l;
}

static void fill_role(const op_case *c, op_data *data, adn_role role, uint64_t seed)
{
    bool is_read = (adn_op_infos[c->desc.kind].role[role] & ADN_READ) != 0;
    uint32_t kernel = is_norm(c->desc.kind) ? 2 : (uint32_t)c->desc.u.pool.kernel; /* of a pool */

    for (size_t k = 0; k < data->count[role]; k++) {
        adn_draw d = adn_rng_draw(seed, ADN_RNG_TEST, (uint64_t)role, k);
        if (op_is_real(c, role))
            ((double *)data->p[role])[k] = is_read ? draw_number(c, role, d) : OP_UNSET;
        else if (role == ADN_SRC)
            ((uint8_t *)data->p[role])[k] = (uint8_t)d.u[0];
        else if (role == ADN_INDEX)
            ((uint8_t *)data->p[role])[k] =
                is_read ? (uint8_t)adn_rng_below(d.u[0], kernel * kernel) : OP_UNSET_INDEX;
        else if (role == ADN_LABELS)
            ((adn_label *)data->p[role])[k] = draw_label(c, d);
        else if (role == ADN_RESULT)
            ((adn_loss_result *)data->p[role])[k] = (adn_loss_result){OP_UNSET, OP_UNSET, OP_UNSET};
        else
            ((int32_t *)data->p[role])[k] = c->halt;
    }
}

/* The gradients that reach element k of a norm's dst. */
static void clear_grads(const op_case *c, op_data *data, size_t k)
{
    size_t n_c = (size_t)c->desc.src.c, w = (size_t)c->desc.src.w, h = (size_t)c->desc.src.h;
    size_t x = k / n_c % w, y = k / n_c / w % h, n = k / n_c / w / h;
    size_t avg_h = (size_t)c->desc.u.norm.avg_h, avg_w = (size_t)c->desc.u.norm.avg_w;
    double *dst = data->p[ADN_GRAD_DST], *max = data->p[ADN_GRAD_MAX], *avg = data->p[ADN_GRAD_AVG];

    if (dst != NULL) dst[k] = 0;
    if (max != NULL) max[((n * (h / 2) + y / 2) * (w / 2) + x / 2) * n_c + k % n_c] = 0;
    if (avg != NULL)
        avg[((n * avg_h + y / (h / avg_h)) * avg_w + x / (w / avg_w)) * n_c + k % n_c] = 0;
}

/* Where ReLU's input is so near 0 that types may differ on its sign, no gradient comes in. */
static void clear_doubtful_grads(const op_case *c, op_data *data)
{
    const double *src = data->p[ADN_SRC], *mean = data->p[ADN_MEAN],
                 *inv_std = data->p[ADN_INV_STD];
    const double *weight = data->p[ADN_WEIGHT], *bias = data->p[ADN_BIAS];
    size_t n_channel = (size_t)c->desc.src.c;

    for (size_t k = 0; k < data->count[ADN_SRC]; k++) {
        size_t i = k % n_channel;
        double y = (src[k] - mean[i]) * inv_std[i] * weight[i] + bias[i];
        if (fabs(y) < 1e-4) clear_grads(c, data, k);
    }
}

/* What a convolution would have given the norm. */
static void set_sums(const op_case *c, op_data *data)
{
    double *sums = data->p[ADN_SUMS];
    const double *src = data->p[ADN_SRC];
    size_t n_channel = (size_t)c->desc.src.c;

    memset(sums, 0, 2 * n_channel * sizeof(*sums));
    for (size_t k = 0; k < data->count[ADN_SRC]; k++) {
        sums[k % n_channel] += src[k];
        sums[n_channel + k % n_channel] += src[k] * src[k];
    }
}

static size_t item_bytes(const op_case *c, adn_role role)
{
    if (op_is_real(c, role)) return sizeof(double);
    switch (role) {
    case ADN_LABELS:
        return sizeof(adn_label);
    case ADN_RESULT:
        return sizeof(adn_loss_result);
    case ADN_HALT:
        return sizeof(int32_t);
    default:
        return 1;
    }
}

void op_data_init(op_data *data, const op_case *c, uint64_t seed)
{
    adn_cpu_layout l;
    adn_op_desc d = in_double(c, &l);

    *data = (op_data){0};
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (!op_case_has(c, r)) continue;
        size_t bytes = adn_op_role_bytes(&d, r);
        data->count[r] = bytes / item_bytes(c, r);
        data->p[r] = adn_alloc(bytes);
        ck_assert_ptr_nonnull(data->p[r]);
        fill_role(c, data, r, seed);
    }
    if (d.kind == ADN_OP_NORM_GRAD && d.u.norm.relu) clear_doubtful_grads(c, data);
    if (d.kind == ADN_OP_NORM_FWD && c->has_sums) set_sums(c, data);
}

void op_data_copy(op_data *to, const op_data *from, const op_case *c)
{
    *to = *from;
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (from->p[r] == NULL) continue;
        size_t bytes = from->count[r] * item_bytes(c, r);
        to->p[r] = adn_alloc(bytes);
        ck_assert_ptr_nonnull(to->p[r]);
        memcpy(to->p[r], from->p[r], bytes);
    }
}

void op_data_clear(op_data *data)
{
    for (adn_role r = 0; r < ADN_N_ROLE; r++) adn_free(data->p[r]);
    *data = (op_data){0};
}

void op_run_loops(const op_case *c, op_data *data)
{
    adn_cpu_layout l;
    adn_op_desc d = in_double(c, &l);
    adn_op_args args = {{0}, {0}};

    memcpy(args.p, data->p, sizeof(args.p));
    memcpy(args.value, c->value, sizeof(args.value));
    for (adn_role r = 0; r < ADN_N_ROLE && op_has_layout(d.kind); r++) {
        if (data->p[r] == NULL || (r != ADN_WEIGHT && r != ADN_GRAD_WEIGHT)) continue;
        args.p[r] = adn_alloc(l.base.bytes);
        ck_assert_ptr_nonnull(args.p[r]);
        ck_assert_int_eq(l.import_(&l, args.p[r], data->p[r]), ADN_OK);
    }
    adn_ref_double(d.kind)(&d, &args);
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (args.p[r] == data->p[r]) continue;
        ck_assert_int_eq(l.export_(&l, data->p[r], args.p[r]), ADN_OK);
        adn_free(args.p[r]);
    }
}

/* Terms of the sum behind an item of a written role. */
static double sum_length(const op_case *c, adn_role role)
{
    const adn_op_desc *d = &c->desc;
    double kernel2 = (double)d->u.conv.kernel * d->u.conv.kernel;
    double places = (double)d->dst.n * d->dst.h * d->dst.w;

    switch (d->kind) {
    case ADN_OP_CONV_FWD:
        return kernel2 * d->src.c * (role == ADN_SUMS ? places : 1);
    case ADN_OP_CONV_GRAD_SRC:
        return kernel2 * d->dst.c;
    case ADN_OP_CONV_GRAD_PARAM:
    case ADN_OP_LINEAR_GRAD_PARAM:
        return places;
    case ADN_OP_LINEAR_FWD:
        return (double)d->src.h * d->src.w * d->src.c;
    case ADN_OP_LINEAR_GRAD_SRC:
        return d->dst.c;
    case ADN_OP_NORM_GRAD:
        return role == ADN_GRAD_SRC ? 1 : places;
    case ADN_OP_LOSS:
        return role == ADN_RESULT ? d->src.n : 1;
    default:
        return 1;
    }
}

/* What norms multiply the rounding of an x up to 3 by: such an item's length. */
static double norm_gain(const op_case *c, const op_data *data, size_t k)
{
    size_t i = k % (size_t)c->desc.src.c;
    const double *inv_std = data->p[ADN_INV_STD], *run_var = data->p[ADN_RUN_VAR];
    double gain = inv_std != NULL ? inv_std[i] : 1 / sqrt(run_var[i] + c->desc.u.norm.eps);
    return 1 + 3 * gain * fabs(((double *)data->p[ADN_WEIGHT])[i]);
}

/* Half a unit in a bf16's last place, at most, as a share of the number. */
static const double BF16_HALF = 1.0 / 256;

static void compare_reals(const op_case *c, adn_role role, const op_data *got,
                          const op_data *wanted, const op_tolerance *t)
{
    const double *a = got->p[role], *b = wanted->p[role];
    double unit = c->desc.type == ADN_F64 ? DBL_EPSILON / FLT_EPSILON : 1;
    double length = sum_length(c, role), absolute = t->absolute, relative = t->relative;
    bool is_normed = (role == ADN_DST || role == ADN_DST_MAX || role == ADN_DST_AVG) &&
                     (c->desc.kind == ADN_OP_NORM_FWD || c->desc.kind == ADN_OP_NORM_INFER);
    double coarse = is_bf16(c, role) ? BF16_HALF : 0;

    bool is_exact = c->is_integer && t->is_exact_on_integers && role != ADN_SUMS;
    if (is_exact) absolute = relative = 0;
    if (role == ADN_SUMS) relative *= 4; /* squares double the error, floats add them up */
    if (c->is_integer && op_has_layout(c->desc.kind)) absolute *= 9; /* products of up to 3 x 3 */
    for (size_t k = 0; k < got->count[role]; k++) {
        if (isnan(a[k]) && isnan(b[k])) continue;
        if (is_normed) length = norm_gain(c, wanted, k);
        double most = unit * (relative * fabs(b[k]) + absolute * length) + coarse * fabs(b[k]);
        /* Such an average is one of elements that were rounded. */
        if (is_normed && role == ADN_DST_AVG) most += coarse * length;
        if (is_exact && coarse > 0 && a[k] != in_bf16(b[k])) most = -1;
        if (a[k] == b[k] || fabs(a[k] - b[k]) <= most)
            continue; /* Check writes a file at each assert */
        ck_abort_msg("%s: role %d, item %zu of %zu: %.9g, the loops say %.9g (at most %.3g apart)",
                     op_case_text(c), (int)role, k, got->count[role], a[k], b[k], most);
    }
}

static void compare_results(const op_case *c, const op_data *got, const op_data *wanted,
                            const op_tolerance *t)
{
    const adn_loss_result *a = got->p[ADN_RESULT], *b = wanted->p[ADN_RESULT];
    double most = t->relative * fabs(b->loss_sum) + t->absolute * sum_length(c, ADN_RESULT);

    ck_assert_msg(a->hits == b->hits && a->n == b->n,
                  "%s: %lld hits of %lld, the loops say %lld of %lld", op_case_text(c),
                  (long long)a->hits, (long long)a->n, (long long)b->hits, (long long)b->n);
    ck_assert_msg((!isfinite(a->loss_sum) && !isfinite(b->loss_sum)) ||
                      fabs(a->loss_sum - b->loss_sum) <= most,
                  "%s: loss %.9g, the loops say %.9g", op_case_text(c), a->loss_sum, b->loss_sum);
}

/* Elements that differ may be alike once they are rounded: then either may be the largest. */
static void compare_choices(const op_case *c, const op_data *got, const op_data *wanted)
{
    op_case whole = *c;
    op_data map;
    size_t n_c = (size_t)c->desc.src.c, w = (size_t)c->desc.src.w;

    whole.desc.u.norm.is_pooled_only = false;
    op_data_init(&map, &whole, OP_SEED);
    op_run_loops(&whole, &map);
    for (size_t k = 0; k < got->count[ADN_INDEX]; k++) {
        size_t tap = ((const uint8_t *)got->p[ADN_INDEX])[k];
        size_t x = k / n_c % (w / 2) * 2 + tap % 2, y = k / n_c / (w / 2) * 2 + tap / 2;
        double most = ((const double *)wanted->p[ADN_DST_MAX])[k];
        double chosen =
            tap > 3 ? NAN : ((const double *)map.p[ADN_DST])[(y * w + x) * n_c + k % n_c];
        if (!(fabs(chosen - most) <= 2 * BF16_HALF * fabs(most) + 1e-5))
            ck_abort_msg("%s: index %zu is %zu: %.9g, the largest is %.9g", op_case_text(c), k, tap,
                         chosen, most);
    }
    op_data_clear(&map);
}

void op_data_compare(const op_case *c, const op_data *got, const op_data *wanted, const char *algo)
{
    const op_tolerance *t = op_tolerance_of(c->desc.kind, algo);

    ck_assert_ptr_nonnull(t);
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (got->p[r] == NULL || (adn_op_infos[c->desc.kind].role[r] & ADN_WRITE) == 0) continue;
        if (op_is_real(c, r))
            compare_reals(c, r, got, wanted, t);
        else if (r == ADN_RESULT)
            compare_results(c, got, wanted, t);
        else if (r == ADN_INDEX && c->desc.type == ADN_BF16 && is_norm(c->desc.kind))
            compare_choices(c, got, wanted);
        else
            ck_assert_msg(memcmp(got->p[r], wanted->p[r], got->count[r] * item_bytes(c, r)) == 0,
                          "%s: role %d differs from the loops'", op_case_text(c), (int)r);
    }
}
