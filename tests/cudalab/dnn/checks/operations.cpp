#include "operations.h"

namespace check
{
namespace
{
const cudnnDataType_t computed_in = CUDNN_DATA_FLOAT;

Descriptor window_descriptor(Window window)
{
    return make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
                {numbers(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {2}),
                 choice(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, computed_in),
                 choice(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                        CUDNN_CROSS_CORRELATION),
                 numbers(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {window.pad, window.pad}),
                 numbers(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, {window.pad, window.pad}),
                 numbers(CUDNN_ATTR_CONVOLUTION_DILATIONS, {window.dilation, window.dilation}),
                 numbers(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {window.stride, window.stride})});
}

Descriptor pointwise_descriptor(cudnnPointwiseMode_t mode)
{
    return make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR,
                {choice(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode),
                 choice(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, computed_in)});
}

Descriptor norm_forward(const Norm &norm, cudnnBackendNormFwdPhase_t phase)
{
    return make(
        CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR,
        {choice(CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_TYPE_NORM_MODE, CUDNN_BATCH_NORM),
         choice(CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_TYPE_NORM_FWD_PHASE, phase),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, norm.x),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, norm.y),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC, norm.mean),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC, norm.inverse_deviation),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, norm.scale),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, norm.bias),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC, norm.epsilon),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_EXP_AVG_FACTOR_DESC, norm.factor),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_INPUT_RUNNING_MEAN_DESC, norm.running_mean),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_INPUT_RUNNING_VAR_DESC, norm.running_variance),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_MEAN_DESC, norm.new_running_mean),
         link(CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_VAR_DESC, norm.new_running_variance)});
}

Setting fractions(cudnnBackendAttributeName_t name, int64_t value)
{
    const cudnnFraction_t both[2] = {{value, 1}, {value, 1}};

    return elements(name, CUDNN_TYPE_FRACTION, 2, both, sizeof both);
}
} // namespace

Descriptor convolution(Descriptor x, Descriptor w, Descriptor y, Window window, double alpha,
                       double beta)
{
    return make(
        CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
        {link(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, window_descriptor(window)),
         real(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, alpha),
         real(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, beta)});
}

Descriptor convolution_data(Descriptor dx, Descriptor w, Descriptor dy, Window window, double alpha,
                            double beta)
{
    return make(
        CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
        {link(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, dx),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, w),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, dy),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, window_descriptor(window)),
         real(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, alpha),
         real(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, beta)});
}

Descriptor convolution_filter(Descriptor x, Descriptor dw, Descriptor dy, Window window,
                              double alpha, double beta)
{
    return make(
        CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
        {link(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, dw),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, dy),
         link(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, window_descriptor(window)),
         real(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, alpha),
         real(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, beta)});
}

Descriptor pointwise(cudnnPointwiseMode_t mode, Descriptor x, Descriptor b, Descriptor y)
{
    return make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
                {link(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise_descriptor(mode)),
                 link(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x),
                 link(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b),
                 link(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y)});
}

Descriptor pointwise_backward(cudnnPointwiseMode_t mode, Descriptor dy, Descriptor x, Descriptor dx)
{
    return make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
                {link(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise_descriptor(mode)),
                 link(CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, dy),
                 link(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x),
                 link(CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, dx)});
}

Descriptor norm_training(const Norm &norm)
{
    return norm_forward(norm, CUDNN_NORM_FWD_TRAINING);
}

Descriptor norm_inference(const Norm &norm)
{
    return norm_forward(norm, CUDNN_NORM_FWD_INFERENCE);
}

Descriptor norm_backward(const NormGradient &norm)
{
    return make(CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR,
                {choice(CUDNN_ATTR_OPERATION_NORM_BWD_MODE, CUDNN_TYPE_NORM_MODE, CUDNN_BATCH_NORM),
                 link(CUDNN_ATTR_OPERATION_NORM_BWD_XDESC, norm.x),
                 link(CUDNN_ATTR_OPERATION_NORM_BWD_DYDESC, norm.dy),
                 link(CUDNN_ATTR_OPERATION_NORM_BWD_DXDESC, norm.dx),
                 link(CUDNN_ATTR_OPERATION_NORM_BWD_SCALE_DESC, norm.scale),
                 link(CUDNN_ATTR_OPERATION_NORM_BWD_MEAN_DESC, norm.mean),
                 link(CUDNN_ATTR_OPERATION_NORM_BWD_INV_VARIANCE_DESC, norm.inverse_deviation),
                 link(CUDNN_ATTR_OPERATION_NORM_BWD_DSCALE_DESC, norm.dscale),
                 link(CUDNN_ATTR_OPERATION_NORM_BWD_DBIAS_DESC, norm.dbias)});
}

Descriptor norm_finalize(const NormSums &norm)
{
    return make(
        CUDNN_BACKEND_OPERATION_BN_FINALIZE_STATISTICS_DESCRIPTOR,
        {choice(CUDNN_ATTR_OPERATION_BN_FINALIZE_STATS_MODE, CUDNN_TYPE_BN_FINALIZE_STATS_MODE,
                CUDNN_BN_FINALIZE_STATISTICS_TRAINING),
         choice(CUDNN_ATTR_OPERATION_BN_FINALIZE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, computed_in),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_Y_SUM_DESC, norm.sum),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_Y_SQ_SUM_DESC, norm.square_sum),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_SCALE_DESC, norm.scale),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_BIAS_DESC, norm.bias),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_PREV_RUNNING_MEAN_DESC, norm.running_mean),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_PREV_RUNNING_VAR_DESC, norm.running_variance),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_ACCUM_COUNT_DESC, norm.count),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_EPSILON_DESC, norm.epsilon),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_EXP_AVERATE_FACTOR_DESC, norm.factor),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_SAVED_MEAN_DESC, norm.mean),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_SAVED_INV_STD_DESC, norm.inverse_deviation),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_EQ_SCALE_DESC, norm.new_scale),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_EQ_BIAS_DESC, norm.new_bias),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_UPDATED_RUNNING_MEAN_DESC, norm.new_running_mean),
         link(CUDNN_ATTR_OPERATION_BN_FINALIZE_UPDATED_RUNNING_VAR_DESC,
              norm.new_running_variance)});
}

Descriptor pool(cudnnResampleMode_t mode, int64_t window, int64_t pad, int64_t stride)
{
    const cudnnPaddingMode_t padding =
        mode == CUDNN_RESAMPLE_MAXPOOL ? CUDNN_NEG_INF_PAD : CUDNN_ZERO_PAD;

    return make(CUDNN_BACKEND_RESAMPLE_DESCRIPTOR,
                {choice(CUDNN_ATTR_RESAMPLE_MODE, CUDNN_TYPE_RESAMPLE_MODE, mode),
                 choice(CUDNN_ATTR_RESAMPLE_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, computed_in),
                 choice(CUDNN_ATTR_RESAMPLE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION,
                        CUDNN_PROPAGATE_NAN),
                 choice(CUDNN_ATTR_RESAMPLE_PADDING_MODE, CUDNN_TYPE_PADDING_MODE, padding),
                 numbers(CUDNN_ATTR_RESAMPLE_SPATIAL_DIMS, {2}),
                 fractions(CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, window),
                 fractions(CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, pad),
                 fractions(CUDNN_ATTR_RESAMPLE_POST_PADDINGS, pad),
                 fractions(CUDNN_ATTR_RESAMPLE_STRIDES, stride)});
}

Descriptor pool_forward(Descriptor pool, Descriptor x, Descriptor y, Descriptor index)
{
    return make(CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR,
                {link(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC, x),
                 link(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC, y),
                 link(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC, index),
                 link(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC, pool),
                 real(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_ALPHA, 1),
                 real(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_BETA, 0)});
}

Descriptor pool_backward(Descriptor pool, Descriptor dy, Descriptor dx, Descriptor index)
{
    return make(CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR,
                {link(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC, dy),
                 link(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC, dx),
                 link(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC, index),
                 link(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC, pool),
                 real(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_ALPHA, 1),
                 real(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_BETA, 0)});
}

Descriptor matmul(Descriptor a, Descriptor b, Descriptor c)
{
    const Descriptor how =
        make(CUDNN_BACKEND_MATMUL_DESCRIPTOR,
             {choice(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, computed_in)});

    return make(
        CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR,
        {link(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a), link(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b),
         link(CUDNN_ATTR_OPERATION_MATMUL_CDESC, c), link(CUDNN_ATTR_OPERATION_MATMUL_DESC, how)});
}

Descriptor reduction(cudnnReduceTensorOp_t operation, Descriptor x, Descriptor y)
{
    const Descriptor how =
        make(CUDNN_BACKEND_REDUCTION_DESCRIPTOR,
             {choice(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, operation),
              choice(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, computed_in)});

    return make(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR,
                {link(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x),
                 link(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y),
                 link(CUDNN_ATTR_OPERATION_REDUCTION_DESC, how)});
}

Descriptor statistics(Descriptor x, Descriptor sum, Descriptor square_sum)
{
    return make(CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR,
                {choice(CUDNN_ATTR_OPERATION_GENSTATS_MODE, CUDNN_TYPE_GENSTATS_MODE,
                        CUDNN_GENSTATS_SUM_SQSUM),
                 choice(CUDNN_ATTR_OPERATION_GENSTATS_MATH_PREC, CUDNN_TYPE_DATA_TYPE, computed_in),
                 link(CUDNN_ATTR_OPERATION_GENSTATS_XDESC, x),
                 link(CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC, sum),
                 link(CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC, square_sum)});
}
} // namespace check
