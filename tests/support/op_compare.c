/* How closely a device must agree with the loops: the table of tolerances, and the comparison. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "op_case.h"

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
    {ADN_OP_CONV_FWD, "amx", 1e-6, 2e-3, true,
     "weights are rounded to bf16: each product is off by up to 2^-9"},
    {ADN_OP_CONV_GRAD_SRC, "amx", 1e-6, 2e-3, true, "likewise"},
    {ADN_OP_LINEAR_FWD, "amx", 1e-6, 2e-3, true, "likewise"},
    {ADN_OP_LINEAR_GRAD_SRC, "amx", 1e-6, 2e-3, true, "likewise"},
    {ADN_OP_CONV_FWD, "cudnn bf16", 1e-6, 2e-3, true,
     "likewise; sums are of what has been rounded to bf16"},
    {ADN_OP_CONV_GRAD_SRC, "cudnn bf16", 1e-6, 2e-3, true, "likewise"},
    {ADN_OP_LINEAR_FWD, "cublas bf16", 1e-6, 2e-3, true, "likewise"},
    {ADN_OP_LINEAR_GRAD_SRC, "cublas bf16", 1e-6, 2e-3, true, "likewise"},
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
    {ADN_OP_AUGMENT, NULL, 0, 0, true, "bytes that are moved"},
    {ADN_OP_NORMALISE, NULL, 4e-7, 4e-7, false, "p / 255 - mean cancels, then a division by std"},
    {ADN_OP_SGD, NULL, 4e-7, 2e-7, true, "a handful of operations"},
    {ADN_OP_ADAMW, NULL, 2e-6, 5e-7, false, "a dozen operations, and factors that are rounded"},
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

/* Sums for a norm: of dst as it was rounded, not as it was summed. */
static bool sums_what_is_stored(const op_tolerance *t)
{
    return t->algo != NULL && strcmp(t->algo, "cudnn bf16") == 0;
}

static void compare_reals(const op_case *c, adn_role role, const op_data *got,
                          const op_data *wanted, const op_tolerance *t)
{
    const double *a = got->p[role], *b = wanted->p[role];
    double unit = c->desc.type == ADN_F64 ? DBL_EPSILON / FLT_EPSILON : 1;
    double length = sum_length(c, role), absolute = t->absolute, relative = t->relative;
    bool is_normed = (role == ADN_DST || role == ADN_DST_MAX || role == ADN_DST_AVG) &&
                     (c->desc.kind == ADN_OP_NORM_FWD || c->desc.kind == ADN_OP_NORM_INFER);
    double coarse = op_is_bf16(c, role) ? BF16_HALF : 0;

    if (role == ADN_SUMS && sums_what_is_stored(t)) coarse = 2 * BF16_HALF; /* of squares */
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
        if (is_exact && coarse > 0 && a[k] != op_held(c, role, b[k])) most = -1;
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
        else if (r == ADN_INDEX && c->desc.type == ADN_BF16 && op_is_norm(c->desc.kind))
            compare_choices(c, got, wanted);
        else
            ck_assert_msg(memcmp(got->p[r], wanted->p[r], got->count[r] * op_item_bytes(c, r)) == 0,
                          "%s: role %d differs from the loops'", op_case_text(c), (int)r);
    }
}
