// Kernels for AVX-512 VNNI and AVX2 beside the plain loops; all give the same bits. Chosen once, at
// the first call.
#include "inference/ops/packed_scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "inference/ops/quantize.h"

#if defined(__x86_64__)
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined operands of its own header for a mistake of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#endif

namespace ambit::inference::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::array<std::int8_t, 16> kTwice = {0, 1,  2,  3,  4,  6,  8,  12,
                                                0, -1, -2, -3, -4, -6, -8, -12};
// What the kernels look up: 12 more, so that keys are unsigned.
alignas(64) constexpr std::array<std::uint8_t, 16> kShifted = {12, 13, 14, 15, 16, 18, 20, 24,
                                                               12, 11, 10, 9,  8,  6,  4,  0};

// Twice the E2M1 value nearest to x, as e2m1_code rounds: the steps between values, where x is past
// their middle.
int twice_e2m1(float x) {
  const float m = std::fabs(x);
  const int twice = (m > 0.25F) + (m >= 0.75F) + (m > 1.25F) + (m >= 1.75F) + 2 * (m > 2.5F) +
                    2 * (m >= 3.5F) + 4 * (m > 5.0F);
  return x < 0 ? -twice : twice;
}

const std::uint8_t* scales_of(const PackedQuery& q, const std::uint8_t* block) {
  return block + q.wide() / 2 * kKeyBlock;
}

#if defined(__x86_64__)

#define AMBIT_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

// One head's sums over a group, of the block's two vectors of keys.
struct VnniSums {
  __m512i low, high;
};

AMBIT_VNNI inline void add_quad(VnniSums& sums, __m512i low, __m512i high,
                                const std::int8_t* codes) {
  std::int32_t four = 0;
  std::memcpy(&four, codes, 4);
  const __m512i q = _mm512_set1_epi32(four);
  // As the intrinsic, but GCC 12 copies and spills around that one, at half the speed.
  asm("vpdpbusd %2, %1, %0" : "+v"(sums.low) : "v"(low), "v"(q));
  asm("vpdpbusd %2, %1, %0" : "+v"(sums.high) : "v"(high), "v"(q));
}

struct VnniDots {
  __m512 low, high;
};

AMBIT_VNNI inline void add_group(VnniDots& dots, const VnniSums& sums, float scale, __m512 low,
                                 __m512 high) {
  const __m512 s = _mm512_set1_ps(scale);
  dots.low = _mm512_fmadd_ps(s, _mm512_mul_ps(low, _mm512_cvtepi32_ps(sums.low)), dots.low);
  dots.high = _mm512_fmadd_ps(s, _mm512_mul_ps(high, _mm512_cvtepi32_ps(sums.high)), dots.high);
}

AMBIT_VNNI inline __m512 key_scales(const std::uint8_t* codes) {
  const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu8_epi32(sixteen), 23));
}

AMBIT_VNNI inline void add_head(VnniDots& sum, const VnniDots& dots, float weight) {
  const __m512 w = _mm512_set1_ps(weight);
  sum.low = _mm512_fmadd_ps(w, _mm512_max_ps(dots.low, _mm512_setzero_ps()), sum.low);
  sum.high = _mm512_fmadd_ps(w, _mm512_max_ps(dots.high, _mm512_setzero_ps()), sum.high);
}

// Heads [head, head + 4) with all keys of the block; keys: [wide/4][kKeyBlock][4]. Written out, so
// that all sums stay in registers.
AMBIT_VNNI inline void four_heads(const PackedQuery& q, std::size_t head, const std::uint8_t* keys,
                                  const std::uint8_t* scales, VnniDots& sum) {
  const std::size_t wide = q.wide();
  const std::size_t groups = q.groups();
  const VnniDots zero{_mm512_setzero_ps(), _mm512_setzero_ps()};
  VnniDots dot0 = zero;
  VnniDots dot1 = zero;
  VnniDots dot2 = zero;
  VnniDots dot3 = zero;
  const std::int8_t* codes = q.codes + head * wide;
  const std::int32_t* offset = q.offsets + head * groups;
  const float* scale = q.scales + head * groups;
  for (std::size_t g = 0; g < groups; ++g) {
    const auto start = [&](std::size_t h) AMBIT_VNNI {
      const __m512i o = _mm512_set1_epi32(offset[h * groups + g]);
      return VnniSums{o, o};
    };
    VnniSums s0 = start(0);
    VnniSums s1 = start(1);
    VnniSums s2 = start(2);
    VnniSums s3 = start(3);
    const std::size_t last = std::min(8 * g + 8, wide / 4);
    for (std::size_t quad = 8 * g; quad < last; ++quad) {
      const __m512i low = _mm512_load_si512(keys + quad * 4 * kKeyBlock);
      const __m512i high = _mm512_load_si512(keys + quad * 4 * kKeyBlock + 64);
      add_quad(s0, low, high, codes + quad * 4);
      add_quad(s1, low, high, codes + wide + quad * 4);
      add_quad(s2, low, high, codes + 2 * wide + quad * 4);
      add_quad(s3, low, high, codes + 3 * wide + quad * 4);
    }
    const __m512 low = key_scales(scales + g * kKeyBlock);
    const __m512 high = key_scales(scales + g * kKeyBlock + 16);
    add_group(dot0, s0, scale[g], low, high);
    add_group(dot1, s1, scale[groups + g], low, high);
    add_group(dot2, s2, scale[2 * groups + g], low, high);
    add_group(dot3, s3, scale[3 * groups + g], low, high);
  }
  add_head(sum, dot0, q.weights[head]);
  add_head(sum, dot1, q.weights[head + 1]);
  add_head(sum, dot2, q.weights[head + 2]);
  add_head(sum, dot3, q.weights[head + 3]);
}

AMBIT_VNNI inline void one_head(const PackedQuery& q, std::size_t head, const std::uint8_t* keys,
                                const std::uint8_t* scales, VnniDots& sum) {
  VnniDots dot{_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (std::size_t g = 0; g < q.groups(); ++g) {
    const __m512i o = _mm512_set1_epi32(q.offsets[head * q.groups() + g]);
    VnniSums s{o, o};
    for (std::size_t quad = 8 * g; quad < std::min(8 * g + 8, q.wide() / 4); ++quad) {
      add_quad(s, _mm512_load_si512(keys + quad * 4 * kKeyBlock),
               _mm512_load_si512(keys + quad * 4 * kKeyBlock + 64),
               q.codes + head * q.wide() + quad * 4);
    }
    add_group(dot, s, q.scales[head * q.groups() + g], key_scales(scales + g * kKeyBlock),
              key_scales(scales + g * kKeyBlock + 16));
  }
  add_head(sum, dot, q.weights[head]);
}

AMBIT_VNNI std::uint32_t scores_vnni(const PackedQuery& q, const std::uint8_t* block,
                                     float threshold, float* out, std::uint8_t* keys) {
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(kShifted.data())));
  const __m512i nibble = _mm512_set1_epi8(15);
  const std::size_t octets = q.wide() / 8;
  for (std::size_t i = 0; i < octets; ++i) {
    for (std::size_t v = 0; v < 2; ++v) {
      const __m512i pairs = _mm512_loadu_si512(block + i * 4 * kKeyBlock + v * 64);
      const __m512i low = _mm512_and_si512(pairs, nibble);
      const __m512i high = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble);
      _mm512_store_si512(keys + 2 * i * 4 * kKeyBlock + v * 64, _mm512_shuffle_epi8(table, low));
      _mm512_store_si512(keys + (2 * i + 1) * 4 * kKeyBlock + v * 64,
                         _mm512_shuffle_epi8(table, high));
    }
  }
  VnniDots sum{_mm512_setzero_ps(), _mm512_setzero_ps()};
  const std::uint8_t* scales = scales_of(q, block);
  const __m512 t = _mm512_set1_ps(threshold);
  const auto above = [&]() AMBIT_VNNI {
    const std::uint32_t low = _mm512_cmp_ps_mask(sum.low, t, _CMP_GT_OQ);
    const std::uint32_t high = _mm512_cmp_ps_mask(sum.high, t, _CMP_GT_OQ);
    return low | high << 16U;
  };
  const std::size_t may_end = threshold > -kInfinity ? q.rising : q.heads;
  std::size_t h = 0;
  for (; h + 4 <= q.heads; h += 4) {
    if (h >= may_end && above() == 0) return 0;
    four_heads(q, h, keys, scales, sum);
  }
  for (; h < q.heads; ++h) one_head(q, h, keys, scales, sum);
  _mm512_storeu_ps(out, sum.low);
  _mm512_storeu_ps(out + 16, sum.high);
  return above();
}

#undef AMBIT_VNNI

__attribute__((target("avx2,fma"))) std::uint32_t scores_avx2(const PackedQuery& q,
                                                              const std::uint8_t* block,
                                                              float threshold, float* out,
                                                              std::uint8_t* keys) {
  const __m256i table = _mm256_broadcastsi128_si256(
      _mm_load_si128(reinterpret_cast<const __m128i*>(kShifted.data())));
  const __m256i nibble = _mm256_set1_epi8(15);
  const std::size_t wide = q.wide();
  for (std::size_t i = 0; i < wide / 8; ++i) {
    for (std::size_t v = 0; v < 4; ++v) {
      const __m256i pairs =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + i * 4 * kKeyBlock + v * 32));
      const __m256i low = _mm256_and_si256(pairs, nibble);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), nibble);
      std::uint8_t* to = keys + 2 * i * 4 * kKeyBlock + v * 32;
      _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm256_shuffle_epi8(table, low));
      _mm256_store_si256(reinterpret_cast<__m256i*>(to + 4 * kKeyBlock),
                         _mm256_shuffle_epi8(table, high));
    }
  }
  const std::uint8_t* scales = scales_of(q, block);
  const __m256i ones = _mm256_set1_epi16(1);
  std::uint32_t above = 0;
  for (std::size_t v = 0; v < 4; ++v) {
    __m256 sum = _mm256_setzero_ps();
    for (std::size_t h = 0; h < q.heads; ++h) {
      __m256 dot = _mm256_setzero_ps();
      for (std::size_t g = 0; g < q.groups(); ++g) {
        // At most 8 · 2 · 24 · 12: sums of a group fit 16 bits.
        __m256i pairs = _mm256_setzero_si256();
        for (std::size_t quad = g * 8; quad < std::min(g * 8 + 8, wide / 4); ++quad) {
          std::int32_t four = 0;
          std::memcpy(&four, q.codes + h * wide + quad * 4, 4);
          const __m256i key = _mm256_load_si256(
              reinterpret_cast<const __m256i*>(keys + quad * 4 * kKeyBlock + v * 32));
          pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(key, _mm256_set1_epi32(four)));
        }
        const __m256i whole = _mm256_add_epi32(_mm256_madd_epi16(pairs, ones),
                                               _mm256_set1_epi32(q.offsets[h * q.groups() + g]));
        const __m128i codes =
            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(scales + g * kKeyBlock + v * 8));
        const __m256 key_scale =
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu8_epi32(codes), 23));
        dot = _mm256_fmadd_ps(_mm256_set1_ps(q.scales[h * q.groups() + g]),
                              _mm256_mul_ps(key_scale, _mm256_cvtepi32_ps(whole)), dot);
      }
      sum = _mm256_fmadd_ps(_mm256_set1_ps(q.weights[h]), _mm256_max_ps(dot, _mm256_setzero_ps()),
                            sum);
    }
    _mm256_storeu_ps(out + v * 8, sum);
    const int m = _mm256_movemask_ps(_mm256_cmp_ps(sum, _mm256_set1_ps(threshold), _CMP_GT_OQ));
    above |= static_cast<std::uint32_t>(m) << (8 * v);
  }
  return above;
}

#endif

}  // namespace

void pack_query(float* q, const float* weights, PackedQuery& out) {
  const std::size_t wide = out.wide();
  const std::size_t groups = out.groups();
  std::vector<std::size_t> order(out.heads);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto falling = std::stable_partition(order.begin(), order.end(),
                                             [&](std::size_t h) { return !(weights[h] < 0); });
  out.rising = static_cast<std::size_t>(falling - order.begin());
  // What lowers scores most comes first.
  std::stable_sort(falling, order.end(),
                   [&](std::size_t a, std::size_t b) { return weights[a] < weights[b]; });
  for (std::size_t h = 0; h < out.heads; ++h) {
    out.weights[h] = weights[order[h]];
    float* x = q + order[h] * out.dim;
    hadamard(x, out.dim);
    std::int8_t* codes = out.codes + h * wide;
    std::fill_n(codes, wide, std::int8_t{0});
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t from = 32 * g;
      const std::size_t to = std::min(from + 32, out.dim);
      float largest = 0;
      for (std::size_t i = from; i < to; ++i) largest = std::max(largest, std::fabs(x[i]));
      const float scale = e8m0_value(fp4_scale(largest));
      const float inverse = 1.0F / scale;
      std::int32_t sum = 0;
      for (std::size_t i = from; i < to; ++i) {
        const int twice = twice_e2m1(x[i] * inverse);
        codes[i] = static_cast<std::int8_t>(twice);
        sum += twice;
      }
      out.offsets[h * groups + g] = -12 * sum;
      out.scales[h * groups + g] = 0.25F * scale;
    }
  }
}

std::uint32_t packed_scores_reference(const PackedQuery& q, const std::uint8_t* block,
                                      float threshold, float* out, std::uint8_t*) {
  const std::uint8_t* scales = scales_of(q, block);
  std::uint32_t above = 0;
  for (std::size_t c = 0; c < kKeyBlock; ++c) {
    float sum = 0;
    for (std::size_t h = 0; h < q.heads; ++h) {
      float dot = 0;
      for (std::size_t g = 0; g < q.groups(); ++g) {
        std::int32_t whole = 0;
        for (std::size_t i = 32 * g; i < std::min(32 * g + 32, q.dim); ++i) {
          const unsigned pair = block[(i / 8 * kKeyBlock + c) * 4 + i % 4];
          whole += q.codes[h * q.wide() + i] * kTwice[i % 8 < 4 ? pair & 15U : pair >> 4U];
        }
        const float key_scale = e8m0_value(scales[g * kKeyBlock + c]);
        dot = std::fma(q.scales[h * q.groups() + g], key_scale * static_cast<float>(whole), dot);
      }
      sum = std::fma(q.weights[h], std::max(dot, 0.0F), sum);
    }
    out[c] = sum;
    if (sum > threshold) above |= 1U << c;
  }
  return above;
}

std::vector<decltype(&packed_scores_reference)> packed_scores_kernels() {
  std::vector<decltype(&packed_scores_reference)> out = {packed_scores_reference};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out.push_back(scores_avx2);
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    out.push_back(scores_vnni);
  }
#endif
  return out;
}

std::uint32_t packed_scores_cpu(const PackedQuery& q, const std::uint8_t* block, float threshold,
                                float* out, std::uint8_t* scratch) {
  static const auto best = packed_scores_kernels().back();
  return best(q, block, threshold, out, scratch);
}

}  // namespace ambit::inference::ops
