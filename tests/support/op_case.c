/* Data of operations' cases, and the loops' answer. */
#include "op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "core/bf16.h"
#include "core/rng.h"
#include "device/cpu/cpu.h"

bool op_has_layout(adn_op_kind kind)
{
    return kind >= ADN_OP_CONV_FWD && kind <= ADN_OP_LINEAR_GRAD_PARAM;
}

bool op_is_norm(adn_op_kind kind)
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
    if (op_is_norm(kind)) return norm_has(c, role);
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
        return c->desc.kind != ADN_OP_NORMALISE && c->desc.kind != ADN_OP_AUGMENT;
    case ADN_DST:
        return c->desc.kind != ADN_OP_AUGMENT;
    case ADN_INDEX:
    case ADN_LABELS:
    case ADN_PICKS:
    case ADN_MOVES:
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

bool op_is_bf16(const op_case *c, adn_role role)
{
    return c->desc.type == ADN_BF16 && adn_op_is_activation(c->desc.kind, role);
}

double op_held(const op_case *c, adn_role role, double number)
{
    return op_is_bf16(c, role) ? adn_bf16_float(adn_bf16_of((float)number)) : (float)number;
}

static double draw_number(const op_case *c, adn_role role, adn_draw d)
{
    double unit = adn_rng_unit(d.u[0]), number = 2 * unit - 1;

    if (role == ADN_INV_STD || role == ADN_RUN_VAR) return (float)(0.25 + unit);
    if (role == ADN_MOMENT2) return c->is_integer ? (double)adn_rng_below(d.u[0], 4) : (float)unit;
    if (c->is_integer) return (int)adn_rng_below(d.u[0], 7) - 3;
    if (role == ADN_DST) return ADN_MAX(number, 0); /* of a ReLU */
    if (role == ADN_SRC && c->desc.kind == ADN_OP_NORM_FWD)
        number += 2; /* a mean that is no smaller than what varies */
    return op_held(c, role, number);
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
    uint32_t kernel =
        op_is_norm(c->desc.kind) ? 2 : (uint32_t)c->desc.u.pool.kernel; /* of a pool */

    for (size_t k = 0; k < data->count[role]; k++) {
        adn_draw d = adn_rng_draw(seed, ADN_RNG_TEST, (uint64_t)role, k);
        if (op_is_real(c, role))
            ((double *)data->p[role])[k] = is_read ? draw_number(c, role, d) : OP_UNSET;
        else if (role == ADN_SRC)
            ((uint8_t *)data->p[role])[k] = (uint8_t)d.u[0];
        else if (role == ADN_DST)
            ((uint8_t *)data->p[role])[k] = OP_UNSET_INDEX;
        else if (role == ADN_INDEX)
            ((uint8_t *)data->p[role])[k] =
                is_read ? (uint8_t)adn_rng_below(d.u[0], kernel * kernel) : OP_UNSET_INDEX;
        else if (role == ADN_LABELS)
            ((adn_label *)data->p[role])[k] = draw_label(c, d);
        else if (role == ADN_RESULT)
            ((adn_loss_result *)data->p[role])[k] = (adn_loss_result){OP_UNSET, OP_UNSET, OP_UNSET};
        else if (role == ADN_HALT)
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

size_t op_item_bytes(const op_case *c, adn_role role)
{
    if (op_is_real(c, role)) return sizeof(double);
    switch (role) {
    case ADN_LABELS:
        return sizeof(adn_label);
    case ADN_RESULT:
        return sizeof(adn_loss_result);
    case ADN_HALT:
        return sizeof(int32_t);
    case ADN_PICKS:
        return sizeof(uint32_t);
    case ADN_MOVES:
        return sizeof(adn_move);
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
        data->count[r] = bytes / op_item_bytes(c, r);
        data->p[r] = adn_alloc(bytes);
        ck_assert_ptr_nonnull(data->p[r]);
        fill_role(c, data, r, seed);
    }
    if (d.kind == ADN_OP_AUGMENT) op_augment_draw(c, data->p[ADN_PICKS], data->p[ADN_MOVES]);
    if (d.kind == ADN_OP_NORM_GRAD && d.u.norm.relu) clear_doubtful_grads(c, data);
    if (d.kind == ADN_OP_NORM_FWD && c->has_sums) set_sums(c, data);
}

void op_data_copy(op_data *to, const op_data *from, const op_case *c)
{
    *to = *from;
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (from->p[r] == NULL) continue;
        size_t bytes = from->count[r] * op_item_bytes(c, r);
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
