// The table of libambit_cuda.so, and what it needs of the CUDA runtime.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>

#include "inference/ops/cuda/api.h"
#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

namespace {

const char* problem(const char* what, cudaError_t error) {
  static thread_local char text[256];
  std::snprintf(text, sizeof text, "%s: %s", what, cudaGetErrorString(error));
  return text;
}

constexpr int kMostCards = 64;
bool overlaps[kMostCards] = {};  // of each open card
thread_local int current = -1;

const char* count_devices(int* cards) {
  const cudaError_t error = cudaGetDeviceCount(cards);
  if (error != cudaSuccess) return problem("no CUDA device can be used", error);
  if (*cards == 0) return "no CUDA device can be used: the driver shows none";
  if (*cards > kMostCards) *cards = kMostCards;
  return nullptr;
}

bool use(int card) {
  if (card == current) return true;
  if (cudaSetDevice(card) != cudaSuccess) return false;
  current = card;
  overlapping = overlaps[card];
  return true;
}

const char* open_device(int card, DeviceInfo* info) {
  cudaDeviceProp properties;
  cudaError_t error = cudaGetDeviceProperties(&properties, card);
  current = -1;
  if (error == cudaSuccess) error = cudaSetDevice(card);
  std::size_t free_bytes = 0, all = 0;
  if (error == cudaSuccess) error = cudaMemGetInfo(&free_bytes, &all);
  if (error != cudaSuccess) return problem("the CUDA device cannot be used", error);
  std::memset(info, 0, sizeof *info);
  info->card = card;
  std::snprintf(info->name, sizeof info->name, "%s", properties.name);
  info->major = properties.major;
  info->minor = properties.minor;
  info->multiprocessors = properties.multiProcessorCount;
  info->memory_bytes = all;
  info->free_bytes = free_bytes;
  if (properties.major < 8) return "this card is older than compute capability 8.0";
  overlaps[card] = properties.major >= 9;
  (void)use(card);
  return nullptr;
}

bool link(int from, int to) {
  int possible = 0;
  if (cudaDeviceCanAccessPeer(&possible, from, to) != cudaSuccess || possible == 0) return false;
  if (!use(from)) return false;
  const cudaError_t error = cudaDeviceEnablePeerAccess(to, 0);
  if (error == cudaErrorPeerAccessAlreadyEnabled) (void)cudaGetLastError();
  return error == cudaSuccess || error == cudaErrorPeerAccessAlreadyEnabled;
}

bool copy_across(void* to, int to_card, const void* from, int from_card, std::size_t bytes,
                 Stream stream) {
  return bytes == 0 ||
         cudaMemcpyPeerAsync(to, to_card, from, from_card, bytes, stream) == cudaSuccess;
}

void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  if (cudaMalloc(&memory, bytes) == cudaSuccess) return memory;
  (void)cudaGetLastError();  // the caller deals with it
  return nullptr;
}

void release(void* memory) {
  (void)cudaFree(memory);
}

void* allocate_host(std::size_t bytes) {
  void* memory = nullptr;
  if (cudaHostAlloc(&memory, bytes, cudaHostAllocMapped) == cudaSuccess) return memory;
  (void)cudaGetLastError();
  return nullptr;
}

void release_host(void* memory) {
  (void)cudaFreeHost(memory);
}

Stream make_stream() {
  Stream stream = nullptr;
  return cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess ? stream
                                                                                  : nullptr;
}

void end_stream(Stream stream) {
  (void)cudaStreamDestroy(stream);
}

bool copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  return bytes == 0 || cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream) == cudaSuccess;
}

bool clear(void* to, std::size_t bytes, Stream stream) {
  return bytes == 0 || cudaMemsetAsync(to, 0, bytes, stream) == cudaSuccess;
}

const char* wait(Stream stream) {
  const cudaError_t error = cudaStreamSynchronize(stream);
  return error == cudaSuccess ? nullptr : problem("the CUDA device stopped", error);
}

void* make_event() {
  cudaEvent_t event = nullptr;
  return cudaEventCreateWithFlags(&event, cudaEventDisableTiming) == cudaSuccess ? event : nullptr;
}

void end_event(void* event) {
  (void)cudaEventDestroy(static_cast<cudaEvent_t>(event));
}

bool record_event(void* event, Stream stream) {
  return cudaEventRecord(static_cast<cudaEvent_t>(event), stream) == cudaSuccess;
}

bool await_event(void* event, Stream stream) {
  return cudaStreamWaitEvent(stream, static_cast<cudaEvent_t>(event), 0) == cudaSuccess;
}

bool call_host(void (*f)(void*), void* context, Stream stream) {
  return cudaLaunchHostFunc(stream, f, context) == cudaSuccess;
}

bool begin_graph(Stream stream) {
  return cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) == cudaSuccess;
}

void* end_graph(Stream stream) {
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(stream, &graph) != cudaSuccess) return nullptr;
  cudaGraphExec_t runnable = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&runnable, graph, 0);
  (void)cudaGraphDestroy(graph);
  return error == cudaSuccess ? runnable : nullptr;
}

bool run_graph(void* graph, Stream stream) {
  return cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream) == cudaSuccess;
}

void release_graph(void* graph) {
  (void)cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
}

constexpr Api kApi = {kApiVersion, sizeof(Api), count_devices, open_device,   use,
                      link,        allocate,    release,       allocate_host, release_host,
                      make_stream, end_stream,  copy,          clear,         copy_across,
                      wait,        make_event,  end_event,     record_event,  await_event,
                      call_host,   begin_graph, end_graph,     run_graph,     release_graph,
                      embed,       angles,      gather_rows,   save_streams,  load_streams,
                      tap,         add_rows,    argmax,        sample,        rms_norm,
                      prepare,     hc_mix,      hc_pre,        linear,        expert_linear,
                      route,       swiglu,      latents,       queries,       index_scores,
                      top_k,       attention,   lend,          take_back};

}  // namespace

}  // namespace ambit::inference::ops::cuda

extern "C" __attribute__((visibility("default"))) const ambit::inference::ops::cuda::Api*
ambit_cuda_api() {
  return &ambit::inference::ops::cuda::kApi;
}
