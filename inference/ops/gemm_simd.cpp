// The fast path of gemm. For few rows of x, weights go from their packed form to registers and
// nowhere else; for many, a panel of weight rows is unpacked to fp32 once per call, in the first
// cache, and multiplied with all rows of x. Each product is one vector accumulator over the columns
// in order, whatever the tile.
#include <algorithm>
#include <array>

#include "inference/ops/gemm.h"
#include "inference/ops/quantize.h"

// Tiles are arrays of vectors, which types without a fixed size cannot form.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "inference/ops/gemm_simd.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>
// After highway.h, as its manual asks.
#include "inference/ops/sum-inl.h"
#include "inference/ops/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ambit::inference::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr std::size_t kPanel = 4;

// 32 codes, two a byte: a byte look-up gives twice the value as an integer.
#if HWY_TARGET != HWY_SCALAR
using Bytes = hn::Vec<hn::Full128<std::int8_t>>;
HWY_INLINE void fp4_twice(const std::uint8_t* pairs, Bytes* out) {
  const hn::Full128<std::uint8_t> u8;
  const hn::Full128<std::int8_t> i8;
  alignas(16) static constexpr std::int8_t kTwice[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                         0, -1, -2, -3, -4, -6, -8, -12};
  const auto table = hn::BitCast(u8, hn::Load(i8, kTwice));
  const auto both = hn::LoadU(u8, pairs);
  const auto even = hn::TableLookupBytes(table, hn::And(both, hn::Set(u8, 0x0FU)));
  const auto odd = hn::TableLookupBytes(table, hn::ShiftRight<4>(both));
  out[0] = hn::BitCast(i8, hn::InterleaveLower(u8, even, odd));
  out[1] = hn::BitCast(i8, hn::InterleaveUpper(u8, even, odd));
}
#endif

#if HWY_MAX_BYTES == 64
HWY_INLINE void decode_fp4(const std::uint8_t* pairs, float scale, V* out) {
  const D d;
  const hn::RebindToSigned<D> i32;
  const V s = hn::Set(d, 0.5F * scale);
  Bytes twice[2];
  fp4_twice(pairs, twice);
  out[0] = hn::Mul(hn::ConvertTo(d, hn::PromoteTo(i32, twice[0])), s);
  out[1] = hn::Mul(hn::ConvertTo(d, hn::PromoteTo(i32, twice[1])), s);
}
#endif

HWY_INLINE void unpack_fp4_group(const std::uint8_t* pairs, float scale, float* out) {
#if HWY_TARGET == HWY_SCALAR
  for (std::size_t i = 0; i < 16; ++i) {
    out[2 * i] = e2m1_value(pairs[i] & 0xFU) * scale;
    out[2 * i + 1] = e2m1_value(pairs[i] >> 4U) * scale;
  }
#elif HWY_MAX_BYTES == 64
  V both[2];
  decode_fp4(pairs, scale, both);
  hn::StoreU(both[0], D(), out);
  hn::StoreU(both[1], D(), out + 16);
#else
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> i32;
  const hn::Rebind<std::int8_t, decltype(d)> narrow;
  const hn::Full128<std::int8_t> i8;
  Bytes pair[2];
  fp4_twice(pairs, pair);
  alignas(16) std::int8_t twice[32];
  hn::Store(pair[0], i8, twice);
  hn::Store(pair[1], i8, twice + 16);
  const auto s = hn::Set(d, 0.5F * scale);
  for (std::size_t i = 0; i < 32; i += hn::Lanes(d)) {
    const auto value = hn::ConvertTo(d, hn::PromoteTo(i32, hn::LoadU(narrow, twice + i)));
    hn::StoreU(hn::Mul(value, s), d, out + i);
  }
#endif
}

// Row `row` as fp32: a view of the stored row when it is fp32 already, else in `out`.
const float* fp32_row(const Matrix& w, std::size_t row, float* out) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(w.data);
  switch (w.type) {
    case MatrixType::kF32:
      return reinterpret_cast<const float*>(w.data) + row * w.cols;
    case MatrixType::kF16:
    case MatrixType::kBlocks:
      unpack_row(w, row, out);
      return out;
    case MatrixType::kBf16:
      unpack_bf16(bytes + 2 * row * w.cols, w.cols, out);
      return out;
    case MatrixType::kFp8Block128: {
      const std::size_t blocks = (w.cols + 127) / 128;
      const std::uint8_t* scales = w.scales + row / 128 * blocks;
      for (std::size_t i = 0; i < w.cols; i += 128) {
        unpack_fp8(bytes + row * w.cols + i, std::min<std::size_t>(128, w.cols - i),
                   e8m0_value(scales[i / 128]), out + i);
      }
      return out;
    }
    case MatrixType::kFp4Group32: {
      const std::size_t at = row * w.cols;
      for (std::size_t i = 0; i < w.cols; i += 32) {
        unpack_fp4_group(bytes + (at + i) / 2, e8m0_value(w.scales[(at + i) / 32]), out + i);
      }
      return out;
    }
  }
  return out;
}

// y[r][o] for kX rows of x and kW rows of w.
template <std::size_t kX, std::size_t kW>
HWY_INLINE void tile(const float* x, std::size_t x_stride, const float* const* w, std::size_t cols,
                     float* y, std::size_t y_stride) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V acc[kX * kW];
  for (V& v : acc) v = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= cols; i += lanes) {
    V wv[kW];
    for (std::size_t o = 0; o < kW; ++o) wv[o] = hn::LoadU(d, w[o] + i);
    for (std::size_t r = 0; r < kX; ++r) {
      const V xv = hn::LoadU(d, x + r * x_stride + i);
      for (std::size_t o = 0; o < kW; ++o) acc[r * kW + o] = hn::MulAdd(xv, wv[o], acc[r * kW + o]);
    }
  }
  float sums[kX * kW];
  sum_lanes<kX * kW>(acc, sums);
  for (std::size_t r = 0; r < kX; ++r) {
    for (std::size_t o = 0; o < kW; ++o) {
      float sum = sums[r * kW + o];
      for (std::size_t t = i; t < cols; ++t) sum += x[r * x_stride + t] * w[o][t];
      y[r * y_stride + o] = sum;
    }
  }
}

template <std::size_t kW>
HWY_INLINE void panel(const GemmArgs& a, const float* const* w, std::size_t o) {
  constexpr std::size_t kX = HWY_MAX_BYTES >= 64 ? 4 : 2;
  std::size_t r = 0;
  for (; r + kX <= a.n; r += kX) {
    tile<kX, kW>(a.x + r * a.x_stride, a.x_stride, w, a.w->cols, a.y + r * a.y_stride + o,
                 a.y_stride);
  }
  for (; r < a.n; ++r) {
    tile<1, kW>(a.x + r * a.x_stride, a.x_stride, w, a.w->cols, a.y + r * a.y_stride + o,
                a.y_stride);
  }
}

// Columns [from, from + n) of a row that the formats' vectors do not fill, n < 32.
void unpack_columns(const Matrix& w, std::size_t row, std::size_t from, std::size_t n, float* out) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(w.data);
  const std::size_t at = row * w.cols + from;
  if (w.type == MatrixType::kF32) {
    std::copy_n(reinterpret_cast<const float*>(bytes) + at, n, out);
  } else if (w.type == MatrixType::kBf16) {
    unpack_bf16(bytes + 2 * at, n, out);
  } else if (w.type == MatrixType::kFp8Block128) {
    const std::size_t blocks = (w.cols + 127) / 128;
    unpack_fp8(bytes + at, n, e8m0_value(w.scales[row / 128 * blocks + from / 128]), out);
  }  // FP4 has whole groups of 32
}

// Rows of w as they are stored; unit() decodes kUnit columns of one.
constexpr std::size_t kUnit = 32;
constexpr std::size_t kUnitVectors = kUnit / HWY_LANES(float);

struct Fp32Rows {
  const float* data;
  std::size_t cols;
  HWY_INLINE void unit(std::size_t row, std::size_t at, V* out) const {
    const D d;
    const float* from = data + row * cols + at;
    for (std::size_t v = 0; v < kUnitVectors; ++v) out[v] = hn::LoadU(d, from + v * hn::Lanes(d));
  }
  HWY_INLINE void fetch(std::size_t row, std::size_t at) const {
    __builtin_prefetch(data + row * cols + at);
    __builtin_prefetch(data + row * cols + at + kUnit / 2);
  }
};

struct Bf16Rows {
  const std::uint16_t* data;
  std::size_t cols;
  HWY_INLINE void unit(std::size_t row, std::size_t at, V* out) const {
    const D d;
    const hn::RebindToUnsigned<D> u;
    const hn::Rebind<std::uint16_t, D> h;
    const std::uint16_t* from = data + row * cols + at;
    for (std::size_t v = 0; v < kUnitVectors; ++v) {
      const auto half = hn::LoadU(h, from + v * hn::Lanes(d));
      out[v] = hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(u, half)));
    }
  }
  HWY_INLINE void fetch(std::size_t row, std::size_t at) const {
    __builtin_prefetch(data + row * cols + at);
  }
};

struct Fp8Rows {
  const std::uint8_t* data;
  const float* scales;  // [.., blocks] of rows from 128 · first on, all below kFp8Scale
  std::size_t cols;
  std::size_t blocks;
  std::size_t first;
  HWY_INLINE void unit(std::size_t row, std::size_t at, V* out) const {
    const std::uint8_t* codes = data + row * cols + at;
    const float scale = scales[(row / 128 - first) * blocks + at / 128];
#if HWY_TARGET == HWY_SCALAR
    for (std::size_t i = 0; i < kUnit; ++i) out[i] = V(e4m3_value(codes[i]) * scale);
#else
    const D d;
    const V wide = hn::Set(d, scale * 256.0F);
    for (std::size_t v = 0; v < kUnitVectors; v += 2) {
      decode_fp8(codes + v * hn::Lanes(d), wide, out + v);
    }
#endif
  }
};

struct Fp4Rows {
  const std::uint8_t* data;
  const std::uint8_t* scales;
  const float* scale_of;  // [256]
  std::size_t cols;
  HWY_INLINE void unit(std::size_t row, std::size_t at, V* out) const {
    const D d;
    const std::size_t i = row * cols + at;
    const float scale = scale_of[scales[i / 32]];
#if HWY_MAX_BYTES == 64
    decode_fp4(data + i / 2, scale, out);
#else
    float values[kUnit];
    unpack_fp4_group(data + i / 2, scale, values);
    for (std::size_t v = 0; v < kUnitVectors; ++v) out[v] = hn::LoadU(d, values + v * hn::Lanes(d));
#endif
    (void)d;
  }
};

// As tile(), for rows [row, row + kW) of w as stored.
template <std::size_t kX, std::size_t kW, class Rows>
HWY_INLINE void packed_tile(const Rows& w, const Matrix& m, std::size_t row, const float* x,
                            std::size_t x_stride, float* y, std::size_t y_stride) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V acc[kX * kW];
  for (V& v : acc) v = hn::Zero(d);
  std::size_t i = 0;
  for (; i + kUnit <= m.cols; i += kUnit) {
    for (std::size_t o = 0; o < kW; ++o) {
      V unit[kUnitVectors];
      w.unit(row + o, i, unit);
      // The rows of the next tile: rows are too short for the processor to guess.
      if constexpr (requires { w.fetch(row, i); }) w.fetch(row + kW + o, i);
      for (std::size_t v = 0; v < kUnitVectors; ++v) {
        for (std::size_t r = 0; r < kX; ++r) {
          const V xv = hn::LoadU(d, x + r * x_stride + i + v * lanes);
          acc[r * kW + o] = hn::MulAdd(xv, unit[v], acc[r * kW + o]);
        }
      }
    }
  }
  // Less than a unit: whole vectors, then single columns.
  float rest[kW][kUnit];
  const std::size_t left = m.cols - i;
  std::size_t done = 0;
  if (left != 0) {
    for (std::size_t o = 0; o < kW; ++o) unpack_columns(m, row + o, i, left, rest[o]);
    for (; done + lanes <= left; done += lanes) {
      for (std::size_t r = 0; r < kX; ++r) {
        const V xv = hn::LoadU(d, x + r * x_stride + i + done);
        for (std::size_t o = 0; o < kW; ++o) {
          acc[r * kW + o] = hn::MulAdd(xv, hn::LoadU(d, rest[o] + done), acc[r * kW + o]);
        }
      }
    }
  }
  float sums[kX * kW];
  sum_lanes<kX * kW>(acc, sums);
  for (std::size_t r = 0; r < kX; ++r) {
    for (std::size_t o = 0; o < kW; ++o) {
      float sum = sums[r * kW + o];
      for (std::size_t t = done; t < left; ++t) sum += x[r * x_stride + i + t] * rest[o][t];
      y[r * y_stride + o] = sum;
    }
  }
}

template <std::size_t kX, class Rows>
HWY_INLINE void packed_outputs(const GemmArgs& a, const Rows& w, std::size_t r, std::size_t from,
                               std::size_t to) {
  constexpr std::size_t kW = 8 / kX;
  const float* x = a.x + r * a.x_stride;
  float* y = a.y + r * a.y_stride;
  std::size_t o = from;
  for (; o + kW <= to; o += kW) {
    packed_tile<kX, kW>(w, *a.w, a.first + o, x, a.x_stride, y + o, a.y_stride);
  }
  for (; o < to; ++o) {
    packed_tile<kX, 1>(w, *a.w, a.first + o, x, a.x_stride, y + o, a.y_stride);
  }
}

template <class Rows>
void few_rows(const GemmArgs& a, const Rows& w, std::size_t from, std::size_t to) {
  std::size_t r = 0;
  for (; r + 2 <= a.n; r += 2) packed_outputs<2>(a, w, r, from, to);
  if (r < a.n) packed_outputs<1>(a, w, r, from, to);
}

// Outputs [from, to) of the call; unpacked: kPanel · cols floats.
void outputs(const GemmArgs& a, std::size_t from, std::size_t to, float* unpacked) {
  constexpr std::size_t kFew = 3;  // as in gemm_cpu
  if (a.n <= kFew) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(a.w->data);
    switch (a.w->type) {
      case MatrixType::kF32:
        return few_rows(a, Fp32Rows{reinterpret_cast<const float*>(bytes), a.w->cols}, from, to);
      case MatrixType::kBf16:
        return few_rows(a, Bf16Rows{reinterpret_cast<const std::uint16_t*>(bytes), a.w->cols}, from,
                        to);
      case MatrixType::kFp8Block128: {
        // Scales as floats, in the room for unpacked weights, which is large enough and not needed.
        const std::size_t blocks = (a.w->cols + 127) / 128;
        const std::size_t first = (a.first + from) / 128;
        const std::size_t n = ((a.first + to + 127) / 128 - first) * blocks;
        if (n > kPanel * a.w->cols) break;
        float largest = 0;
        for (std::size_t i = 0; i < n; ++i) {
          unpacked[i] = e8m0_value(a.w->scales[first * blocks + i]);
          largest = std::max(largest, unpacked[i]);
        }
        if (!(largest < kFp8Scale)) break;
        return few_rows(a, Fp8Rows{bytes, unpacked, a.w->cols, blocks, first}, from, to);
      }
      case MatrixType::kFp4Group32: {
        static const auto kScales = [] {
          std::array<float, 256> all{};
          for (unsigned i = 0; i < 256; ++i) all[i] = e8m0_value(static_cast<std::uint8_t>(i));
          return all;
        }();
        return few_rows(a, Fp4Rows{bytes, a.w->scales, kScales.data(), a.w->cols}, from, to);
      }
      case MatrixType::kF16:
      case MatrixType::kBlocks:
        break;
    }
  }
  std::size_t o = from;
  const float* w[kPanel];
  for (; o + kPanel <= to; o += kPanel) {
    for (std::size_t j = 0; j < kPanel; ++j) {
      w[j] = fp32_row(*a.w, a.first + o + j, unpacked + j * a.w->cols);
    }
    panel<kPanel>(a, w, o);
  }
  for (; o < to; ++o) {
    w[0] = fp32_row(*a.w, a.first + o, unpacked);
    panel<1>(a, w, o);
  }
}

}  // namespace ambit::inference::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

namespace ambit::inference::ops {

HWY_EXPORT(outputs);

void gemm_cpu(const GemmArgs& args, ThreadPool& pool) {
  constexpr std::size_t kUnit = 16;             // outputs of one task
  constexpr std::size_t kWorthATask = 1 << 15;  // products below which a second thread costs more
  constexpr std::size_t kFew = 3;               // rows
  const auto run = [&](std::size_t from, std::size_t to) {
    thread_local std::vector<float> unpacked;
    const std::size_t need = HWY_NAMESPACE::kPanel * args.w->cols;
    if (unpacked.size() < need) unpacked.resize(need);
    HWY_DYNAMIC_DISPATCH(outputs)(args, from, to, unpacked.data());
  };
  const std::size_t products = args.n * args.count * args.w->cols;
  const std::size_t units = (args.count + kUnit - 1) / kUnit;
  if (products < 2 * kWorthATask || units < 2 || pool.size() == 1) {
    run(0, args.count);
    return;
  }
  // Few rows are bound by memory, and a task's first weights come late: no more tasks than even out
  // cores of different speed.
  const std::size_t of_a_thread = args.n <= kFew ? 2 : 4;
  const std::size_t tasks = std::min({units, of_a_thread * pool.size(), products / kWorthATask});
  const std::size_t per_task = (units + tasks - 1) / tasks * kUnit;
  pool.parallel_workers((args.count + per_task - 1) / per_task, [&](std::size_t i, std::size_t) {
    run(i * per_task, std::min(args.count, (i + 1) * per_task));
  });
}

std::string simd_name() {
  return hwy::TargetName(hwy::SupportedTargets() & -hwy::SupportedTargets());
}

}  // namespace ambit::inference::ops
#endif
