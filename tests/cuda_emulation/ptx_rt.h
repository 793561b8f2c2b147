// Helpers for translated PTX (ptx2cpp.py), and the registry that the stand-in CUDA runtime
// (cudart.cpp) launches from. PTX registers have no type: rd and wr move bits between C++ types.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include "tests/cuda_emulation/simt.h"
namespace ptx {
struct Registration {
  const char* name;
  void (*fn)(const void* const*);
  unsigned static_smem;
};
void add(const Registration&);
// Of a kernel's one parameter; generated from the PTX (sizes.py).
size_t parameter_bytes(const char* kernel);
// registers are untyped: read or write any same-sized or narrower type
template <class T, class S>
inline T rd(S s) {
  if constexpr (std::is_same_v<T, S>)
    return s;
  else if constexpr (std::is_same_v<S, bool> || std::is_same_v<T, bool>)
    return T(s);
  else if constexpr (sizeof(T) == sizeof(S))
    return std::bit_cast<T>(s);
  else if constexpr (sizeof(T) < sizeof(S)) {
    T t;
    std::memcpy(&t, &s, sizeof t);
    return t;
  } else {
    T t{};
    std::memcpy(&t, &s, sizeof s);
    return t;
  }
}
template <class D, class S>
inline void wr(D& d, S s) {
  if constexpr (std::is_same_v<D, S>)
    d = s;
  else if constexpr (std::is_same_v<D, bool> || std::is_same_v<S, bool>)
    d = D(s);
  else if constexpr (sizeof(D) == sizeof(S))
    d = std::bit_cast<D>(s);
  else if constexpr (std::is_integral_v<D> && std::is_integral_v<S>)
    d = D(s);  // widening load: sign by S
  else {
    D t{};
    std::memcpy(&t, &s, sizeof(D) < sizeof(S) ? sizeof(D) : sizeof(S));
    d = t;
  }
}
template <class T, int N>
inline void ldv(T* v, const T* q) {
  // A card traps here.
  if (reinterpret_cast<uintptr_t>(q) % (N * sizeof(T)) != 0) simt::misuse("unaligned vector load");
  for (int i = 0; i < N; ++i) v[i] = q[i];
}
template <class T>
inline T pmin(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return std::fmin(a, b);
  else
    return a < b ? a : b;
}
template <class T>
inline T pmax(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return std::fmax(a, b);
  else
    return a > b ? a : b;
}
template <class T>
inline T pshl(T a, uint32_t n) {
  return n >= sizeof(T) * 8 ? T(0) : T(a << n);
}
template <class T>
inline T pshr(T a, uint32_t n) {
  if (n >= sizeof(T) * 8) return std::is_signed_v<T> && a < 0 ? T(-1) : T(0);
  return T(a >> n);
}
template <class T>
inline T bfi(T a, T b, uint32_t pos, uint32_t len) {
  T m = len >= sizeof(T) * 8 ? T(~T(0)) : T(((T(1) << len) - 1));
  m = T(m << pos);
  return (b & ~m) | (T(a << pos) & m);
}
template <class T>
inline T bfe(T a, uint32_t pos, uint32_t len) {
  if (!len) return 0;
  auto u = std::make_unsigned_t<T>(a) >> pos;
  unsigned w = sizeof(T) * 8;
  if (len < w) {
    u &= (std::make_unsigned_t<T>(1) << len) - 1;
    if (std::is_signed_v<T> && (u >> (len - 1) & 1)) u |= ~std::make_unsigned_t<T>(0) << len;
  }
  return T(u);
}
inline uint32_t prmt(uint32_t a, uint32_t b, uint32_t c) {
  uint64_t v = uint64_t(b) << 32 | a;
  uint32_t r = 0;
  for (int i = 0; i < 4; ++i) {
    uint32_t s = c >> (4 * i) & 15, x = uint8_t(v >> (8 * (s & 7)));
    if (s & 8) x = x & 0x80 ? 0xff : 0;
    r |= x << (8 * i);
  }
  return r;
}
// Funnel shifts of the pair high:low.
inline uint32_t shf_l(uint32_t low, uint32_t high, uint32_t n) {
  return uint32_t((uint64_t(high) << 32 | low) << (n & 31) >> 32);
}
inline uint32_t shf_r(uint32_t low, uint32_t high, uint32_t n) {
  return uint32_t((uint64_t(high) << 32 | low) >> (n & 31));
}
inline uint32_t lop3(uint32_t a, uint32_t b, uint32_t c, uint32_t l) {
  uint32_t r = 0;
  for (int i = 0; i < 8; ++i)
    if (l >> i & 1) r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return r;
}
template <class A, class B>
inline uint32_t dp4a(uint32_t a, uint32_t b, uint32_t c) {
  A x[4];
  B y[4];
  if constexpr (sizeof(A) == 4) {
    for (int i = 0; i < 4; ++i) {
      x[i] = std::is_signed_v<A> ? A(int8_t(a >> 8 * i)) : A(uint8_t(a >> 8 * i));
      y[i] = std::is_signed_v<B> ? B(int8_t(b >> 8 * i)) : B(uint8_t(b >> 8 * i));
    }
  }
  for (int i = 0; i < 4; ++i) c += uint32_t(int64_t(x[i]) * int64_t(y[i]));
  return c;
}
// conversions
struct cv_u8 {
  using t = uint8_t;
};
struct cv_s8 {
  using t = int8_t;
};
struct cv_u16 {
  using t = uint16_t;
};
struct cv_s16 {
  using t = int16_t;
};
struct cv_u32 {
  using t = uint32_t;
};
struct cv_s32 {
  using t = int32_t;
};
struct cv_u64 {
  using t = uint64_t;
};
struct cv_s64 {
  using t = int64_t;
};
struct cv_f32 {
  using t = float;
};
struct cv_f64 {
  using t = double;
};
struct cv_f16 {
  using t = uint16_t;
};
struct cv_bf16 {
  using t = uint16_t;
};
struct cv_f16x2 {
  using t = uint32_t;
};
struct cv_bf16x2 {
  using t = uint32_t;
};
struct cv_e4m3x2 {
  using t = uint16_t;
};
struct cv_e5m2x2 {
  using t = uint16_t;
};
inline float f16(uint16_t h) {
  __half_raw r;
  r.x = h;
  return __half2float(__half(r));
}
inline uint16_t to_f16(float f) {
  return __half_raw(__float2half_rn(f)).x;
}
inline uint16_t to_bf16(float f) {
  return __nv_bfloat16_raw(__float2bfloat16_rn(f)).x;
}
inline uint32_t fma_bf16x2(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t r = 0;
  for (int i = 0; i < 32; i += 16) {
    const auto value = [&](uint32_t x) { return std::bit_cast<float>(x >> i << 16); };
    // Two roundings where the machine has one: the same for the products by powers of two here,
    // whose third operand is -0.
    r |= uint32_t(to_bf16(std::fma(value(a), value(b), value(c)))) << i;
  }
  return r;
}
template <class D, class S>
inline typename D::t cvt(typename S::t v, const char* mode) {
  if constexpr (std::is_same_v<D, cv_f32> && std::is_same_v<S, cv_f16>)
    return f16(v);
  else if constexpr (std::is_same_v<D, cv_f16> && std::is_same_v<S, cv_f32>)
    return to_f16(v);
  else if constexpr (std::is_same_v<D, cv_bf16> && std::is_same_v<S, cv_f32>)
    return to_bf16(v);
  else if constexpr (std::is_same_v<D, cv_f32> && std::is_same_v<S, cv_bf16>)
    return std::bit_cast<float>(uint32_t(v) << 16);
  else if constexpr (std::is_same_v<D, cv_f16x2> && std::is_same_v<S, cv_e4m3x2>) {
    __half2_raw r = __nv_cvt_fp8x2_to_halfraw2(v, __NV_E4M3);
    return uint32_t(r.x) | uint32_t(r.y) << 16;
  } else if constexpr (std::is_integral_v<typename D::t> &&
                       std::is_floating_point_v<typename S::t>) {
    double r = !std::strncmp(mode, "rni", 3)   ? std::nearbyint(v)
               : !std::strncmp(mode, "rmi", 3) ? std::floor(v)
               : !std::strncmp(mode, "rpi", 3) ? std::ceil(v)
                                               : std::trunc(v);
    using L = std::numeric_limits<typename D::t>;
    if (std::isnan(v)) return 0;
    if (r <= double(L::min())) return L::min();
    if (r >= double(L::max())) return L::max();
    return typename D::t(r);
  } else if constexpr (std::is_same_v<D, cv_f32> && std::is_same_v<S, cv_f32>)
    return !std::strncmp(mode, "rni", 3)   ? std::nearbyint(v)
           : !std::strncmp(mode, "rmi", 3) ? std::floor(v)
           : !std::strncmp(mode, "rpi", 3) ? std::ceil(v)
           : !std::strncmp(mode, "rzi", 3) ? std::trunc(v)
                                           : v;
  else
    return typename D::t(v);
}
template <class D, class S>
inline uint32_t cvt2(float hi, float lo) {
  if constexpr (std::is_same_v<D, cv_bf16x2>)
    return uint32_t(to_bf16(hi)) << 16 | to_bf16(lo);
  else if constexpr (std::is_same_v<D, cv_f16x2>)
    return uint32_t(to_f16(hi)) << 16 | to_f16(lo);
  else {
    static_assert(std::is_same_v<D, cv_e4m3x2>);
    return uint32_t(__nv_cvt_float_to_fp8(hi, __NV_SATFINITE, __NV_E4M3)) << 8 |
           __nv_cvt_float_to_fp8(lo, __NV_SATFINITE, __NV_E4M3);
  }
}
// shfl.sync: c = clamp | segment mask << 8
inline uint32_t shfl_any(uint32_t v, int j, bool in, uint32_t m, const char* n) {
  int l = simt::cur->lane;
  return simt::shfl(m, v, in ? j : l, n, 0);
}
inline uint32_t shfl_bfly(uint32_t v, uint32_t b, uint32_t c, uint32_t m, bool& in) {
  int l = simt::cur->lane, seg = int(c >> 8 & 31), mx = (l & seg) | (int(c & 31) & ~seg),
      j = l ^ int(b & 31);
  in = j <= mx;
  return shfl_any(v, j, in, m, "shfl.bfly");
}
inline uint32_t shfl_down(uint32_t v, uint32_t b, uint32_t c, uint32_t m, bool& in) {
  int l = simt::cur->lane, seg = int(c >> 8 & 31), mx = (l & seg) | (int(c & 31) & ~seg),
      j = l + int(b & 31);
  in = j <= mx;
  return shfl_any(v, j, in, m, "shfl.down");
}
inline uint32_t shfl_up(uint32_t v, uint32_t b, uint32_t c, uint32_t m, bool& in) {
  int l = simt::cur->lane, seg = int(c >> 8 & 31), mx = (l & seg) | (int(c & 31) & ~seg),
      j = l - int(b & 31);
  in = j >= mx;
  return shfl_any(v, j, in, m, "shfl.up");
}
inline uint32_t shfl_idx(uint32_t v, uint32_t b, uint32_t c, uint32_t m, bool& in) {
  int l = simt::cur->lane, seg = int(c >> 8 & 31), mn = l & seg, mx = mn | (int(c & 31) & ~seg),
      j = mn | (int(b & 31) & ~seg);
  in = j <= mx;
  return shfl_any(v, j, in, m, "shfl.idx");
}
template <class T>
inline T atom_add(void* p, T v) {
  if constexpr (std::is_same_v<T, float>)
    return atomicAdd((float*)p, v);
  else
    return __atomic_fetch_add((T*)p, v, __ATOMIC_RELAXED);
}
template <class T>
inline T atom_max(void* p, T v) {
  T o = __atomic_load_n((T*)p, __ATOMIC_RELAXED);
  while (o < v &&
         !__atomic_compare_exchange_n((T*)p, &o, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return o;
}
template <class T>
inline T atom_or(void* p, T v) {
  return __atomic_fetch_or((T*)p, v, __ATOMIC_RELAXED);
}
template <class T>
inline T atom_exch(void* p, T v) {
  return __atomic_exchange_n((T*)p, v, __ATOMIC_RELAXED);
}
}  // namespace ptx
