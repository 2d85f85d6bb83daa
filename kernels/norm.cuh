/* What batch norm's forward and gradient share: y as a function of x, to the bit. */
#ifndef ADN_NORM_CUH
#define ADN_NORM_CUH

#include "common.cuh"

/* V channels' constants, in registers. */
template <int V> struct normer {
    pack<V> mean, inv_std, weight, bias;
    bool has_relu;

    template <class A>
    __device__ __forceinline__ normer(const A &a, size_t channel)
        : mean(load_each<V>(a.mean + channel)), inv_std(load_each<V>(a.inv_std + channel)),
          weight(load_each<V>(a.weight + channel)), bias(load_each<V>(a.bias + channel)),
          has_relu(a.relu != 0)
    {
    }
    __device__ __forceinline__ float x_hat(float x, int i) const
    {
        return (x - mean.x[i]) * inv_std.x[i];
    }
    /* Before ReLU, of x_hat. */
    __device__ __forceinline__ float linear(float x_hat, int i) const
    {
        return x_hat * weight.x[i] + bias.x[i];
    }
    __device__ __forceinline__ float y(float x, int i) const
    {
        const float y = linear(x_hat(x, i), i);
        return has_relu ? relu(y) : y;
    }
};

template <class A> static inline size_t norm_places(const A *a)
{
    return (size_t)a->n * (size_t)a->h * (size_t)a->w;
}

#endif
