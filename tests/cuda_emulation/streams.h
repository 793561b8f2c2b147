// Streams of the stand-in CUDA runtime. Nothing that is queued runs before somebody must have it:
// who waits for the stream, for an event behind the work, or frees memory. Work on other streams
// then has not run, so who forgets to wait for it reads old bytes. That is the late order; in the
// early order, host functions and copies run as soon as what they wait for allows, ahead of other
// streams' kernels, so that who forgets to let them wait has them read old bytes.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace ptx {

using Work = std::function<void()>;

// Of a stream that is being recorded, `work` goes to the recording. null: a stream like others.
void enqueue(cudaStream_t stream, Work work, bool may_be_early = false);
[[nodiscard]] bool is_recorded(cudaStream_t stream);
// Runs what is queued, anywhere or on one stream.
void drain();
void drain(cudaStream_t stream);

// Whether it points into memory of the runtime's, and not of the program's own (cudart.cpp).
[[nodiscard]] bool is_pinned_or_device(const void* p);

}  // namespace ptx
