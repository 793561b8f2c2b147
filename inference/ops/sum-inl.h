// Sums of the lanes of several vectors at once, for the files that Highway compiles once per
// instruction set: include it after highway.h, outside any namespace. A vector's lanes are always
// added pair by pair, whatever vectors it has for company, so that a sum's bits do not depend on
// the tile in which it was computed.
#if defined(AMBIT_OPS_SUM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMBIT_OPS_SUM_INL_H_
#undef AMBIT_OPS_SUM_INL_H_
#else
#define AMBIT_OPS_SUM_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace ambit::inference::ops::HWY_NAMESPACE {

using SumVec = hwy::HWY_NAMESPACE::Vec<hwy::HWY_NAMESPACE::ScalableTag<float>>;

// The sums of a's neighbouring lanes, then those of b's.
HWY_INLINE SumVec add_pairs(SumVec a, SumVec b) {
#if HWY_TARGET == HWY_SCALAR
  (void)b;
  return a;
#else
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  return hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
#endif
}

template <std::size_t kN>
HWY_INLINE SumVec fold_pairs(const SumVec* v) {
  if constexpr (kN == 1) {
    return v[0];
  } else {
    return add_pairs(fold_pairs<kN / 2>(v), fold_pairs<kN / 2>(v + kN / 2));
  }
}

// out[i] = the sum of the lanes of v[i]. kN: a power of two.
template <std::size_t kN>
HWY_INLINE void sum_lanes(const SumVec* v, float* out) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> d;
  constexpr std::size_t kLanes = HWY_LANES(float);
  if constexpr (kN > kLanes) {
    sum_lanes<kN / 2>(v, out);
    sum_lanes<kN / 2>(v + kN / 2, out + kN / 2);
  } else {
    SumVec sum = fold_pairs<kN>(v);
    for (std::size_t have = kN; have < kLanes; have *= 2) sum = add_pairs(sum, sum);
    if constexpr (kN == kLanes) {
      hn::StoreU(sum, d, out);
    } else {
      HWY_ALIGN float all[kLanes];
      hn::Store(sum, d, all);
      for (std::size_t i = 0; i < kN; ++i) out[i] = all[i];
    }
  }
}

}  // namespace ambit::inference::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
