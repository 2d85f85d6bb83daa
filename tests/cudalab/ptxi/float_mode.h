// What the modifiers .ftz, .sat and .rz/.rm/.rp do to floats.
#pragma once
#include <cfenv>
#include <cmath>
#include <type_traits>

#include "program.h"

namespace ptxi
{

// .ftz is for fp32 alone.
template <class T> inline T flushed(const Instruction &instruction, T value)
{
    if constexpr (std::is_same_v<T, float>)
        if (instruction.flushes_subnormals && std::fpclassify(value) == FP_SUBNORMAL)
            return std::copysign(0.0f, value);
    return value;
}

// .sat: into [0, 1], NaN to 0. fp32 only, too; integers have a saturation of their own.
template <class T> inline T saturated(const Instruction &instruction, T value)
{
    if constexpr (std::is_same_v<T, float>)
        if (instruction.saturates) return value > 0 ? std::fmin(value, 1.0f) : 0.0f;
    return value;
}

// Sets the processor's rounding while it lives. Operands are read and results written through
// memory that the compiler cannot see through, so no operation moves out of its life.
class RoundingScope
{
  public:
    explicit RoundingScope(Rounding rounding) : is_set(rounding != ROUND_NEAREST)
    {
        if (!is_set) return;
        before = fegetround();
        fesetround(rounding == ROUND_ZERO   ? FE_TOWARDZERO
                   : rounding == ROUND_DOWN ? FE_DOWNWARD
                                            : FE_UPWARD);
    }
    ~RoundingScope()
    {
        if (is_set) fesetround(before);
    }
    RoundingScope(const RoundingScope &) = delete;
    RoundingScope &operator=(const RoundingScope &) = delete;

  private:
    bool is_set;
    int before = FE_TONEAREST;
};

} // namespace ptxi
