// The element types of tensors, and their values as doubles, in which everything is computed: a sum
// of products of floats loses nothing that a float could show, whatever its order.
#pragma once
#include <cstdint>

namespace lab
{
enum class Number { none, f32, f64, f16, bf16, i8, u8, i32, u32, i64, u64, bit };

int bits_of(Number type); // 0 for none

double load(const void *base, int64_t index, Number type);
void store(void *base, int64_t index, Number type, double value);

// The same for `count` neighbours, fast for the types that tensors are made of. Not for bits.
void load_run(const void *base, Number type, int64_t count, double *values);
void store_run(void *base, Number type, int64_t count, const double *values);

// As if stored and loaded again; integers are left alone.
void round_run(Number type, int64_t count, double *values);
double rounded_to_tf32(double value); // a float's exponent with ten bits behind the point
} // namespace lab
