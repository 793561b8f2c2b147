// What libambit_cuda.so offers: one table of C functions, so that the same `ambit` runs with and
// without it. The engine's host code (inference/device) knows this table alone; the library holds
// kernels, launchers and the few calls of the CUDA runtime that they need. Both sides are built
// from this header; kApiVersion and the table's size guard against a library of another build.
//
// Threads: one at a time. Memory, streams, events and graphs belong to the card that was in use()
// when they were made, and kernels run there; copies go between any of them. Everything that is
// queued on a stream runs in order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/ops/cuda/launch.h"

namespace ambit::inference::ops::cuda {

inline constexpr std::uint32_t kApiVersion = 9;

struct DeviceInfo {
  int card;  // its number, from 0, as the driver counts (CUDA_VISIBLE_DEVICES hides cards)
  char name[128];
  int major, minor;  // compute capability
  int multiprocessors;
  std::uint64_t memory_bytes, free_bytes;
};

struct Api {
  std::uint32_t version;
  std::uint32_t bytes;  // sizeof(Api)

  // How many cards there are; null, or one line that says why none can be used.
  const char* (*count)(int* cards);
  // Takes a card into use; null, or one line that says why it cannot be used.
  const char* (*open)(int card, DeviceInfo* info);
  // Of an open card: what this thread allocates, makes and launches from here on is there.
  bool (*use)(int card);
  // Whether copies from one card to another go straight, which they do from here on. Else the
  // caller takes them through pinned memory.
  bool (*link)(int from, int to);
  // Null when there is no room. Device memory is aligned to 256 bytes; host memory is pinned and
  // mapped, so that kernels may read it where it lies.
  void* (*allocate)(std::size_t bytes);
  void (*release)(void* memory);
  void* (*allocate_host)(std::size_t bytes);
  void (*release_host)(void* memory);

  Stream (*make_stream)();
  void (*end_stream)(Stream stream);
  // Queue a copy in any direction, or zeros. Pageable host memory is copied before they return.
  bool (*copy)(void* to, const void* from, std::size_t bytes, Stream stream);
  bool (*clear)(void* to, std::size_t bytes, Stream stream);
  // Between two linked cards; stream: of either.
  bool (*copy_across)(void* to, int to_card, const void* from, int from_card, std::size_t bytes,
                      Stream stream);
  // Waits for all that is queued; null, or one line about the first thing that went wrong.
  const char* (*wait)(Stream stream);

  // An event marks how far a stream has come; another stream can be made to wait for it.
  void* (*make_event)();
  void (*end_event)(void* event);
  bool (*record_event)(void* event, Stream stream);
  bool (*await_event)(void* event, Stream stream);

  // Queues a call of f(context) on a thread of the driver's, which must not call anything here.
  bool (*call_host)(void (*f)(void*), void* context, Stream stream);

  // Records what is queued from here on, without running it, as a graph that can be run again and
  // again; its pointers and sizes are those of the recording. Null when that failed.
  bool (*begin_graph)(Stream stream);
  void* (*end_graph)(Stream stream);
  bool (*run_graph)(void* graph, Stream stream);
  void (*release_graph)(void* graph);

  decltype(&cuda::embed) embed;
  decltype(&cuda::angles) angles;
  decltype(&cuda::gather_rows) gather_rows;
  decltype(&cuda::save_streams) save_streams;
  decltype(&cuda::load_streams) load_streams;
  decltype(&cuda::tap) tap;
  decltype(&cuda::add_rows) add_rows;
  decltype(&cuda::argmax) argmax;
  decltype(&cuda::sample) sample;
  decltype(&cuda::rms_norm) rms_norm;
  decltype(&cuda::prepare) prepare;
  decltype(&cuda::hc_mix) hc_mix;
  decltype(&cuda::hc_pre) hc_pre;
  decltype(&cuda::linear) linear;
  decltype(&cuda::expert_linear) expert_linear;
  decltype(&cuda::route) route;
  decltype(&cuda::swiglu) swiglu;
  decltype(&cuda::latents) latents;
  decltype(&cuda::queries) queries;
  decltype(&cuda::index_scores) index_scores;
  decltype(&cuda::top_k) top_k;
  decltype(&cuda::attention) attention;
  decltype(&cuda::lend) lend;
  decltype(&cuda::take_back) take_back;
};

inline constexpr const char* kApiSymbol = "ambit_cuda_api";

}  // namespace ambit::inference::ops::cuda

extern "C" const ambit::inference::ops::cuda::Api* ambit_cuda_api();
