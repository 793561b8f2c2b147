// Stand-in CUDA runtime: nvcc's own host code links to it instead of libcudart, and its launches
// run the translated PTX. Device memory is host memory, so sanitizers see every access. Streams are
// in streams.cpp.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

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

// What the runtime has given out, device and pinned memory.
std::map<const unsigned char*, size_t>& allocations() {
  static auto& table = *new std::map<const unsigned char*, size_t>;  // used until the very end
  return table;
}

}  // namespace

namespace ptx {
void add(const Registration& registration) {
  kernels()[registration.name] = registration;
}
bool is_pinned_or_device(const void* p) {
  const auto* at = static_cast<const unsigned char*>(p);
  auto found = allocations().upper_bound(at);
  if (found == allocations().begin()) return false;
  --found;
  return at < found->first + found->second;
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
  const ptx::Registration& found = kernel->second;
  // Every kernel here has one parameter, a struct, whose bytes are kept; how many is in sizes.cpp,
  // from its PTX.
  const size_t bytes = ptx::parameter_bytes(name->second.c_str());
  const auto* from = static_cast<const unsigned char*>(args[0]);
  ptx::enqueue(stream,
               [found, grid, block, shared, copy = std::vector<unsigned char>(from, from + bytes)] {
                 const void* one = copy.data();
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

// One device with 1 GiB that it counts, so that running out can be tried.
constexpr size_t kDeviceBytes = size_t{1} << 30U;
static size_t used_bytes = 0;

cudaError_t cudaGetDeviceCount(int* count) {
  *count = std::getenv("AMBIT_EMULATE_NO_DEVICE") == nullptr ? 1 : 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  std::memset(p, 0, sizeof *p);
  std::strcpy(p->name, "emulated device");
  p->major = 8;
  p->multiProcessorCount = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) {
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* all) {
  *free_bytes = kDeviceBytes - used_bytes;
  *all = kDeviceBytes;
  return cudaSuccess;
}
// Memory with a guard on both sides: a kernel that writes there ends the program with a word, and
// not some later free() with a riddle. The size stands in front.
constexpr size_t kFront = 4096, kBehind = size_t{64} << 10U;
constexpr unsigned char kGuard = 0xA5;

static unsigned char* guarded(size_t n, unsigned char fill) {
  const size_t all = (kFront + n + kBehind + 255) / 256 * 256;
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(256, all));
  if (memory == nullptr) return nullptr;
  std::memset(memory, kGuard, all);
  std::memcpy(memory, &n, sizeof n);
  std::memset(memory + kFront, fill, n);
  allocations()[memory + kFront] = n;
  return memory + kFront;
}
// As on a card, nothing that is queued may still need it.
static size_t release(void* p) {
  ptx::drain();
  auto* begin = static_cast<unsigned char*>(p);
  auto* memory = begin - kFront;
  size_t n = 0;
  std::memcpy(&n, memory, sizeof n);
  const auto whole = [](const unsigned char* from, const unsigned char* to) {
    return std::all_of(from, to, [](unsigned char c) { return c == kGuard; });
  };
  if (!whole(memory + sizeof n, begin) || !whole(begin + n, begin + n + kBehind)) {
    std::fprintf(stderr, "a kernel wrote outside of an allocation of %zu bytes\n", n);
    std::fflush(nullptr);
    std::_Exit(3);
  }
  allocations().erase(begin);
  std::free(memory);
  return n;
}

// Device memory begins as NaN garbage.
cudaError_t cudaMalloc(void** p, size_t n) {
  if (used_bytes + n > kDeviceBytes) return cudaErrorMemoryAllocation;
  *p = guarded(n, 0xFF);
  if (*p == nullptr) return cudaErrorMemoryAllocation;
  used_bytes += n;
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  if (p != nullptr) used_bytes -= release(p);
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** p, size_t n, unsigned) {
  *p = guarded(n, 0);
  return *p == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  if (p != nullptr) (void)release(p);
  return cudaSuccess;
}

}  // extern "C"
