// The memory of the stand-in CUDA runtime's devices. Where there are several
// ($AMBIT_EMULATE_DEVICES), each device's memory is an arena that is closed while a kernel of
// another device runs, so that a kernel which touches it ends the program with a word, as a card
// would with an error: unless the two are peers and access was enabled. With one device memory
// comes from the heap, so that sanitizers see its ends.
#pragma once

#include <cstddef>

namespace emulated {

inline constexpr int kHost = -1;  // pinned memory
inline constexpr int kMostDevices = 8;
inline constexpr std::size_t kDeviceBytes = std::size_t{1} << 30U;  // that each device counts

int device_count();

// Null when there is no room.
void* allocate(std::size_t bytes, int device);
// Looks at the guards on both sides of it first.
void release(void* memory);
std::size_t used_bytes(int device);
// Whether it lies in allocated memory, of a device or pinned.
bool is_allocated(const void* memory);

void enable_peer(int from, int to);

// What a kernel of `device` may touch is open from here on; kHost: everything.
void open_for(int device);

}  // namespace emulated
