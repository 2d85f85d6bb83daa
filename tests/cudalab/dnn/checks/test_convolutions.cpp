// Convolutions of many shapes in their three directions, in fp32 and bf16; with CUDALAB_TF32, on
// rounded factors.
#include "operations.h"
#include "reference.h"
#include <cmath>
#include <cstdlib>

using namespace check;

namespace
{
struct Case {
    const char *name;
    Shape shape; // n, c, h, w, k, r, pad, stride, dilation, groups
};
const Case cases[] = {
    {"3x3", {2, 8, 9, 7, 16, 3, 1, 1, 1, 1}},
    {"3x3, stride 2", {2, 8, 9, 7, 16, 3, 1, 2, 1, 1}},
    {"3x3, stride 2, no padding", {2, 16, 8, 8, 8, 3, 0, 2, 1, 1}},
    {"1x1", {3, 16, 5, 5, 24, 1, 0, 1, 1, 1}},
    {"1x1, stride 2", {3, 16, 6, 6, 8, 1, 0, 2, 1, 1}},
    {"7x7, stride 2, of 3 channels", {2, 3, 16, 16, 8, 7, 3, 2, 1, 1}},
    {"5x5, more padding than needed", {2, 8, 6, 6, 8, 5, 4, 1, 1, 1}},
    {"3x3, dilation 2", {2, 8, 9, 9, 8, 3, 2, 1, 2, 1}},
    {"3x3, 4 groups", {2, 32, 6, 6, 32, 3, 1, 1, 1, 4}},
    {"3x3, depthwise", {2, 64, 6, 6, 64, 3, 1, 1, 1, 64}},
};

bool is_tf32()
{
    return getenv("CUDALAB_TF32") != nullptr;
}

// Ten bits behind the point.
Numbers as_factor(Numbers numbers, Kind kind)
{
    if (is_tf32() && kind == Kind::f32)
        for (double &number : numbers) {
            int exponent;
            const double mantissa = std::frexp(number, &exponent);
            number = std::ldexp(std::nearbyint(std::ldexp(mantissa, 11)), exponent - 11);
        }
    return numbers;
}

Numbers scaled(double alpha, const Numbers &a, double beta, const Numbers &b)
{
    Numbers sum;

    for (size_t i = 0; i < a.size(); i++) sum.push_back(alpha * a[i] + beta * b[i]);
    return sum;
}

void try_case(cudnnHandle_t cudnn, const Case &tried, Kind kind, double alpha, double beta)
{
    const Shape &shape = tried.shape;
    const Window window = {shape.pad, shape.stride, shape.dilation};
    const double tolerance = kind == Kind::bf16 ? 1e-2 : 1e-6;
    const std::string name = std::string(kind == Kind::bf16 ? "bf16 "
                                         : is_tf32()        ? "TF32 "
                                                            : "fp32 ") +
                             tried.name + (beta != 0 ? ", added to what is there" : "");
    const auto random = [&](const Integers &dims) {
        return random_numbers((size_t)product_of(dims), kind);
    };
    const Numbers x = random(shape.x_dims()), w = random(shape.w_dims());
    const Numbers dy = random(shape.y_dims()), old_y = random(shape.y_dims());
    const Numbers old_x = random(shape.x_dims()), old_w = random(shape.w_dims());
    const Numbers x_factor = as_factor(x, kind), w_factor = as_factor(w, kind);
    const Numbers y_factor = as_factor(dy, kind);
    Tensor on_x(shape.x_dims(), kind, x), on_w(shape.w_dims(), kind, w);
    Tensor on_dy(shape.y_dims(), kind, dy), y(shape.y_dims(), kind, old_y);
    Tensor dx(shape.x_dims(), kind, old_x), dw(shape.w_dims(), kind, old_w);
    Graph forward(cudnn), data(cudnn), filter(cudnn);

    forward.run(name, {convolution(forward.tensor(on_x), forward.tensor(on_w), forward.tensor(y),
                                   window, alpha, beta)});
    data.run(name, {convolution_data(data.tensor(dx), data.tensor(on_w), data.tensor(on_dy), window,
                                     alpha, beta)});
    filter.run(name, {convolution_filter(filter.tensor(on_x), filter.tensor(dw),
                                         filter.tensor(on_dy), window, alpha, beta)});
    close(name, y.read(),
          scaled(alpha, convolved(shape, x_factor, w_factor, Kind::f32), beta, old_y), tolerance);
    close(name + ", data gradient", dx.read(),
          scaled(alpha, convolved_data(shape, w_factor, y_factor, Kind::f32), beta, old_x),
          tolerance);
    close(name + ", filter gradient", dw.read(),
          scaled(alpha, convolved_filter(shape, x_factor, y_factor, Kind::f32), beta, old_w),
          tolerance);
}

// Tensors by channels: strides are the caller's. One plane each, so that the filter lies the same
// in both.
void try_strides(cudnnHandle_t cudnn)
{
    const Shape shape = {2, 8, 6, 6, 8, 1, 0, 1, 1, 1};
    const Integers strides = {shape.c * 36, 36, 6, 1};
    const Numbers x = random_numbers((size_t)product_of(shape.x_dims()), Kind::f32);
    const Numbers w = random_numbers((size_t)product_of(shape.w_dims()), Kind::f32);
    const Integers flat = {1, 1, product_of(shape.x_dims())}; // lies in the order of the numbers
    Tensor on_x(flat, Kind::f32, x), on_w(shape.w_dims(), Kind::f32, w), y(flat, Kind::f32);
    Graph g(cudnn);

    g.run("by channels", {convolution(g.tensor(on_x, shape.x_dims(), strides),
                                      g.tensor(on_w, shape.w_dims(), {shape.c, 1, 1, 1}),
                                      g.tensor(y, shape.y_dims(), strides), {0, 1, 1})});
    close("tensors that lie by channels", y.read(),
          convolved(shape, as_factor(x, Kind::f32), as_factor(w, Kind::f32), Kind::f32), 1e-6);
}
} // namespace

int main()
{
    const cudaStream_t stream = new_stream();
    cudnnHandle_t cudnn;

    that(cudnnCreate(&cudnn) == CUDNN_STATUS_SUCCESS &&
             cudnnSetStream(cudnn, stream) == CUDNN_STATUS_SUCCESS,
         "cuDNN opens");
    for (const Case &tried : cases) {
        try_case(cudnn, tried, Kind::f32, 1, 0);
        if (!is_tf32() && tried.shape.n_groups == 1) try_case(cudnn, tried, Kind::bf16, 1, 0);
    }
    try_case(cudnn, cases[0], Kind::f32, 0.5, 1);
    try_strides(cudnn);
    cudnnDestroy(cudnn);
    return status();
}
