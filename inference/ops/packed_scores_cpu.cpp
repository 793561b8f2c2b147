// Kernels for AVX-512 VNNI and AVX2 beside the plain loops; all give the same bits. Chosen once, at
// the first call.
#include "inference/ops/packed_scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
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

std::uint32_t scores_vnni(const PackedQuery& q, const std::uint8_t* block, float threshold,
                          float* out, std::uint8_t* scratch) {
  const auto above = packed_scores_vnni(q, block, threshold, out, scratch);
  return above ? *above : scores_avx2(q, block, threshold, out, scratch);
}

#endif

// Head h as whole numbers of one unit, if it can be.
bool pack_whole(std::size_t h, PackedQuery& out) {
  const float* scales = out.scales + h * out.groups();
  const auto [least, most] = std::minmax_element(scales, scales + out.groups());
  const float unit = out.weights[h] * *least;
  const auto is_ordinary = [](float x) {
    return std::fabs(x) >= 0x1p-40F && std::fabs(x) <= 0x1p40F;
  };
  if (*most > *least * static_cast<float>(1 << PackedQuery::kQuerySpread) || !is_ordinary(*least) ||
      !(out.weights[h] == 0 || is_ordinary(unit))) {
    return false;
  }
  constexpr std::size_t kTile = PackedQuery::kTile;
  std::uint8_t* tile = out.tiles + h / kTile * kTile * out.wide() + h % kTile * 4;
  for (std::size_t i = 0; i < out.wide(); ++i) {
    const int up = static_cast<int>(scales[i / 32] / *least);
    tile[i / 4 * 4 * kTile + i % 4] =
        static_cast<std::uint8_t>(PackedQuery::kShift + out.codes[h * out.wide() + i] * up);
  }
  out.units[h] = unit;
  return true;
}

}  // namespace

// Behind one another: units, weights, scales, offsets, tiles, codes.
PackedQuery::PackedQuery(std::size_t n_heads, std::size_t n, std::uint8_t* room)
    : heads(n_heads), dim(n) {
  units = reinterpret_cast<float*>(room);
  weights = units + tile_count() * kTile;
  scales = weights + heads;
  offsets = reinterpret_cast<std::int32_t*>(scales + heads * groups());
  tiles = reinterpret_cast<std::uint8_t*>(offsets + heads * groups());
  codes = reinterpret_cast<std::int8_t*>(tiles + tile_count() * kTile * wide());
}

std::size_t PackedQuery::room_for(std::size_t heads, std::size_t dim) {
  PackedQuery q;
  q.heads = heads;
  q.dim = dim;
  const std::size_t tiled = q.tile_count() * kTile;
  const std::size_t numbers = tiled + heads + 2 * heads * q.groups();
  return numbers * sizeof(float) + (tiled + heads) * q.wide();
}

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
  const std::size_t tiled = out.tile_count() * PackedQuery::kTile;
  std::fill_n(out.units, tiled, 0.0F);
  std::fill_n(out.tiles, tiled * wide, std::uint8_t{0});
  out.whole = out.dim <= 1024;
  for (std::size_t h = 0; h < out.heads && out.whole; ++h) out.whole = pack_whole(h, out);
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
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("bmi2")) {
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
