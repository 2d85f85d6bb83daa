// What the libraries ask the emulated runtime: whose memory is this, which device runs me.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lab
{
enum class Place {
    fine,      // the bytes lie inside one allocation that the device may use
    nowhere,   // in no allocation of the runtime: host memory, or freed
    too_small, // the allocation ends before the bytes do
    elsewhere  // memory of another device
};

struct Bytes {
    Place place;
    size_t n_left; // from the pointer to its allocation's end
    int device;    // of the allocation
};

// Pinned and managed memory serves every device.
Bytes find_bytes(const void *start, size_t n_bytes, int device);

// A stream's task calls this with its handle's device: ends the program if they differ, as the real
// library would compute on memory that is not there.
void demand_device(const char *library, int device);

int current_device();
int n_devices();
} // namespace lab
