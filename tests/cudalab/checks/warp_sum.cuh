// The sum over a warp, in lane 0.
#pragma once

static __device__ __forceinline__ float warp_sum(float value)
{
    for (int distance = 16; distance > 0; distance >>= 1)
        value += __shfl_down_sync(0xffffffffu, value, distance);
    return value;
}
