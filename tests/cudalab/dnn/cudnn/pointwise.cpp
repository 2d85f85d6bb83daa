// Pointwise operations: one function an element, operands broadcast.
#include "operations.h"
#include <algorithm>
#include <cmath>

namespace lab
{
namespace
{
struct Settings {
    double relu_lower, relu_upper, relu_slope, swish_beta;
};

// a and b are the operands of a forward mode, dy and x of a backward one; t is the selection's
// third.
typedef double (*Function)(const Settings &settings, double a, double b, double t);
#define LAB_FUNCTION(expression)                                                                   \
    return [](const Settings &set, double a, double b, double t) -> double {                       \
        (void)set, (void)a, (void)b, (void)t;                                                      \
        return expression;                                                                         \
    }

const double sqrt_half = 0.70710678118654752;
const double sqrt_2_over_pi = 0.79788456080286536;
const double gelu_cubic = 0.044715; // of its approximation by tanh

double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

double relu(const Settings &set, double x)
{
    if (std::isnan(x)) return x;
    if (x > set.relu_lower) return std::min(x, set.relu_upper);
    return set.relu_lower + set.relu_slope * (x - set.relu_lower);
}

double relu_gradient(const Settings &set, double dy, double x)
{
    if (!(x > set.relu_lower)) return set.relu_slope * dy;
    return x < set.relu_upper ? dy : 0;
}

double gelu(double x)
{
    return 0.5 * x * (1 + std::erf(x * sqrt_half));
}

double gelu_gradient(double dy, double x)
{
    const double density = exp(-0.5 * x * x) * sqrt_2_over_pi / 2;

    return dy * (0.5 * (1 + std::erf(x * sqrt_half)) + x * density);
}

double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt_2_over_pi * (x + gelu_cubic * x * x * x)));
}

double gelu_tanh_gradient(double dy, double x)
{
    const double inner = tanh(sqrt_2_over_pi * (x + gelu_cubic * x * x * x));
    const double slope = sqrt_2_over_pi * (1 + 3 * gelu_cubic * x * x);

    return dy * (0.5 * (1 + inner) + 0.5 * x * (1 - inner * inner) * slope);
}

double swish_gradient(const Settings &set, double dy, double x)
{
    const double gate = sigmoid(set.swish_beta * x);

    return dy * (gate + set.swish_beta * x * gate * (1 - gate));
}

Function function_of(cudnnPointwiseMode_t mode)
{
    switch (mode) {
    case CUDNN_POINTWISE_ADD:
        LAB_FUNCTION(a + b);
    case CUDNN_POINTWISE_SUB:
        LAB_FUNCTION(a - b);
    case CUDNN_POINTWISE_MUL:
        LAB_FUNCTION(a * b);
    case CUDNN_POINTWISE_DIV:
        LAB_FUNCTION(a / b);
    case CUDNN_POINTWISE_MAX:
        LAB_FUNCTION(std::max(a, b));
    case CUDNN_POINTWISE_MIN:
        LAB_FUNCTION(std::min(a, b));
    case CUDNN_POINTWISE_ADD_SQUARE:
        LAB_FUNCTION(a + b * b);
    case CUDNN_POINTWISE_POW:
        LAB_FUNCTION(pow(a, b));
    case CUDNN_POINTWISE_MOD:
        LAB_FUNCTION(fmod(a, b));
    case CUDNN_POINTWISE_ABS:
        LAB_FUNCTION(fabs(a));
    case CUDNN_POINTWISE_CEIL:
        LAB_FUNCTION(ceil(a));
    case CUDNN_POINTWISE_FLOOR:
        LAB_FUNCTION(floor(a));
    case CUDNN_POINTWISE_COS:
        LAB_FUNCTION(cos(a));
    case CUDNN_POINTWISE_SIN:
        LAB_FUNCTION(sin(a));
    case CUDNN_POINTWISE_TAN:
        LAB_FUNCTION(tan(a));
    case CUDNN_POINTWISE_EXP:
        LAB_FUNCTION(exp(a));
    case CUDNN_POINTWISE_LOG:
        LAB_FUNCTION(log(a));
    case CUDNN_POINTWISE_NEG:
        LAB_FUNCTION(-a);
    case CUDNN_POINTWISE_RSQRT:
        LAB_FUNCTION(1 / sqrt(a));
    case CUDNN_POINTWISE_SQRT:
        LAB_FUNCTION(sqrt(a));
    case CUDNN_POINTWISE_ERF:
        LAB_FUNCTION(std::erf(a));
    case CUDNN_POINTWISE_IDENTITY:
        LAB_FUNCTION(a);
    case CUDNN_POINTWISE_RECIPROCAL:
        LAB_FUNCTION(1 / a);
    case CUDNN_POINTWISE_RELU_FWD:
        LAB_FUNCTION(relu(set, a));
    case CUDNN_POINTWISE_RELU_BWD:
        LAB_FUNCTION(relu_gradient(set, a, b));
    case CUDNN_POINTWISE_TANH_FWD:
        LAB_FUNCTION(tanh(a));
    case CUDNN_POINTWISE_TANH_BWD:
        LAB_FUNCTION(a * (1 - tanh(b) * tanh(b)));
    case CUDNN_POINTWISE_SIGMOID_FWD:
        LAB_FUNCTION(sigmoid(a));
    case CUDNN_POINTWISE_SIGMOID_BWD:
        LAB_FUNCTION(a * sigmoid(b) * (1 - sigmoid(b)));
    case CUDNN_POINTWISE_GELU_FWD:
        LAB_FUNCTION(gelu(a));
    case CUDNN_POINTWISE_GELU_BWD:
        LAB_FUNCTION(gelu_gradient(a, b));
    case CUDNN_POINTWISE_GELU_APPROX_TANH_FWD:
        LAB_FUNCTION(gelu_tanh(a));
    case CUDNN_POINTWISE_GELU_APPROX_TANH_BWD:
        LAB_FUNCTION(gelu_tanh_gradient(a, b));
    case CUDNN_POINTWISE_SWISH_FWD:
        LAB_FUNCTION(a * sigmoid(a * set.swish_beta));
    case CUDNN_POINTWISE_SWISH_BWD:
        LAB_FUNCTION(swish_gradient(set, a, b));
    case CUDNN_POINTWISE_CMP_EQ:
        LAB_FUNCTION(a == b);
    case CUDNN_POINTWISE_CMP_NEQ:
        LAB_FUNCTION(a != b);
    case CUDNN_POINTWISE_CMP_GT:
        LAB_FUNCTION(a > b);
    case CUDNN_POINTWISE_CMP_GE:
        LAB_FUNCTION(a >= b);
    case CUDNN_POINTWISE_CMP_LT:
        LAB_FUNCTION(a < b);
    case CUDNN_POINTWISE_CMP_LE:
        LAB_FUNCTION(a <= b);
    case CUDNN_POINTWISE_LOGICAL_AND:
        LAB_FUNCTION(a != 0 && b != 0);
    case CUDNN_POINTWISE_LOGICAL_OR:
        LAB_FUNCTION(a != 0 || b != 0);
    case CUDNN_POINTWISE_LOGICAL_NOT:
        LAB_FUNCTION(a == 0);
    case CUDNN_POINTWISE_BINARY_SELECT:
        LAB_FUNCTION(t != 0 ? a : b);
    default:
        return nullptr;
    }
}

ShadowPtr description_of(const ShadowPtr &operation)
{
    return link_of(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
}

cudnnPointwiseMode_t mode_of(const ShadowPtr &operation)
{
    return value_of(description_of(operation), CUDNN_ATTR_POINTWISE_MODE, CUDNN_POINTWISE_ADD);
}

Settings settings_of(const ShadowPtr &operation)
{
    const ShadowPtr from = description_of(operation);

    return {real_of(from, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, 0),
            real_of(from, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, INFINITY),
            real_of(from, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, 0),
            real_of(from, CUDNN_ATTR_POINTWISE_SWISH_BETA, 1)};
}

// An operand laid out as the result is: one value an element.
Values spread(Execution &execution, const ShadowPtr &operand, const Integers &dims, double scale)
{
    Values result((size_t)product_of(dims), 0.0);

    if (!operand) return result;
    const Values &values = execution.input(operand);
    const Integers own = tensor_of(operand).dims;
    if (own == dims)
        result = values;
    else
        walk(dims, broadcast_strides(own, dims),
             [&](int64_t k, int64_t from) { result[(size_t)k] = values[(size_t)from]; });
    if (scale != 1)
        for (double &value : result) value *= scale;
    return result;
}
} // namespace

const char *why_no_pointwise(const ShadowPtr &operation)
{
    return function_of(mode_of(operation)) ? nullptr : "a pointwise mode";
}

void run_pointwise(Execution &execution, const ShadowPtr &operation)
{
    const ShadowPtr x = link_of(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
    const ShadowPtr dy = link_of(operation, CUDNN_ATTR_OPERATION_POINTWISE_DYDESC);
    const ShadowPtr second = dy ? x : link_of(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    const ShadowPtr result = link_of(operation, dy ? CUDNN_ATTR_OPERATION_POINTWISE_DXDESC
                                                   : CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    const Integers dims = tensor_of(result).dims;
    const Function function = function_of(mode_of(operation));
    const Settings settings = settings_of(operation);
    Values a = spread(execution, dy ? dy : x, dims,
                      real_of(operation, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, 1));
    const Values b = spread(execution, second, dims,
                            real_of(operation, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, 1));
    const Values t =
        spread(execution, link_of(operation, CUDNN_ATTR_OPERATION_POINTWISE_TDESC), dims, 1);

    for (size_t i = 0; i < a.size(); i++) a[i] = function(settings, a[i], b[i], t[i]);
    execution.output(result, std::move(a));
}
} // namespace lab
