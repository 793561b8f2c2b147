// Stored codes to fp32, for the files that Highway compiles once per instruction set: include it
// after highway.h, outside any namespace. No include guard of the usual kind: each of those passes
// needs its own copy.
#if defined(AMBIT_OPS_UNPACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMBIT_OPS_UNPACK_INL_H_
#undef AMBIT_OPS_UNPACK_INL_H_
#else
#define AMBIT_OPS_UNPACK_INL_H_
#endif

#include <hwy/highway.h>

#include <cstring>

#include "inference/ops/quantize.h"

HWY_BEFORE_NAMESPACE();
namespace ambit::inference::ops::HWY_NAMESPACE {

// FP8 by moving a code's bits to a float's exponent and mantissa. Subnormal codes get an exponent
// too many, which is subtracted: no step meets a subnormal float, which would be slow.
HWY_INLINE void unpack_fp8(const std::uint8_t* codes, std::size_t n, float scale, float* out) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> u;
  const hn::Rebind<std::uint8_t, decltype(d)> b;
  const std::size_t lanes = hn::Lanes(d);
  const auto s = hn::Set(d, scale);
  const auto bias = hn::Set(u, 120U << 23U);
  const auto least_normal = hn::Set(d, 0x1p-6F);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto code = hn::PromoteTo(u, hn::LoadU(b, codes + i));
    const auto sign = hn::ShiftLeft<24>(hn::And(code, hn::Set(u, 0x80U)));
    const auto magnitude = hn::ShiftLeft<20>(hn::And(code, hn::Set(u, 0x7FU)));
    const auto normal = hn::BitCast(d, hn::Add(magnitude, bias));
    const auto subnormal = hn::Sub(hn::Add(normal, normal), least_normal);
    const auto value = hn::IfThenElse(hn::Lt(normal, least_normal), subnormal, normal);
    hn::StoreU(hn::Or(hn::Mul(value, s), hn::BitCast(d, sign)), d, out + i);
  }
  for (; i < n; ++i) out[i] = e4m3_value(codes[i]) * scale;
}

// n BF16 values; no alignment.
HWY_INLINE void unpack_bf16(const std::uint8_t* in, std::size_t n, float* out) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> u;
  const hn::Rebind<std::uint16_t, decltype(d)> h;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto half = hn::LoadU(h, reinterpret_cast<const std::uint16_t*>(in + 2 * i));
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(u, half))), d, out + i);
  }
  for (; i < n; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, in + 2 * i, 2);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16U;
    std::memcpy(out + i, &bits, 4);
  }
}

}  // namespace ambit::inference::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
