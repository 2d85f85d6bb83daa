/* Descriptors of tensors and operations. */
#include "device/cuda/dnn_graph.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void adn_dnn_graph_init(dnn_graph *g, const dnn_target *target)
{
    *g = (dnn_graph){.target = *target};
}

void adn_dnn_graph_clear(dnn_graph *g)
{
    while (g->n_desc > 0) cudnnBackendDestroyDescriptor(g->desc[--g->n_desc]);
}

static void note(dnn_graph *g, cudnnStatus_t e, const char *call, int line)
{
    if (g->st == ADN_OK && e != CUDNN_STATUS_SUCCESS)
        g->st = adn_cudnn_failed(g->target.gpu, e, call, __FILE__, line);
}
#define NOTE(g, call)                                                                              \
    do {                                                                                           \
        if ((g)->st == ADN_OK) note((g), (call), #call, __LINE__);                                 \
    } while (0)

static void say(dnn_graph *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(dnn_graph *g, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(g->text + g->n_text, sizeof(g->text) - g->n_text, fmt, args);
    va_end(args);
    ADN_ASSERT(n >= 0 && (size_t)n < sizeof(g->text) - g->n_text);
    g->n_text += (size_t)n;
}

static int index_of(const dnn_graph *g, cudnnBackendDescriptor_t d)
{
    int k = 0;

    while (k < g->n_desc && g->desc[k] != d) k++;
    return k;
}

static void say_value(dnn_graph *g, cudnnBackendAttributeType_t type, const void *values, int64_t k)
{
    switch (type) {
    case CUDNN_TYPE_INT64:
        say(g, " %" PRId64, ((const int64_t *)values)[k]);
        break;
    case CUDNN_TYPE_DOUBLE:
        say(g, " %a", ((const double *)values)[k]);
        break;
    case CUDNN_TYPE_BOOLEAN:
        say(g, " %d", ((const bool *)values)[k]);
        break;
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        say(g, " #%d", index_of(g, ((const cudnnBackendDescriptor_t *)values)[k]));
        break;
    default: /* enumerations */
        say(g, " %d", ((const int *)values)[k]);
    }
}

static cudnnBackendDescriptor_t make(dnn_graph *g, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;

    ADN_ASSERT(g->n_desc < DNN_MAX_DESC);
    say(g, "#%d is %d\n", g->n_desc, (int)type);
    NOTE(g, cudnnBackendCreateDescriptor(type, &d));
    if (d != NULL) g->desc[g->n_desc++] = d;
    return d;
}

static void set(dnn_graph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *values)
{
    say(g, "#%d %d", index_of(g, d), (int)name);
    for (int64_t k = 0; k < n; k++) say_value(g, type, values, k);
    say(g, "\n");
    NOTE(g, cudnnBackendSetAttribute(d, name, type, n, values));
}

static void set_ints(dnn_graph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                     int n, const int64_t *values)
{
    set(g, d, name, CUDNN_TYPE_INT64, n, values);
}

static void set_desc(dnn_graph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                     cudnnBackendDescriptor_t value)
{
    set(g, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static cudnnDataType_t data_type(adn_type t)
{
    return t == ADN_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

cudnnBackendDescriptor_t adn_dnn_tensor(dnn_graph *g, const dnn_tensor *t)
{
    cudnnBackendDescriptor_t d = make(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    cudnnDataType_t type = data_type(t->type);
    int64_t h = t->shape.h, w = t->shape.w, c = t->shape.c, alignment = 16;
    int64_t dim[4] = {t->shape.n, c, h, w}, stride[4] = {h * w * c, 1, w * c, c};

    set(g, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set_ints(g, d, CUDNN_ATTR_TENSOR_DIMENSIONS, 4, dim);
    set_ints(g, d, CUDNN_ATTR_TENSOR_STRIDES, 4, stride);
    set_ints(g, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, 1, &t->id);
    set_ints(g, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 1, &alignment);
    set(g, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &t->is_virtual);
    NOTE(g, cudnnBackendFinalize(d));
    if (!t->is_virtual) {
        ADN_ASSERT(g->n_tensor < DNN_MAX_TENSOR);
        g->tensor_id[g->n_tensor] = t->id;
        g->tensor_bytes[g->n_tensor++] = adn_shape_count(t->shape) * adn_type_bytes(t->type);
    }
    return d;
}

static cudnnBackendDescriptor_t conv_geometry(dnn_graph *g, int stride, int pad)
{
    cudnnBackendDescriptor_t d = make(g, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    int64_t n_dim = 2, pads[2] = {pad, pad}, ones[2] = {1, 1}, strides[2] = {stride, stride};

    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 1, &n_dim);
    set(g, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    set(g, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 2, pads);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 2, pads);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, 2, ones);
    set_ints(g, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 2, strides);
    NOTE(g, cudnnBackendFinalize(d));
    return d;
}

static void add_op(dnn_graph *g, cudnnBackendDescriptor_t op)
{
    NOTE(g, cudnnBackendFinalize(op));
    ADN_ASSERT(g->n_op < (int)ADN_COUNT(g->ops));
    g->ops[g->n_op++] = op;
}

void adn_dnn_conv(dnn_graph *g, dnn_conv_pass pass, int stride, int pad,
                  cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t weight,
                  cudnnBackendDescriptor_t dst)
{
    static const struct pass_names {
        cudnnBackendDescriptorType_t op;
        cudnnBackendAttributeName_t src, weight, dst, geometry, alpha, beta;
    } names[] = {
        [DNN_CONV_FWD] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
        [DNN_CONV_GRAD_SRC] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
        [DNN_CONV_GRAD_WEIGHT] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
    };
    const struct pass_names *name = &names[pass];
    double one = 1, zero = 0;
    cudnnBackendDescriptor_t geometry = conv_geometry(g, stride, pad), op = make(g, name->op);

    set_desc(g, op, name->src, src);
    set_desc(g, op, name->weight, weight);
    set_desc(g, op, name->dst, dst);
    set_desc(g, op, name->geometry, geometry);
    set(g, op, name->alpha, CUDNN_TYPE_DOUBLE, 1, &one);
    set(g, op, name->beta, CUDNN_TYPE_DOUBLE, 1, &zero);
    add_op(g, op);
}

/* b: NULL for modes of one operand. */
static void pointwise(dnn_graph *g, cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x,
                      cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t how = make(g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    cudnnDataType_t precision = CUDNN_DATA_FLOAT;

    set(g, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(g, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    NOTE(g, cudnnBackendFinalize(how));
    cudnnBackendDescriptor_t op = make(g, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b != NULL) set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    set_desc(g, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    add_op(g, op);
}

void adn_dnn_convert(dnn_graph *g, cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t dst)
{
    pointwise(g, CUDNN_POINTWISE_IDENTITY, src, NULL, dst);
}

void adn_dnn_add(dnn_graph *g, cudnnBackendDescriptor_t src, cudnnBackendDescriptor_t bias,
                 cudnnBackendDescriptor_t dst)
{
    pointwise(g, CUDNN_POINTWISE_ADD, src, bias, dst);
}
