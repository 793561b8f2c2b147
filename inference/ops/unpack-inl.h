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

// FP8 by way of half floats, whose fields are wider: a code's bits one place above their own, 2^8
// too small. Subnormal codes become subnormal halves, which the conversion takes at full speed.
// Whole vectors of halves; n: a multiple of that.
#if HWY_TARGET != HWY_SCALAR
HWY_INLINE void unpack_fp8_vectors(const std::uint8_t* codes, std::size_t n, float scale,
                                   float* out) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::int16_t> i16;
  const hn::RebindToUnsigned<decltype(i16)> u16;
  const hn::Rebind<std::uint8_t, decltype(u16)> u8;
  const hn::Rebind<hwy::float16_t, decltype(i16)> f16;
  const hn::Half<decltype(f16)> half;
  const auto s = hn::Set(d, scale * 256.0F);
  for (std::size_t i = 0; i < n; i += hn::Lanes(i16)) {
    const auto high = hn::ShiftLeft<8>(hn::PromoteTo(u16, hn::LoadU(u8, codes + i)));
    const auto smeared = hn::ShiftRight<1>(hn::BitCast(i16, high));  // the sign twice
    const auto values =
        hn::BitCast(f16, hn::And(smeared, hn::Set(i16, static_cast<std::int16_t>(0xBFFF))));
    hn::StoreU(hn::Mul(hn::PromoteTo(d, hn::LowerHalf(half, values)), s), d, out + i);
    hn::StoreU(hn::Mul(hn::PromoteTo(d, hn::UpperHalf(half, values)), s), d,
               out + i + hn::Lanes(d));
  }
}
#endif

HWY_INLINE void unpack_fp8(const std::uint8_t* codes, std::size_t n, float scale, float* out) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const std::size_t lanes =
      hwy::HWY_NAMESPACE::Lanes(hwy::HWY_NAMESPACE::ScalableTag<std::int16_t>());
  if (scale < 0x1p100F) {  // 256 times it is finite
    i = n / lanes * lanes;
    unpack_fp8_vectors(codes, i, scale, out);
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
