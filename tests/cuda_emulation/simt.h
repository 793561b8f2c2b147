// CPU execution of CUDA-dialect kernels: one fiber per CUDA thread, one block
// at a time per OS thread. No dependency but the CUDA type headers.
#pragma once
#include <vector_functions.h>
#include <vector_types.h>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#undef __global__
#undef __device__
#undef __host__
#undef __forceinline__
#undef __launch_bounds__
#undef __shared__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static thread_local

namespace simt {
enum class Order { Forward, Reverse, Random };
struct Config {
  Order order = Order::Forward;
  uint64_t seed = 1;
  int workers = 1;    // OS threads that run blocks
  bool fatal = true;  // abort on a detected misuse, else count it
};
struct Stats {
  uint64_t switches = 0, threads = 0, blocks = 0, barriers = 0, warp_ops = 0, errors = 0;
};
extern Config config;
extern Stats stats;
extern char last_error[512];

struct Block;
struct Fiber {
  void* sp = nullptr;
  unsigned char* stack = nullptr;
  Block* block = nullptr;
  uint3 tid{};
  int lane = 0, warp = 0, linear = 0;
  int state = 0;  // 0 ready 1 wait-block 2 wait-warp 3 done
  int wait_at = 0;
  int bar_id = 0;
  unsigned char in[64];   // value offered to a warp operation
  unsigned char out[64];  // its result
  int src = 0;
  void* fake = nullptr;  // ASan
  void* tsan = nullptr;  // TSan fiber
  struct Copy {
    void* d;
    const void* s;
    int bytes;
  };
  Copy q[64];
  int qn = 0;
  int group_end[16];
  int groups = 0;
};
extern thread_local Fiber* cur;
extern thread_local dim3 g_grid, g_block;
extern thread_local uint3 g_bidx;
extern thread_local unsigned char* g_smem;

void block_barrier(int id, int expect, int at);  // expect<0: every live thread
void warp_sync(uint32_t mask, const char* op, int at,
               void (*complete)(Fiber** lanes, uint32_t mask));
[[gnu::cold]] void misuse(const char* fmt, ...);
void yield();

// Call sites are named by source line, not return address: the optimizer may duplicate a call.
#define SIMT_NOSAN __attribute__((no_sanitize("thread")))
#define SIMT_AT int at = __builtin_LINE()

// ---- block-wide ----
inline void syncthreads(SIMT_AT) {
  block_barrier(0, -1, at);
}
inline void named_barrier_sync(int id, int n, SIMT_AT) {
  block_barrier(id, n, at);
}

// ---- warp-wide ----
template <class T>
SIMT_NOSAN inline void put(const T& v) {
  static_assert(sizeof(T) <= 64);
  std::memcpy(cur->in, &v, sizeof v);
}
template <class T>
SIMT_NOSAN inline T get() {
  T v;
  std::memcpy(&v, cur->out, sizeof v);
  return v;
}
SIMT_NOSAN inline void shfl_complete(Fiber** l, uint32_t mask) {
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) {
      int s = l[i]->src;
      if (!(mask >> s & 1)) {
        if (s != i) misuse("shuffle reads lane %d outside mask %08x", s, mask);
        s = i;
      }
      std::memcpy(l[i]->out, l[s]->in, 16);
    }
}
template <class T>
SIMT_NOSAN inline T shfl(uint32_t m, T v, int src, const char* n, int at) {
  put(v);
  cur->src = src;
  warp_sync(m, n, at, shfl_complete);
  return get<T>();
}
template <class Op>
SIMT_NOSAN inline void reduce_complete(Fiber** l, uint32_t mask) {
  uint32_t acc = 0;
  bool first = true;
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) {
      uint32_t v;
      std::memcpy(&v, l[i]->in, 4);
      acc = first ? v : Op::f(acc, v);
      first = false;
    }
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) std::memcpy(l[i]->out, &acc, 4);
}
struct RAdd {
  static uint32_t f(uint32_t a, uint32_t b) { return a + b; }
};
struct RMaxS {
  static uint32_t f(uint32_t a, uint32_t b) { return int(a) > int(b) ? a : b; }
};
struct RMaxU {
  static uint32_t f(uint32_t a, uint32_t b) { return a > b ? a : b; }
};
struct ROr {
  static uint32_t f(uint32_t a, uint32_t b) { return a | b; }
};
SIMT_NOSAN inline void ballot_complete(Fiber** l, uint32_t mask) {
  uint32_t r = 0;
  for (int i = 0; i < 32; ++i)
    if ((mask >> i & 1) && l[i]->in[0]) r |= 1u << i;
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) std::memcpy(l[i]->out, &r, 4);
}
SIMT_NOSAN inline void none_complete(Fiber**, uint32_t) {}
}  // namespace simt

#define threadIdx (::simt::cur->tid)
#define blockIdx (::simt::g_bidx)
#define blockDim (::simt::g_block)
#define gridDim (::simt::g_grid)
constexpr int warpSize = 32;
#define SIMT_DYN_SMEM(name) unsigned char* const name = ::simt::g_smem
#define SIMT_SHARED(T, name, n) static thread_local T name[n]
#define __syncthreads ::simt::syncthreads

template <class T>
inline T __shfl_sync(uint32_t m, T v, int s, int w = 32, SIMT_AT) {
  int b = simt::cur->lane & ~(w - 1);
  return simt::shfl(m, v, b + (s & (w - 1)), "shfl", at);
}
template <class T>
inline T __shfl_xor_sync(uint32_t m, T v, int x, int w = 32, SIMT_AT) {
  int l = simt::cur->lane, s = l ^ x;
  if (s >= (l & ~(w - 1)) + w) s = l;
  return simt::shfl(m, v, s, "shfl.xor", at);
}
template <class T>
inline T __shfl_down_sync(uint32_t m, T v, int d, int w = 32, SIMT_AT) {
  int l = simt::cur->lane, s = l + d;
  if (s >= (l & ~(w - 1)) + w) s = l;
  return simt::shfl(m, v, s, "shfl.down", at);
}
template <class T>
inline T __shfl_up_sync(uint32_t m, T v, int d, int w = 32, SIMT_AT) {
  int l = simt::cur->lane, s = l - d;
  if (s < (l & ~(w - 1))) s = l;
  return simt::shfl(m, v, s, "shfl.up", at);
}
SIMT_NOSAN inline unsigned __ballot_sync(uint32_t m, int p, SIMT_AT) {
  simt::cur->in[0] = p != 0;
  simt::warp_sync(m, "ballot", at, simt::ballot_complete);
  return simt::get<unsigned>();
}
inline int __any_sync(uint32_t m, int p, SIMT_AT) {
  return __ballot_sync(m, p, at) != 0;
}
inline int __all_sync(uint32_t m, int p, SIMT_AT) {
  return __ballot_sync(m, p, at) == m;
}
inline void __syncwarp(uint32_t m = 0xffffffffu, SIMT_AT) {
  simt::warp_sync(m, "syncwarp", at, simt::none_complete);
}
inline unsigned __reduce_add_sync(uint32_t m, unsigned v, SIMT_AT) {
  simt::put(v);
  simt::warp_sync(m, "redux.add", at, simt::reduce_complete<simt::RAdd>);
  return simt::get<unsigned>();
}
inline unsigned __reduce_max_sync(uint32_t m, unsigned v, SIMT_AT) {
  simt::put(v);
  simt::warp_sync(m, "redux.max", at, simt::reduce_complete<simt::RMaxU>);
  return simt::get<unsigned>();
}
inline int __reduce_max_sync(uint32_t m, int v, SIMT_AT) {
  simt::put(v);
  simt::warp_sync(m, "redux.max.s", at, simt::reduce_complete<simt::RMaxS>);
  return simt::get<int>();
}

// ---- scalar intrinsics ----
inline float __expf(float x) {
  return std::exp(x);
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float __uint_as_float(unsigned u) {
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}
inline unsigned __float_as_uint(float f) {
  unsigned u;
  std::memcpy(&u, &f, 4);
  return u;
}
inline int __popc(unsigned x) {
  return __builtin_popcount(x);
}
inline int __ffs(int x) {
  return __builtin_ffs(x);
}
inline int __clz(int x) {
  return x ? __builtin_clz(unsigned(x)) : 32;
}
template <class T>
inline T __ldg(const T* p) {
  return *p;
}
inline void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
inline int atomicAdd(int* p, int v) {
  return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
inline unsigned atomicAdd(unsigned* p, unsigned v) {
  return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
inline float atomicAdd(float* p, float v) {
  unsigned* u = reinterpret_cast<unsigned*>(p);
  unsigned o = __atomic_load_n(u, __ATOMIC_RELAXED);
  for (;;) {
    unsigned n = __float_as_uint(__uint_as_float(o) + v);
    if (__atomic_compare_exchange_n(u, &o, n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      return __uint_as_float(o);
  }
}
inline int atomicMax(int* p, int v) {
  int o = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (o < v &&
         !__atomic_compare_exchange_n(p, &o, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return o;
}
inline unsigned atomicCAS(unsigned* p, unsigned c, unsigned v) {
  __atomic_compare_exchange_n(p, &c, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return c;
}

namespace simt {
// ---- PTX wrappers, emulated ----
// cp.async: the destination holds NaN garbage from issue to wait_group, then the bytes. A read too
// early, or a refill while others still read, shows as NaN in every schedule (and as a race under
// TSan).
inline void cp_async16(void* d, const void* s) {
  if ((uintptr_t(d) | uintptr_t(s)) & 15) misuse("cp.async 16: unaligned");
  if (cur->qn >= 64) misuse("cp.async: queue");
  static_cast<uint64_t*>(d)[0] = static_cast<uint64_t*>(d)[1] = ~0ull;
  cur->q[cur->qn++] = {d, s, 16};
}
inline void cp_async4(void* d, const void* s) {
  if ((uintptr_t(d) | uintptr_t(s)) & 3) misuse("cp.async 4: unaligned");
  if (cur->qn >= 64) misuse("cp.async: queue");
  *static_cast<uint32_t*>(d) = ~0u;
  cur->q[cur->qn++] = {d, s, 4};
}
inline void cp_async_commit() {
  cur->group_end[cur->groups++] = cur->qn;
}
template <int N>
inline void cp_async_wait() {
  Fiber* f = cur;
  if (f->groups <= N) return;
  int k = f->groups - N, end = f->group_end[k - 1];
  for (int i = 0; i < end; ++i) {
    // Word by word, as the thread sanitizer sees it.
    auto* d = (uint32_t*)f->q[i].d;
    auto* s = (const uint32_t*)f->q[i].s;
    for (int word = 0; word < f->q[i].bytes / 4; ++word) d[word] = s[word];
  }
  for (int i = end; i < f->qn; ++i) f->q[i - end] = f->q[i];
  f->qn -= end;
  for (int i = k; i < f->groups; ++i) f->group_end[i - k] = f->group_end[i] - end;
  f->groups -= k;
}
// Every lane gets the addresses of the rows that its numbers lie in, and loads for itself, so that
// races are seen: those of row lane / 4, or of rows 2 (lane % 4) and the next when transposed.
template <bool kTurned>
SIMT_NOSAN inline void ldmatrix_x4_complete(Fiber** l, uint32_t) {
  for (int i = 0; i < 32; ++i)
    for (int m = 0; m < 4; ++m) {
      if (kTurned) {
        std::memcpy(l[i]->out + 16 * m, l[m * 8 + i % 4 * 2]->in, 8);
        std::memcpy(l[i]->out + 16 * m + 8, l[m * 8 + i % 4 * 2 + 1]->in, 8);
      } else {
        std::memcpy(l[i]->out + 8 * m, l[m * 8 + i / 4]->in, 8);
      }
    }
}
template <bool kTurned>
inline void ldmatrix_x4(uint32_t (&r)[4], const void* p, SIMT_AT) {
  if (uintptr_t(p) & 15) misuse("ldmatrix: row not 16-byte aligned");
  put(p);
  warp_sync(0xffffffffu, "ldmatrix", at, ldmatrix_x4_complete<kTurned>);
  if constexpr (kTurned) {
    struct Rows {
      const uint16_t* p[4][2];
    };
    const Rows w = get<Rows>();
    const int col = cur->lane / 4;
    for (int m = 0; m < 4; ++m) r[m] = w.p[m][0][col] | uint32_t(w.p[m][1][col]) << 16;
  } else {
    struct Rows {
      const uint32_t* p[4];
    };
    const Rows w = get<Rows>();
    for (int m = 0; m < 4; ++m) r[m] = w.p[m][cur->lane % 4];
  }
  __syncwarp();
}
inline float bf(uint32_t w, int hi) {
  return __uint_as_float(hi ? (w & 0xffff0000u) : (w << 16));
}
SIMT_NOSAN inline void mma16816_complete(Fiber** l,
                                         uint32_t) {  // PTX fragment layout of m16n8k16 (row.col)
  float A[16][16], B[16][8], D[16][8];
  struct In {
    float d[4];
    uint32_t a[4];
    uint32_t b[2];
  };
  for (int i = 0; i < 32; ++i) {
    In v;
    std::memcpy(&v, l[i]->in, sizeof v);
    int g = i / 4, t = i % 4;
    for (int h = 0; h < 2; ++h) {
      A[g][2 * t + h] = bf(v.a[0], h);
      A[g + 8][2 * t + h] = bf(v.a[1], h);
      A[g][2 * t + 8 + h] = bf(v.a[2], h);
      A[g + 8][2 * t + 8 + h] = bf(v.a[3], h);
      B[2 * t + h][g] = bf(v.b[0], h);
      B[2 * t + 8 + h][g] = bf(v.b[1], h);
      D[g][2 * t + h] = v.d[h];
      D[g + 8][2 * t + h] = v.d[2 + h];
    }
  }
  for (int r = 0; r < 16; ++r)
    for (int c = 0; c < 8; ++c) {
      float s = D[r][c];
      for (int k = 0; k < 16; ++k) s += A[r][k] * B[k][c];
      D[r][c] = s;
    }
  for (int i = 0; i < 32; ++i) {
    int g = i / 4, t = i % 4;
    float o[4] = {D[g][2 * t], D[g][2 * t + 1], D[g + 8][2 * t], D[g + 8][2 * t + 1]};
    std::memcpy(l[i]->out, o, 16);
  }
}
SIMT_NOSAN inline void mma_bf16_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                      SIMT_AT) {
  struct In {
    float d[4];
    uint32_t a[4];
    uint32_t b[2];
  } v;
  std::memcpy(v.d, d, 16);
  std::memcpy(v.a, a, 16);
  std::memcpy(v.b, b, 8);
  put(v);
  warp_sync(0xffffffffu, "mma.m16n8k16", at, mma16816_complete);
  struct Out {
    float d[4];
  } o = get<Out>();
  std::memcpy(d, o.d, 16);
}

// ---- launch ----
void run_grid(dim3 g, dim3 b, size_t smem, const std::function<void()>& body);
template <class... P, class... A>
inline int launch(void (*k)(P...), dim3 g, dim3 b, size_t smem, void*, A... a) {
  run_grid(g, b, smem, [=] { k(P(a)...); });
  return 0;
}
}  // namespace simt
