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

#if HWY_TARGET != HWY_SCALAR
// FP8 by way of half floats, whose fields are wider: a code's bits one place above their own, 2^8
// too small. Subnormal codes become subnormal halves, which the conversion takes at full speed. Two
// vectors of floats; scale: 256 times the group's.
HWY_INLINE void decode_fp8(const std::uint8_t* codes,
                           hwy::HWY_NAMESPACE::Vec<hwy::HWY_NAMESPACE::ScalableTag<float>> scale,
                           hwy::HWY_NAMESPACE::Vec<hwy::HWY_NAMESPACE::ScalableTag<float>>* out) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::int16_t> i16;
  const hn::RebindToUnsigned<decltype(i16)> u16;
  const hn::Rebind<std::uint8_t, decltype(u16)> u8;
  const hn::Half<decltype(i16)> half;
  const hn::Rebind<hwy::float16_t, decltype(half)> f16;
  const auto high = hn::ShiftLeft<8>(hn::PromoteTo(u16, hn::LoadU(u8, codes)));
  const auto smeared = hn::ShiftRight<1>(hn::BitCast(i16, high));  // the sign twice
  const auto bits = hn::And(smeared, hn::Set(i16, static_cast<std::int16_t>(0xBFFF)));
  const auto low = hn::PromoteTo(d, hn::BitCast(f16, hn::LowerHalf(half, bits)));
  const auto top = hn::PromoteTo(d, hn::BitCast(f16, hn::UpperHalf(half, bits)));
  out[0] = hn::Mul(low, scale);
  out[1] = hn::Mul(top, scale);
}
#endif

// Scales below this stay finite when they are multiplied by 256.
constexpr float kFp8Scale = 0x1p100F;

HWY_INLINE void unpack_fp8(const std::uint8_t* codes, std::size_t n, float scale, float* out) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  const std::size_t lanes = 2 * hn::Lanes(d);
  if (scale < kFp8Scale) {
    const auto wide = hn::Set(d, scale * 256.0F);
    for (; i + lanes <= n; i += lanes) {
      hn::Vec<decltype(d)> two[2];
      decode_fp8(codes + i, wide, two);
      hn::StoreU(two[0], d, out + i);
      hn::StoreU(two[1], d, out + i + hn::Lanes(d));
    }
  }
#endif
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
