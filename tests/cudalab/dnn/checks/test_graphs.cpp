// Graphs of several operations, and operations that the network of test_cnn.cpp lacks.
#include "operations.h"
#include "reference.h"
#include <cmath>

using namespace check;

namespace
{
const int64_t n = 2, c = 8, size = 6;
const Integers image = {n, c, size, size}, channels = {1, c, 1, 1};
const double tolerance = 1e-6;
const float epsilon = 1e-5f;

Numbers random(const Integers &dims, Kind kind = Kind::f32)
{
    return random_numbers((size_t)product_of(dims), kind);
}

// Of an element of an image.
size_t channel_of(size_t i, int64_t n_channels, int64_t n_pixels)
{
    return i / (size_t)n_pixels % (size_t)n_channels;
}

void convolution_with_epilogue(cudnnHandle_t cudnn)
{
    const Shape shape = {n, c, size, size, 16, 3, 1, 2, 1, 1};
    const Numbers x = random(shape.x_dims()), w = random(shape.w_dims());
    const Numbers bias = random({shape.k}), other = random(shape.y_dims());
    Tensor on_x(shape.x_dims(), Kind::f32, x), on_w(shape.w_dims(), Kind::f32, w);
    Tensor on_bias({1, shape.k, 1, 1}, Kind::f32, bias), on_y(shape.y_dims(), Kind::f32);
    Tensor on_other(shape.y_dims(), Kind::f32, other);
    const Descriptor raw = virtual_tensor(shape.y_dims(), Kind::f32);
    const Descriptor biased = virtual_tensor(shape.y_dims(), Kind::f32);
    const Descriptor sum = virtual_tensor(shape.y_dims(), Kind::f32);
    const std::string name = "convolution + bias + sum + ReLU";
    Graph g(cudnn);

    // In another order than they are computed in.
    g.run(name, {pointwise(CUDNN_POINTWISE_RELU_FWD, sum, nullptr, g.tensor(on_y)),
                 pointwise(CUDNN_POINTWISE_ADD, biased, g.tensor(on_other), sum),
                 pointwise(CUDNN_POINTWISE_ADD, raw, g.tensor(on_bias), biased),
                 convolution(g.tensor(on_x), g.tensor(on_w), raw, {1, 2, 1})});
    Numbers expected = convolved(shape, x, w, Kind::f32);
    for (size_t i = 0; i < expected.size(); i++)
        expected[i] += bias[channel_of(i, shape.k, shape.p() * shape.q())] + other[i];
    close(name, on_y.read(), relu(expected), tolerance);
}

// The norm's output is not kept: it is computed again, for the ReLU.
void norm_gradient_through_relu(cudnnHandle_t cudnn)
{
    const Numbers x = random(image), dy = random(image), scale = random(channels);
    const Numbers bias = random(channels);
    Tensor on_x(image, Kind::f32, x), on_dy(image, Kind::f32, dy), on_y(image, Kind::f32);
    Tensor on_scale(channels, Kind::f32, scale), on_bias(channels, Kind::f32, bias);
    Tensor mean(channels, Kind::f32), deviation(channels, Kind::f32), dx(image, Kind::f32);
    Tensor dscale(channels, Kind::f32), dbias(channels, Kind::f32);
    float by_value = epsilon;
    const std::string name = "norm + ReLU backward + norm backward";
    Graph forward(cudnn), backward(cudnn);
    Norm norm = {};

    norm.x = forward.tensor(on_x), norm.y = forward.tensor(on_y);
    norm.scale = forward.tensor(on_scale), norm.bias = forward.tensor(on_bias);
    norm.mean = forward.tensor(mean), norm.inverse_deviation = forward.tensor(deviation);
    norm.epsilon = forward.scalar(&by_value);
    forward.run("norm without running statistics", {norm_training(norm)});

    Norm again = {};
    again.x = backward.tensor(on_x), again.y = virtual_tensor(image, Kind::f32);
    again.scale = backward.tensor(on_scale), again.bias = backward.tensor(on_bias);
    again.mean = backward.tensor(mean), again.inverse_deviation = backward.tensor(deviation);
    const Descriptor dr = virtual_tensor(image, Kind::f32);
    backward.run(name,
                 {norm_inference(again),
                  pointwise_backward(CUDNN_POINTWISE_RELU_BWD, backward.tensor(on_dy), again.y, dr),
                  norm_backward({again.x, dr, backward.tensor(dx), again.scale, again.mean,
                                 again.inverse_deviation, backward.tensor(dscale),
                                 backward.tensor(dbias)})});

    const Normed expected = normed(x, c, size * size, scale, bias, epsilon, Kind::f32);
    const NormedGradient gradient = normed_gradient(x, relu_gradient(dy, expected.y), c,
                                                    size * size, scale, expected, Kind::f32);
    close("norm without running statistics", on_y.read(), expected.y, tolerance);
    close(name, dx.read(), gradient.dx, tolerance);
    close(name + ": dscale", dscale.read(), gradient.dscale, tolerance);
    close(name + ": dbias", dbias.read(), gradient.dbias, tolerance);
}

// Fp32 gradients of bf16 filters: a virtual tensor, copied.
void filter_gradient_in_fp32(cudnnHandle_t cudnn)
{
    const Shape shape = {n, c, size, size, 16, 3, 1, 1, 1, 1};
    const Numbers x = random(shape.x_dims(), Kind::bf16), dy = random(shape.y_dims(), Kind::bf16);
    Tensor on_x(shape.x_dims(), Kind::bf16, x), on_dy(shape.y_dims(), Kind::bf16, dy);
    Tensor dw(shape.w_dims(), Kind::f32);
    const Descriptor between = virtual_tensor(shape.w_dims(), Kind::f32);
    const std::string name = "bf16 filter gradient + identity -> fp32";
    Graph g(cudnn);

    g.run(name, {convolution_filter(g.tensor(on_x), between, g.tensor(on_dy), {1, 1, 1}),
                 pointwise(CUDNN_POINTWISE_IDENTITY, between, nullptr, g.tensor(dw))});
    close(name, dw.read(), convolved_filter(shape, x, dy, Kind::f32), tolerance);
}

void convolution_with_statistics(cudnnHandle_t cudnn)
{
    const Shape shape = {n, c, size, size, 16, 1, 0, 1, 1, 1};
    const Numbers x = random(shape.x_dims()), w = random(shape.w_dims());
    const Integers filters = {1, shape.k, 1, 1};
    Tensor on_x(shape.x_dims(), Kind::f32, x), on_w(shape.w_dims(), Kind::f32, w);
    Tensor y(shape.y_dims(), Kind::f32), sum(filters, Kind::f32), squares(filters, Kind::f32);
    Graph g(cudnn);
    const Descriptor result = g.tensor(y);

    g.run("convolution + statistics",
          {convolution(g.tensor(on_x), g.tensor(on_w), result, {0, 1, 1}),
           statistics(result, g.tensor(sum), g.tensor(squares))});
    const Numbers expected = convolved(shape, x, w, Kind::f32);
    Numbers sums((size_t)shape.k, 0.0), square_sums(sums);
    for (size_t i = 0; i < expected.size(); i++) {
        sums[channel_of(i, shape.k, size * size)] += expected[i];
        square_sums[channel_of(i, shape.k, size * size)] += expected[i] * expected[i];
    }
    close("convolution + statistics: sums", sum.read(), sums, tolerance);
    close("convolution + statistics: square sums", squares.read(), square_sums, tolerance);
}

// What a norm computes, by the way of the sums: x * new scale + new bias.
void norm_from_sums(cudnnHandle_t cudnn)
{
    const double factor = 0.25;
    const Numbers x = random(image), scale = random(channels), bias = random(channels);
    Numbers sums((size_t)c, 0.0), square_sums(sums);
    for (size_t i = 0; i < x.size(); i++) {
        sums[channel_of(i, c, size * size)] += x[i];
        square_sums[channel_of(i, c, size * size)] += x[i] * x[i];
    }
    Tensor sum(channels, Kind::f32, sums), squares(channels, Kind::f32, square_sums);
    Tensor on_scale(channels, Kind::f32, scale), on_bias(channels, Kind::f32, bias);
    Tensor running_mean(channels, Kind::f32, Numbers((size_t)c, 1.0));
    Tensor running_variance(channels, Kind::f32, Numbers((size_t)c, 2.0));
    Tensor mean(channels, Kind::f32), deviation(channels, Kind::f32);
    Tensor new_scale(channels, Kind::f32), new_bias(channels, Kind::f32);
    Tensor new_mean(channels, Kind::f32), new_variance(channels, Kind::f32);
    int64_t count = n * size * size;
    float epsilon_value = epsilon, factor_value = (float)factor;
    Graph g(cudnn);

    g.run("norm from sums",
          {norm_finalize({g.tensor(sum), g.tensor(squares), g.tensor(on_scale), g.tensor(on_bias),
                          g.tensor(running_mean), g.tensor(running_variance), g.scalar(&count),
                          g.scalar(&epsilon_value), g.scalar(&factor_value), g.tensor(mean),
                          g.tensor(deviation), g.tensor(new_scale), g.tensor(new_bias),
                          g.tensor(new_mean), g.tensor(new_variance)})});
    const Normed expected = normed(x, c, size * size, scale, bias, epsilon, Kind::f32);
    const Numbers by = new_scale.read(), plus = new_bias.read();
    Numbers y, means, variances;
    for (size_t i = 0; i < x.size(); i++)
        y.push_back(x[i] * by[channel_of(i, c, size * size)] + plus[channel_of(i, c, size * size)]);
    for (size_t i = 0; i < expected.mean.size(); i++) {
        const double unbiased = expected.variance[i] * (double)count / (double)(count - 1);
        means.push_back((1 - factor) * 1 + factor * expected.mean[i]);
        variances.push_back((1 - factor) * 2 + factor * unbiased);
    }
    close("norm from sums", y, expected.y, tolerance);
    close("norm from sums: means", mean.read(), expected.mean, tolerance);
    close("norm from sums: deviations", deviation.read(), expected.inverse_deviation, tolerance);
    close("norm from sums: running means", new_mean.read(), means, tolerance);
    close("norm from sums: running variances", new_variance.read(), variances, tolerance);
}

double gelu(double x)
{
    return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}

double gelu_by_tanh(double x)
{
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

// The gradient against a difference quotient, on which it agrees to 1e-8.
void activation(cudnnHandle_t cudnn, const std::string &name, cudnnPointwiseMode_t forward,
                cudnnPointwiseMode_t backward, double (*function)(double))
{
    const double step = 1e-5;
    const Numbers x = random(image);
    Tensor on_x(image, Kind::f32, x), y(image, Kind::f32), dx(image, Kind::f32);
    Tensor ones(image, Kind::f32, Numbers(x.size(), 1.0));
    Graph g(cudnn), h(cudnn);
    Numbers values, slopes;

    g.run(name, {pointwise(forward, g.tensor(on_x), nullptr, g.tensor(y))});
    h.run(name, {pointwise_backward(backward, h.tensor(ones), h.tensor(on_x), h.tensor(dx))});
    for (double value : x) {
        values.push_back(function(value));
        slopes.push_back((function(value + step) - function(value - step)) / (2 * step));
    }
    close(name, y.read(), values, tolerance);
    close(name + ", backward", dx.read(), slopes, tolerance);
}

void reductions(cudnnHandle_t cudnn)
{
    const Numbers x = random(image);
    Tensor on_x(image, Kind::f32, x), sum(channels, Kind::f32), largest({1, 1, 1, 1}, Kind::f32);
    Graph g(cudnn), h(cudnn);
    Numbers sums((size_t)c, 0.0), maximum(1, 0.0);

    g.run("sum", {reduction(CUDNN_REDUCE_TENSOR_ADD, g.tensor(on_x), g.tensor(sum))});
    h.run("largest", {reduction(CUDNN_REDUCE_TENSOR_AMAX, h.tensor(on_x), h.tensor(largest))});
    for (size_t i = 0; i < x.size(); i++) {
        sums[channel_of(i, c, size * size)] += x[i];
        maximum[0] = std::fmax(maximum[0], std::fabs(x[i]));
    }
    close("reduction to a channel's sum", sum.read(), sums, tolerance);
    close("reduction to the largest magnitude", largest.read(), maximum, tolerance);
}

void mean_without_padding(cudnnHandle_t cudnn)
{
    const Integers result = {n, c, 3, 3}; // windows of 3 x 3, two apart, one pixel of padding
    const Numbers x = random(image);
    Tensor on_x(image, Kind::f32, x), y(result, Kind::f32);
    Graph g(cudnn);
    Numbers expected;

    g.run("means", {pool_forward(pool(CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING, 3, 1, 2),
                                 g.tensor(on_x), g.tensor(y), nullptr)});
    for (int64_t i = 0; i < product_of(result); i++) {
        const int64_t row = i / 3 % 3 * 2 - 1, column = i % 3 * 2 - 1, plane = i / 9;
        double sum = 0;
        int n_inside = 0;
        for (int64_t h = std::max<int64_t>(row, 0); h < row + 3; h++)
            for (int64_t w = std::max<int64_t>(column, 0); w < column + 3; w++, n_inside++)
                sum += x[(size_t)((plane * size + h) * size + w)];
        expected.push_back(sum / n_inside);
    }
    close("means that leave the padding out", y.read(), expected, tolerance);
}

// One bit an element: which a ReLU let through, for the way back.
void mask_of_bits(cudnnHandle_t cudnn)
{
    const Numbers x = random(image), dy = random(image);
    Tensor on_x(image, Kind::f32, x), on_dy(image, Kind::f32, dy), dx(image, Kind::f32);
    Tensor mask(image, Kind::bit);
    float zero = 0;
    Graph g(cudnn), h(cudnn);

    g.run("mask",
          {pointwise(CUDNN_POINTWISE_CMP_GT, g.tensor(on_x), g.scalar(&zero), g.tensor(mask))});
    h.run("mask", {pointwise(CUDNN_POINTWISE_MUL, h.tensor(on_dy), h.tensor(mask), h.tensor(dx))});
    close("a mask of bits, written and read", dx.read(), relu_gradient(dy, x), tolerance);
}

void reloaded_plan(cudnnHandle_t cudnn)
{
    const Numbers x = random(image);
    Tensor on_x(image, Kind::f32, x), y(image, Kind::f32);
    Graph g(cudnn);

    if (!g.plan("plan",
                {pointwise(CUDNN_POINTWISE_RELU_FWD, g.tensor(on_x), nullptr, g.tensor(y))}))
        return;
    that(g.reload(), "a plan is loaded from its text");
    that(g.execute() == CUDNN_STATUS_SUCCESS, "a plan from its text is executed");
    close("a plan from its text computes the same", y.read(), relu(x), tolerance);
}
} // namespace

int main()
{
    const cudaStream_t stream = new_stream();
    cudnnHandle_t cudnn;

    that(cudnnCreate(&cudnn) == CUDNN_STATUS_SUCCESS &&
             cudnnSetStream(cudnn, stream) == CUDNN_STATUS_SUCCESS,
         "cuDNN opens");
    convolution_with_epilogue(cudnn);
    norm_gradient_through_relu(cudnn);
    filter_gradient_in_fp32(cudnn);
    convolution_with_statistics(cudnn);
    norm_from_sums(cudnn);
    activation(cudnn, "GELU", CUDNN_POINTWISE_GELU_FWD, CUDNN_POINTWISE_GELU_BWD, gelu);
    activation(cudnn, "GELU by tanh", CUDNN_POINTWISE_GELU_APPROX_TANH_FWD,
               CUDNN_POINTWISE_GELU_APPROX_TANH_BWD, gelu_by_tanh);
    reductions(cudnn);
    mean_without_padding(cudnn);
    mask_of_bits(cudnn);
    reloaded_plan(cudnn);
    cudnnDestroy(cudnn);
    return status();
}
