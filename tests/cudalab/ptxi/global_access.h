// The only places where the interpreter touches global memory. Their file alone is compiled with
// ThreadSanitizer for the race build, so that it sees what kernels do, and nothing of the
// interpreter.
#pragma once
#include <cstdint>

extern "C" {
uint8_t ptxi_load1(const void *p);
uint16_t ptxi_load2(const void *p);
uint32_t ptxi_load4(const void *p);
uint64_t ptxi_load8(const void *p);
void ptxi_store1(void *p, uint8_t value);
void ptxi_store2(void *p, uint16_t value);
void ptxi_store4(void *p, uint32_t value);
void ptxi_store8(void *p, uint64_t value);
uint32_t ptxi_atomic_load4(const void *p);
uint64_t ptxi_atomic_load8(const void *p);
// False, and *expected is what was found, where it was not as expected.
bool ptxi_compare_exchange4(void *p, uint32_t *expected, uint32_t value);
bool ptxi_compare_exchange8(void *p, uint64_t *expected, uint64_t value);
}
