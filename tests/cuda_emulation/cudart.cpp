// Stand-in CUDA runtime: nvcc's own host code links to it instead of libcudart, and its launches
// run the translated PTX. Devices and their memory are devices.h, the order of streams streams.h;
// calls about streams are in cudart_streams.cpp.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/cuda_emulation/devices.h"
#include "tests/cuda_emulation/ptx_rt.h"
#include "tests/cuda_emulation/streams.h"

namespace {

std::map<std::string, ptx::Registration>& kernels() {
  static std::map<std::string, ptx::Registration> table;
  return table;
}

// Host-side stand-ins of kernels, by address.
std::map<const void*, std::string>& stubs() {
  static std::map<const void*, std::string> table;
  return table;
}

struct Configuration {
  dim3 grid, block;
  size_t shared;
  cudaStream_t stream;
};
thread_local std::vector<Configuration> configurations;

int current = 0;  // one thread at a time uses the library

}  // namespace

namespace emulated {
int current_device() {
  return current;
}
Stream* of(cudaStream_t stream) {
  static Stream* standard[kMostDevices] = {};
  if (stream != nullptr) return reinterpret_cast<Stream*>(stream);
  if (standard[current] == nullptr) standard[current] = new Stream(current);
  return standard[current];
}
}  // namespace emulated

namespace ptx {
void add(const Registration& registration) {
  kernels()[registration.name] = registration;
}
}  // namespace ptx

extern "C" {

void** __cudaRegisterFatBinary(void*) {
  static void* handle = nullptr;
  return &handle;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) {
  return 1;
}
void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, void*, void*,
                            void*, void*, int*) {
  stubs()[host] = name;
}
void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream) {
  configurations.push_back({grid, block, shared, stream});
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  const Configuration last = configurations.back();
  configurations.pop_back();
  *grid = last.grid;
  *block = last.block;
  *shared = last.shared;
  *static_cast<cudaStream_t*>(stream) = last.stream;
  return cudaSuccess;
}

cudaError_t cudaLaunchKernel(const void* stub, dim3 grid, dim3 block, void** args, size_t shared,
                             cudaStream_t stream) {
  const auto name = stubs().find(stub);
  if (name == stubs().end()) return cudaErrorInvalidDeviceFunction;
  const auto kernel = kernels().find(name->second);
  if (kernel == kernels().end()) {
    std::fprintf(stderr, "no translated kernel %s\n", name->second.c_str());
    std::abort();
  }
  emulated::Stream& on = *emulated::of(stream);
  const int device = on.device();
  if (device != current) return cudaErrorInvalidResourceHandle;
  // Every kernel here has one parameter, a struct; how long it is stands in sizes.cpp, from its
  // PTX.
  const size_t bytes = ptx::parameter_bytes(name->second.c_str());
  const auto* from = static_cast<const unsigned char*>(args[0]);
  emulated::enqueue(on, [found = kernel->second, grid, block, shared, device,
                         copy = std::vector<unsigned char>(from, from + bytes)] {
    const void* one = copy.data();
    emulated::open_for(device);
    simt::run_grid(grid, block, found.static_smem + shared, [&] { found.fn(&one); });
  });
  return cudaSuccess;
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* c, const void* stub, void** args) {
  // Not by name: gridDim and blockDim are what simt.h calls a kernel's own.
  const auto& [grid, block, shared, stream, attributes, count] = *c;
  (void)attributes;
  (void)count;
  return cudaLaunchKernel(stub, grid, block, args, shared, stream);
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** args,
                               size_t shared, cudaStream_t stream) {
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, args, shared, stream);
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(stub));
  return cudaSuccess;
}
// A multiprocessor of the smallest cards here has 99 KiB for a block.
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute attribute, int bytes) {
  return attribute == cudaFuncAttributeMaxDynamicSharedMemorySize && bytes <= 99 * 1024
             ? cudaSuccess
             : cudaErrorInvalidValue;
}
cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "out of memory";
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = emulated::device_count();
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  std::memset(p, 0, sizeof *p);
  std::strcpy(p->name, "emulated device");
  p->major = 8;
  p->multiProcessorCount = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= emulated::device_count()) return cudaErrorInvalidDevice;
  current = device;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* all) {
  *free_bytes = emulated::kDeviceBytes - emulated::used_bytes(current);
  *all = emulated::kDeviceBytes;
  return cudaSuccess;
}
// $AMBIT_EMULATE_NO_PEERS: cards that do not see one another.
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
  *can = std::getenv("AMBIT_EMULATE_NO_PEERS") == nullptr ? 1 : 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned) {
  emulated::enable_peer(current, peer);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** p, size_t n) {
  *p = emulated::allocate(n, current);
  return *p == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaHostAlloc(void** p, size_t n, unsigned) {
  *p = emulated::allocate(n, emulated::kHost);
  return *p == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
// Both wait for the work that may still use it.
cudaError_t cudaFree(void* p) {
  emulated::Stream::finish_all();
  if (p != nullptr) emulated::release(p);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  return cudaFree(p);
}

}  // extern "C"
