/* What all devices share: the operations' table of roles, sizes of what they touch. */
#include "device/device.h"

#define R  ADN_READ
#define W  ADN_WRITE
#define RW ADN_READ_WRITE

const adn_op_info adn_op_infos[ADN_N_OP] = {
    [ADN_OP_CONV_FWD] =
        {"conv_fwd",
         {[ADN_SRC] = R, [ADN_WEIGHT] = R, [ADN_BIAS] = R, [ADN_DST] = W, [ADN_SUMS] = W},
         {[ADN_BIAS] = true, [ADN_SUMS] = true}},
    [ADN_OP_CONV_GRAD_SRC] = {"conv_grad_src",
                              {[ADN_GRAD_DST] = R, [ADN_WEIGHT] = R, [ADN_GRAD_SRC] = W},
                              {0}},
    [ADN_OP_CONV_GRAD_PARAM] =
        {"conv_grad_param",
         {[ADN_SRC] = R, [ADN_GRAD_DST] = R, [ADN_GRAD_WEIGHT] = W, [ADN_GRAD_BIAS] = W},
         {[ADN_GRAD_BIAS] = true}},
    [ADN_OP_LINEAR_FWD] = {"linear_fwd",
                           {[ADN_SRC] = R, [ADN_WEIGHT] = R, [ADN_BIAS] = R, [ADN_DST] = W},
                           {[ADN_BIAS] = true}},
    [ADN_OP_LINEAR_GRAD_SRC] = {"linear_grad_src",
                                {[ADN_GRAD_DST] = R, [ADN_WEIGHT] = R, [ADN_GRAD_SRC] = W},
                                {0}},
    [ADN_OP_LINEAR_GRAD_PARAM] =
        {"linear_grad_param",
         {[ADN_SRC] = R, [ADN_GRAD_DST] = R, [ADN_GRAD_WEIGHT] = W, [ADN_GRAD_BIAS] = W},
         {[ADN_GRAD_BIAS] = true}},
    [ADN_OP_NORM_FWD] = {"norm_fwd",
                         {[ADN_SRC] = R,
                          [ADN_WEIGHT] = R,
                          [ADN_BIAS] = R,
                          [ADN_SUMS] = R,
                          [ADN_DST] = W,
                          [ADN_DST_MAX] = W,
                          [ADN_INDEX] = W,
                          [ADN_DST_AVG] = W,
                          [ADN_MEAN] = W,
                          [ADN_INV_STD] = W,
                          [ADN_RUN_MEAN] = RW,
                          [ADN_RUN_VAR] = RW},
                         {[ADN_SUMS] = true,
                          [ADN_DST] = true,
                          [ADN_DST_MAX] = true,
                          [ADN_INDEX] = true,
                          [ADN_DST_AVG] = true}},
    [ADN_OP_NORM_INFER] =
        {"norm_infer",
         {[ADN_SRC] = R,
          [ADN_WEIGHT] = R,
          [ADN_BIAS] = R,
          [ADN_RUN_MEAN] = R,
          [ADN_RUN_VAR] = R,
          [ADN_DST] = W,
          [ADN_DST_MAX] = W,
          [ADN_INDEX] = W,
          [ADN_DST_AVG] = W},
         {[ADN_DST] = true, [ADN_DST_MAX] = true, [ADN_INDEX] = true, [ADN_DST_AVG] = true}},
    [ADN_OP_NORM_GRAD] =
        {"norm_grad",
         {[ADN_SRC] = R,
          [ADN_GRAD_DST] = R,
          [ADN_GRAD_MAX] = R,
          [ADN_INDEX] = R,
          [ADN_GRAD_AVG] = R,
          [ADN_WEIGHT] = R,
          [ADN_BIAS] = R,
          [ADN_MEAN] = R,
          [ADN_INV_STD] = R,
          [ADN_GRAD_SRC] = W,
          [ADN_GRAD_WEIGHT] = W,
          [ADN_GRAD_BIAS] = W},
         {[ADN_GRAD_DST] = true, [ADN_GRAD_MAX] = true, [ADN_INDEX] = true, [ADN_GRAD_AVG] = true}},
    [ADN_OP_RELU_FWD] = {"relu_fwd", {[ADN_SRC] = R, [ADN_DST] = W}, {0}},
    [ADN_OP_RELU_GRAD] = {"relu_grad",
                          {[ADN_DST] = R, [ADN_GRAD_DST] = R, [ADN_GRAD_SRC] = W},
                          {0}},
    [ADN_OP_POOL_FWD] = {"pool_fwd",
                         {[ADN_SRC] = R, [ADN_DST] = W, [ADN_INDEX] = W},
                         {[ADN_INDEX] = true}},
    [ADN_OP_POOL_GRAD] = {"pool_grad",
                          {[ADN_GRAD_DST] = R, [ADN_INDEX] = R, [ADN_GRAD_SRC] = W},
                          {[ADN_INDEX] = true}},
    [ADN_OP_ADD] = {"add", {[ADN_SRC] = R, [ADN_SRC2] = R, [ADN_DST] = W}, {0}},
    [ADN_OP_LOSS] =
        {"loss",
         {[ADN_SRC] = R, [ADN_LABELS] = R, [ADN_GRAD_SRC] = W, [ADN_RESULT] = W, [ADN_HALT] = RW},
         {[ADN_GRAD_SRC] = true}},
    [ADN_OP_AUGMENT] = {"augment",
                        {[ADN_SRC] = R, [ADN_PICKS] = R, [ADN_MOVES] = R, [ADN_DST] = W},
                        {0}},
    [ADN_OP_NORMALISE] = {"normalise", {[ADN_SRC] = R, [ADN_DST] = W}, {0}},
    [ADN_OP_SGD] = {"sgd",
                    {[ADN_GRAD_WEIGHT] = R, [ADN_HALT] = R, [ADN_WEIGHT] = RW, [ADN_MOMENTUM] = RW},
                    {0}},
    [ADN_OP_ADAMW] = {"adamw",
                      {[ADN_GRAD_WEIGHT] = R,
                       [ADN_HALT] = R,
                       [ADN_WEIGHT] = RW,
                       [ADN_MOMENTUM] = RW,
                       [ADN_MOMENT2] = RW},
                      {0}},
};

size_t adn_type_bytes(adn_type t)
{
    switch (t) {
    case ADN_F32:
        return sizeof(float);
    case ADN_F64:
        return sizeof(double);
    case ADN_BF16:
        return 2;
    case ADN_U8:
        return 1;
    case ADN_I32:
        return sizeof(int32_t);
    }
    adn_assert_failed("a type", __FILE__, __LINE__);
}

static size_t vector_count(const adn_op_desc *d)
{
    return (size_t)d->dst.c;
}

static bool is_norm(const adn_op_desc *d)
{
    return d->kind == ADN_OP_NORM_FWD || d->kind == ADN_OP_NORM_INFER ||
           d->kind == ADN_OP_NORM_GRAD;
}

/* Elements of a norm's maxima, of its averages. */
static size_t max_count(const adn_op_desc *d)
{
    adn_shape s = {d->dst.n, d->dst.h / 2, d->dst.w / 2, d->dst.c};
    return d->u.norm.has_max ? adn_shape_count(s) : 0;
}

static size_t avg_count(const adn_op_desc *d)
{
    return adn_shape_count((adn_shape){d->dst.n, d->u.norm.avg_h, d->u.norm.avg_w, d->dst.c});
}

bool adn_op_is_activation(adn_op_kind kind, adn_role role)
{
    switch (role) {
    case ADN_SRC:
        return kind != ADN_OP_NORMALISE && kind != ADN_OP_AUGMENT;
    case ADN_DST:
        return kind != ADN_OP_AUGMENT;
    case ADN_SRC2:
    case ADN_DST_MAX:
    case ADN_DST_AVG:
    case ADN_GRAD_DST:
    case ADN_GRAD_MAX:
    case ADN_GRAD_AVG:
    case ADN_GRAD_SRC:
        return true;
    default:
        return false;
    }
}

bool adn_op_is_update(adn_op_kind kind)
{
    return kind == ADN_OP_SGD || kind == ADN_OP_ADAMW;
}

size_t adn_op_role_bytes(const adn_op_desc *d, adn_role role)
{
    size_t item =
        adn_type_bytes(adn_op_is_activation(d->kind, role) ? d->type : adn_param_type(d->type));
    size_t n_src = adn_shape_count(d->src) * item, n_dst = adn_shape_count(d->dst) * item;

    if (adn_op_infos[d->kind].role[role] == ADN_NONE) return 0;
    if (adn_op_is_update(d->kind)) return role == ADN_HALT ? sizeof(int32_t) : n_src;
    switch (role) {
    case ADN_SRC:
        return adn_op_is_activation(d->kind, role) ? n_src : adn_shape_count(d->src);
    case ADN_SRC2:
    case ADN_GRAD_SRC:
        return n_src;
    case ADN_DST:
        if (!adn_op_is_activation(d->kind, role)) return adn_shape_count(d->dst);
        return is_norm(d) && d->u.norm.is_pooled_only ? 0 : n_dst;
    case ADN_GRAD_DST:
        return is_norm(d) && d->u.norm.is_pooled_only ? 0 : n_dst;
    case ADN_DST_MAX:
    case ADN_GRAD_MAX:
        return max_count(d) * item;
    case ADN_DST_AVG:
    case ADN_GRAD_AVG:
        return avg_count(d) * item;
    case ADN_SUMS:
        return 2 * vector_count(d) * sizeof(double);
    case ADN_WEIGHT:
    case ADN_GRAD_WEIGHT:
        return d->layout != NULL ? d->layout->bytes : vector_count(d) * item;
    case ADN_BIAS:
    case ADN_GRAD_BIAS:
    case ADN_MEAN:
    case ADN_INV_STD:
    case ADN_RUN_MEAN:
    case ADN_RUN_VAR:
        return vector_count(d) * item;
    case ADN_INDEX:
        return is_norm(d) ? max_count(d) : adn_shape_count(d->dst);
    case ADN_LABELS:
        return (size_t)d->src.n * sizeof(adn_label);
    case ADN_PICKS:
        return (size_t)d->dst.n * sizeof(uint32_t);
    case ADN_MOVES:
        return (size_t)d->dst.n * (size_t)d->u.augment.n_transform * sizeof(adn_move);
    case ADN_RESULT:
        return sizeof(adn_loss_result);
    case ADN_HALT:
        return sizeof(int32_t);
    case ADN_MOMENTUM:
    case ADN_MOMENT2:
    case ADN_WORKSPACE:
    case ADN_N_ROLE:
        break;
    }
    return 0;
}

double adn_op_macs(const adn_op_desc *d)
{
    double dst = (double)adn_shape_count(d->dst);
    switch (d->kind) {
    case ADN_OP_CONV_FWD:
    case ADN_OP_CONV_GRAD_SRC:
    case ADN_OP_CONV_GRAD_PARAM:
        return dst * d->src.c * d->u.conv.kernel * d->u.conv.kernel;
    case ADN_OP_LINEAR_FWD:
    case ADN_OP_LINEAR_GRAD_SRC:
    case ADN_OP_LINEAR_GRAD_PARAM:
        return dst * d->src.h * d->src.w * d->src.c;
    default:
        return 0;
    }
}

double adn_op_bytes(const adn_op_desc *d)
{
    double sum = 0;
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        adn_access a = adn_op_infos[d->kind].role[r];
        double bytes = (double)adn_op_role_bytes(d, r);
        if (r == ADN_SRC && d->kind == ADN_OP_AUGMENT) bytes = (double)adn_shape_count(d->dst);
        if (r == ADN_INDEX && !is_norm(d) && d->u.pool.kind != ADN_POOL_MAX) continue;
        sum += (a & ADN_READ ? bytes : 0) + (a & ADN_WRITE ? bytes : 0);
    }
    return sum;
}
