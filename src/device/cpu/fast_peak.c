/* What the processor's multiply-adds reach from registers: the floor of all products. */
#include "device/cpu/fast.h"
#include "device/cpu/vec.h"

float adn_peak(int rounds)
{
    vec acc[PEAK_CHAINS], a = vec_spread(0.999F), b = vec_spread(0.001F);
    float part[LANES], sum = 0;

    for (int k = 0; k < PEAK_CHAINS; k++) acc[k] = vec_spread(0);
    for (int r = 0; r < rounds; r++)
        _Pragma("GCC unroll 10") for (int k = 0; k < PEAK_CHAINS; k++) acc[k] =
            vec_fma(acc[k], a, b);
    for (int k = 0; k < PEAK_CHAINS; k++) {
        vec_store(part, acc[k]);
        sum += part[0];
    }
    return sum;
}
