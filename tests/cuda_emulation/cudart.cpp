// Stand-in CUDA runtime: nvcc's own host code links to it instead of libcudart, and its launches
// run the translated PTX. Device memory is host memory, so sanitizers see every access; streams run
// at once, in order.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tests/cuda_emulation/ptx_rt.h"

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

}  // namespace

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
                             cudaStream_t) {
  const auto name = stubs().find(stub);
  if (name == stubs().end()) return cudaErrorInvalidDeviceFunction;
  const auto kernel = kernels().find(name->second);
  if (kernel == kernels().end()) {
    std::fprintf(stderr, "no translated kernel %s\n", name->second.c_str());
    std::abort();
  }
  const ptx::Registration& found = kernel->second;
  simt::run_grid(grid, block, found.static_smem + shared, [&] { found.fn(args); });
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** args,
                               size_t shared, cudaStream_t stream) {
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, args, shared, stream);
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(stub));
  return cudaSuccess;
}
cudaError_t cudaGetLastError() {
  return cudaSuccess;
}

}  // extern "C"
