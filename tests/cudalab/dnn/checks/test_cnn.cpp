// A network, forward and backward, through 17 graphs and a cuBLAS product, in fp32 and bf16, on the
// GPU model of CUDALAB_GPU: convolution, batch norm + ReLU, max pooling, the same again, mean,
// linear.
#include "operations.h"
#include "reference.h"
#include <cublas_v2.h>
#include <memory>

using namespace check;

namespace
{
const int64_t n_batch = 8, n_in = 8, n_first = 16, n_second = 32, n_out = 16;
const int64_t size = 8, half = 4; // pixels a side, before the pooling and after it
const Shape first = {n_batch, n_in, size, size, n_first, 3, 1, 1, 1, 1};
const Shape second = {n_batch, n_first, half, half, n_second, 3, 1, 1, 1, 1};
const double epsilon = 1e-5f, factor = 0.1f;

struct Inputs {
    Numbers x, w1, w2, w_linear, scale1, bias1, scale2, bias2, d_logits;
};

Inputs random_inputs(Kind kind)
{
    const auto numbers = [&](const Integers &dims, double spread) {
        return random_numbers((size_t)product_of(dims), kind, spread);
    };
    const auto channels = [&](int64_t n, double middle) {
        return random_numbers((size_t)n, Kind::f32, 0.3, middle);
    };
    Inputs in;

    in.x = numbers(first.x_dims(), 1);
    in.w1 = numbers(first.w_dims(), 0.3);
    in.w2 = numbers(second.w_dims(), 0.2);
    in.w_linear = numbers({n_out, n_second}, 0.3);
    in.scale1 = channels(n_first, 1), in.bias1 = channels(n_first, 0);
    in.scale2 = channels(n_second, 1), in.bias2 = channels(n_second, 0);
    in.d_logits = numbers({n_batch, n_out}, 1);
    return in;
}

// One stage on the device: convolution, norm, ReLU.
struct Stage {
    Stage(const Shape &shape, Kind kind, const Numbers &weights, const Numbers &scale,
          const Numbers &bias)
        : w(shape.w_dims(), kind, weights), dw(shape.w_dims(), kind), y(shape.y_dims(), kind),
          a(shape.y_dims(), kind), da(shape.y_dims(), kind), dr(shape.y_dims(), kind),
          dy(shape.y_dims(), kind), channels({1, shape.k, 1, 1}), scale(channels, Kind::f32, scale),
          bias(channels, Kind::f32, bias), mean(channels, Kind::f32),
          deviation(channels, Kind::f32),
          running_mean(channels, Kind::f32, Numbers((size_t)shape.k, 0.0)),
          running_variance(channels, Kind::f32, Numbers((size_t)shape.k, 1.0)),
          new_mean(channels, Kind::f32), new_variance(channels, Kind::f32),
          dscale(channels, Kind::f32), dbias(channels, Kind::f32)
    {
    }
    Tensor w, dw, y, a, da, dr, dy; // da: of a; dr: through the ReLU; dy: through the norm
    Integers channels;
    Tensor scale, bias, mean, deviation, running_mean, running_variance, new_mean, new_variance;
    Tensor dscale, dbias;
    float epsilon_value = (float)epsilon, factor_value = (float)factor;
};

class Network
{
  public:
    Network(cudnnHandle_t cudnn, cublasHandle_t cublas, Kind kind, const Inputs &in)
        : cudnn(cudnn), cublas(cublas), kind(kind), x(first.x_dims(), kind, in.x),
          one(first, kind, in.w1, in.scale1, in.bias1),
          two(second, kind, in.w2, in.scale2, in.bias2), pooled(second.x_dims(), kind),
          d_pooled(second.x_dims(), kind), index(second.x_dims(), Kind::i8),
          features({n_batch, n_second, 1, 1}, kind), d_features({n_batch, n_second, 1, 1}, kind),
          w_linear({1, n_out, n_second}, kind, in.w_linear),
          dw_linear({1, n_out, n_second}, Kind::f32), logits({1, n_batch, n_out}, kind),
          d_logits({1, n_batch, n_out}, kind, in.d_logits)
    {
    }

    void forward()
    {
        convolve("first convolution", x, one);
        norm_and_relu("first norm + ReLU", one);
        run("max pooling", [&](Graph &g) {
            return pool_forward(maximum(), g.tensor(one.a), g.tensor(pooled), g.tensor(index));
        });
        convolve("second convolution", pooled, two);
        norm_and_relu("second norm + ReLU", two);
        run("mean", [&](Graph &g) {
            return pool_forward(mean(), g.tensor(two.a), g.tensor(features), nullptr);
        });
        run("linear", [&](Graph &g) {
            return matmul(features_as_rows(g, features),
                          g.tensor(w_linear, {1, n_second, n_out}, {n_second * n_out, 1, n_second}),
                          g.tensor(logits));
        });
    }

    void backward()
    {
        run("linear, data", [&](Graph &g) {
            return matmul(g.tensor(d_logits), g.tensor(w_linear), features_as_rows(g, d_features));
        });
        multiply_linear_gradient();
        run("mean, backward", [&](Graph &g) {
            return pool_backward(mean(), g.tensor(d_features), g.tensor(two.da), nullptr);
        });
        unwind("second", pooled, two);
        run("second convolution, data", [&](Graph &g) {
            return convolution_data(g.tensor(d_pooled), g.tensor(two.w), g.tensor(two.dy),
                                    {1, 1, 1});
        });
        run("max pooling, backward", [&](Graph &g) {
            return pool_backward(maximum(), g.tensor(d_pooled), g.tensor(one.da), g.tensor(index));
        });
        unwind("first", x, one);
    }

  private:
    template <class Build> void run(const std::string &name, Build build)
    {
        graphs.emplace_back(
            new Graph(cudnn)); // kept: its workspace is in use until the stream is done
        const Descriptor operation = build(*graphs.back());
        graphs.back()->run(name, {operation});
    }
    static Descriptor maximum()
    {
        return pool(CUDNN_RESAMPLE_MAXPOOL, 2, 0, 2);
    }
    static Descriptor mean()
    {
        return pool(CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING, half, 0, 1);
    }
    static Descriptor features_as_rows(Graph &g, Tensor &tensor)
    {
        return g.tensor(tensor, {1, n_batch, n_second}, {n_batch * n_second, n_second, 1});
    }
    void convolve(const std::string &name, Tensor &source, Stage &stage)
    {
        run(name, [&](Graph &g) {
            return convolution(g.tensor(source), g.tensor(stage.w), g.tensor(stage.y), {1, 1, 1});
        });
    }
    void norm_and_relu(const std::string &name, Stage &stage)
    {
        graphs.emplace_back(new Graph(cudnn));
        Graph &g = *graphs.back();
        const Descriptor between = virtual_tensor(stage.y.dims, Kind::f32);
        const Descriptor norm =
            norm_training({g.tensor(stage.y), between, g.tensor(stage.scale), g.tensor(stage.bias),
                           g.tensor(stage.mean), g.tensor(stage.deviation),
                           g.scalar(&stage.epsilon_value), g.scalar(&stage.factor_value),
                           g.tensor(stage.running_mean), g.tensor(stage.running_variance),
                           g.tensor(stage.new_mean), g.tensor(stage.new_variance)});

        g.run(name,
              {norm, pointwise(CUDNN_POINTWISE_RELU_FWD, between, nullptr, g.tensor(stage.a))});
    }
    void unwind(const std::string &name, Tensor &source, Stage &stage)
    {
        run(name + " ReLU, backward", [&](Graph &g) {
            return pointwise_backward(CUDNN_POINTWISE_RELU_BWD, g.tensor(stage.da),
                                      g.tensor(stage.a), g.tensor(stage.dr));
        });
        run(name + " norm, backward", [&](Graph &g) {
            return norm_backward({g.tensor(stage.y), g.tensor(stage.dr), g.tensor(stage.dy),
                                  g.tensor(stage.scale), g.tensor(stage.mean),
                                  g.tensor(stage.deviation), g.tensor(stage.dscale),
                                  g.tensor(stage.dbias)});
        });
        run(name + " convolution, filter", [&](Graph &g) {
            return convolution_filter(g.tensor(source), g.tensor(stage.dw), g.tensor(stage.dy),
                                      {1, 1, 1});
        });
    }
    // By columns: [n_second, n_out] = features^T [n_second, n] x d_logits [n, n_out].
    void multiply_linear_gradient()
    {
        const cudaDataType type = kind == Kind::bf16 ? CUDA_R_16BF : CUDA_R_32F;
        const float one = 1, zero = 0;

        that(cublasGemmEx(cublas, CUBLAS_OP_N, CUBLAS_OP_T, n_second, n_out, n_batch, &one,
                          features.memory(), type, n_second, d_logits.memory(), type, n_out, &zero,
                          dw_linear.memory(), CUDA_R_32F, n_second, CUBLAS_COMPUTE_32F,
                          CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS,
             "the linear layer's gradient is a cuBLAS product");
    }

    const cudnnHandle_t cudnn;
    const cublasHandle_t cublas;
    const Kind kind;
    std::vector<std::unique_ptr<Graph>> graphs;

  public:
    Tensor x;
    Stage one, two;
    Tensor pooled, d_pooled, index, features, d_features, w_linear, dw_linear, logits, d_logits;
};

// The maximum of 2 x 2, and where in its image it was.
Numbers pooled_by_two(const Numbers &a, std::vector<size_t> &places)
{
    Numbers result;

    for (size_t image = 0; image < (size_t)(n_batch * n_first); image++)
        for (size_t i = 0; i < half; i++)
            for (size_t j = 0; j < half; j++) {
                const size_t corner = (image * size + 2 * i) * size + 2 * j;
                size_t best = corner;
                for (size_t place : {corner + 1, corner + size, corner + size + 1})
                    if (a[place] > a[best]) best = place;
                places.push_back(best);
                result.push_back(a[best]);
            }
    return result;
}

// The exponential averages from their start, 0 and 1.
void compare_stage(const std::string &name, const Shape &shape, const Stage &stage,
                   const Normed &norm, double tolerance)
{
    const double n = (double)(shape.n * shape.p() * shape.q());
    Numbers mean, variance;

    for (double value : norm.mean) mean.push_back(factor * value);
    for (double value : norm.variance)
        variance.push_back(1 - factor + factor * value * n / (n - 1));
    close(name + " means", stage.mean.read(), norm.mean, tolerance);
    close(name + " deviations", stage.deviation.read(), norm.inverse_deviation, tolerance);
    close(name + " running means", stage.new_mean.read(), mean, tolerance);
    close(name + " running variances", stage.new_variance.read(), variance, tolerance);
}

void compare_gradient(const std::string &name, const Stage &stage, const NormedGradient &norm,
                      const Numbers &dw, double tolerance)
{
    close(name + " norm's dx", stage.dy.read(), norm.dx, tolerance);
    close(name + " norm's dscale", stage.dscale.read(), norm.dscale, tolerance);
    close(name + " norm's dbias", stage.dbias.read(), norm.dbias, tolerance);
    close(name + " filter's gradient", stage.dw.read(), dw, tolerance);
}

void compare(const Network &net, const Inputs &in, Kind kind)
{
    // bf16: a sum near the middle of two neighbours may go to the other one.
    const double tolerance = kind == Kind::bf16 ? 1e-2 : 1e-6;
    const std::string type = kind == Kind::bf16 ? "bf16: " : "fp32: ";
    const int64_t area = size * size, small_area = half * half;
    std::vector<size_t> places;

    const Numbers y1 = convolved(first, in.x, in.w1, kind);
    const Normed norm1 = normed(y1, n_first, area, in.scale1, in.bias1, epsilon, kind);
    const Numbers a1 = relu(norm1.y);
    const Numbers pooled = pooled_by_two(a1, places);
    const Numbers y2 = convolved(second, pooled, in.w2, kind);
    const Normed norm2 = normed(y2, n_second, small_area, in.scale2, in.bias2, epsilon, kind);
    const Numbers a2 = relu(norm2.y);
    Numbers features((size_t)(n_batch * n_second), 0.0);
    for (size_t i = 0; i < a2.size(); i++) features[i / (size_t)small_area] += a2[i] / small_area;
    for (double &value : features) value = rounded(value, kind);
    const Numbers logits =
        product(n_batch, n_out, n_second, features, false, in.w_linear, true, kind);

    const Numbers d_features =
        product(n_batch, n_second, n_out, in.d_logits, false, in.w_linear, false, kind);
    const Numbers dw_linear =
        product(n_out, n_second, n_batch, in.d_logits, true, features, false, Kind::f32);
    Numbers da2;
    for (size_t i = 0; i < a2.size(); i++)
        da2.push_back(rounded(d_features[i / (size_t)small_area] / small_area, kind));
    const NormedGradient back2 =
        normed_gradient(y2, relu_gradient(da2, a2), n_second, small_area, in.scale2, norm2, kind);
    const Numbers d_pooled = convolved_data(second, in.w2, back2.dx, kind);
    Numbers da1(a1.size(), 0.0);
    for (size_t i = 0; i < places.size(); i++) da1[places[i]] += d_pooled[i];
    const NormedGradient back1 =
        normed_gradient(y1, relu_gradient(da1, a1), n_first, area, in.scale1, norm1, kind);

    close(type + "first convolution", net.one.y.read(), y1, tolerance);
    close(type + "first norm + ReLU", net.one.a.read(), a1, tolerance);
    compare_stage(type + "first", first, net.one, norm1, tolerance);
    close(type + "maxima", net.pooled.read(), pooled, tolerance);
    close(type + "second convolution", net.two.y.read(), y2, tolerance);
    close(type + "second norm + ReLU", net.two.a.read(), a2, tolerance);
    compare_stage(type + "second", second, net.two, norm2, tolerance);
    close(type + "mean", net.features.read(), features, tolerance);
    close(type + "logits", net.logits.read(), logits, tolerance);
    close(type + "linear's data gradient", net.d_features.read(), d_features, tolerance);
    close(type + "linear's weight gradient", net.dw_linear.read(), dw_linear, tolerance);
    compare_gradient(type + "second", net.two, back2,
                     convolved_filter(second, pooled, back2.dx, kind), tolerance);
    close(type + "second convolution's data gradient", net.d_pooled.read(), d_pooled, tolerance);
    compare_gradient(type + "first", net.one, back1, convolved_filter(first, in.x, back1.dx, kind),
                     tolerance);
}
} // namespace

int main()
{
    const cudaStream_t stream = new_stream();
    cudnnHandle_t cudnn;
    cublasHandle_t cublas;

    that(cudnnCreate(&cudnn) == CUDNN_STATUS_SUCCESS &&
             cudnnSetStream(cudnn, stream) == CUDNN_STATUS_SUCCESS,
         "cuDNN opens");
    that(cublasCreate(&cublas) == CUBLAS_STATUS_SUCCESS &&
             cublasSetStream(cublas, stream) == CUBLAS_STATUS_SUCCESS,
         "cuBLAS opens");
    for (Kind kind : {Kind::f32, Kind::bf16}) {
        const Inputs in = random_inputs(kind);
        Network net(cudnn, cublas, kind, in);
        net.forward();
        net.backward();
        compare(net, in, kind);
    }
    cublasDestroy(cublas);
    cudnnDestroy(cudnn);
    return status();
}
