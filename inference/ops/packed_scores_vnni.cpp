// The indexer's scores on AVX-512 VNNI, of queries and keys with one scale a head and a key: whole
// numbers until the heads are added. Keys are signed, the query unsigned by kShift too much, which
// is taken off again at the start: Σ (q + kShift) · k - kShift · Σ k.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "inference/ops/packed_scores.h"

#if defined(__x86_64__)
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined operands of its own header for a mistake of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define AMBIT_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512dq,bmi2")))

#define AMBIT_VNNI_INLINE AMBIT_VNNI __attribute__((always_inline)) inline

namespace ambit::inference::ops {
namespace {

constexpr std::size_t kLanes = 16;   // keys of a vector
constexpr std::size_t kVector = 64;  // bytes
alignas(64) constexpr std::array<std::int8_t, 16> kTwice = {0, 1,  2,  3,  4,  6,  8,  12,
                                                            0, -1, -2, -3, -4, -6, -8, -12};

// As the intrinsic, but GCC 12 copies and spills around that one, at half the speed.
AMBIT_VNNI_INLINE void add_products(__m512i& sums, __m512i query, __m512i keys) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(query), "v"(keys));
}

// What is known of the keys of kV vectors: [wide/4][kV] vectors of four values of 16 keys each.
template <std::size_t kV>
struct Keys {
  const std::uint8_t* values = nullptr;
  __m512i start[kV];  // -kShift · Σ k
  __m512 scale[kV];   // of a key
  __m512 sum[kV];     // the score so far / scale

  AMBIT_VNNI std::uint32_t above(__m512 threshold) const {
    std::uint32_t out = 0;
    for (std::size_t v = 0; v < kV; ++v) {
      const std::uint32_t some =
          _mm512_cmp_ps_mask(_mm512_mul_ps(sum[v], scale[v]), threshold, _CMP_GT_OQ);
      out |= some << (kLanes * v);
    }
    return out;
  }
};

// One head's dot products with the keys of kV vectors. Heads are written out by folds over their
// numbers and not as loops: GCC 12 keeps an array that a loop walks in memory.
template <std::size_t kV>
struct Dots {
  __m512i low, high;  // high: unless kV is 1

  AMBIT_VNNI_INLINE void start(const Keys<kV>& keys) {
    low = keys.start[0];
    if constexpr (kV == 2) high = keys.start[1];
  }
  AMBIT_VNNI_INLINE void add(const std::uint8_t* codes, __m512i first, __m512i second) {
    std::int32_t four = 0;
    std::memcpy(&four, codes, 4);
    const __m512i query = _mm512_set1_epi32(four);
    add_products(low, query, first);
    if constexpr (kV == 2) add_products(high, query, second);
  }
  AMBIT_VNNI_INLINE void weigh(float weight, Keys<kV>& keys) const {
    const __m512 unit = _mm512_set1_ps(weight);
    const __m512i zero = _mm512_setzero_si512();
    keys.sum[0] =
        _mm512_fmadd_ps(unit, _mm512_cvtepi32_ps(_mm512_max_epi32(low, zero)), keys.sum[0]);
    if constexpr (kV == 2) {
      keys.sum[1] =
          _mm512_fmadd_ps(unit, _mm512_cvtepi32_ps(_mm512_max_epi32(high, zero)), keys.sum[1]);
    }
  }
};

// Adds the heads kH of the tiles from `tile` on.
template <std::size_t kV, std::size_t... kH>
AMBIT_VNNI_INLINE void add_heads(const PackedQuery& q, std::size_t tile, Keys<kV>& keys,
                                 std::index_sequence<kH...>) {
  constexpr std::size_t kTile = PackedQuery::kTile;
  const std::size_t tile_bytes = q.wide() * kTile;
  const std::uint8_t* codes = q.tiles + tile * tile_bytes;
  const std::uint8_t* values = keys.values;
  const std::uint8_t* const end = values + q.wide() / 4 * kVector * kV;
  Dots<kV> dots[sizeof...(kH)];
  (dots[kH].start(keys), ...);
  for (; values != end; values += kVector * kV, codes += 4 * kTile) {
    const __m512i first = _mm512_load_si512(values);
    const __m512i second = _mm512_load_si512(values + kVector * (kV - 1));
    (dots[kH].add(codes + kH / kTile * tile_bytes + kH % kTile * 4, first, second), ...);
  }
  (dots[kH].weigh(q.units[tile * kTile + kH], keys), ...);
}

// One tile or two, as there are before `end`; returns the next.
template <std::size_t kV>
AMBIT_VNNI_INLINE std::size_t add_tiles(const PackedQuery& q, std::size_t tile, std::size_t end,
                                        Keys<kV>& keys) {
  if (tile + 2 <= end) {
    add_heads(q, tile, keys, std::make_index_sequence<2 * PackedQuery::kTile>());
    return tile + 2;
  }
  add_heads(q, tile, keys, std::make_index_sequence<PackedQuery::kTile>());
  return tile + 1;
}

// Reads a block: 32 keys as two vectors. False where the scales of a key are too far apart.
AMBIT_VNNI_INLINE bool unpack(const PackedQuery& q, const std::uint8_t* block, std::uint8_t* values,
                              Keys<2>& keys) {
  const std::uint8_t* scales = block + q.wide() / 2 * kKeyBlock;
  const auto codes = [&](std::size_t g) AMBIT_VNNI {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales + g * kKeyBlock));
  };
  __m256i least = codes(0);
  __m256i most = least;
  for (std::size_t g = 1; g < q.groups(); ++g) {
    least = _mm256_min_epu8(least, codes(g));
    most = _mm256_max_epu8(most, codes(g));
  }
  const auto spread = _mm256_set1_epi8(PackedQuery::kKeySpread);
  const std::uint32_t wide_apart = _mm256_cmpgt_epu8_mask(_mm256_sub_epi8(most, least), spread);
  const std::uint32_t small = _mm256_cmplt_epu8_mask(least, _mm256_set1_epi8(127 - 40));
  const std::uint32_t large =
      _mm256_cmpgt_epu8_mask(most, _mm256_set1_epi8(static_cast<char>(127 + 40)));
  if ((wide_apart | small | large) != 0) return false;

  const __m512i table =
      _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(kTwice.data())));
  // What of a byte stays in it when it is shifted by 0 … kKeySpread.
  const __m512i stay =
      _mm512_castsi128_si512(_mm_set_epi32(0x1F1F1F1F, 0x3F3F3F3F, 0x7F7F7F7F, -1));
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i shift = _mm512_set1_epi8(PackedQuery::kShift);
  const std::size_t octets = q.wide() / 8;
  for (std::size_t v = 0; v < 2; ++v) {
    const auto of_vector = [&](__m256i x) AMBIT_VNNI {
      return _mm512_cvtepu8_epi32(v == 0 ? _mm256_castsi256_si128(x)
                                         : _mm256_extracti128_si256(x, 1));
    };
    __m512i sums = _mm512_setzero_si512();
    for (std::size_t g = 0; g < q.groups(); ++g) {
      const __m512i up = of_vector(_mm256_sub_epi8(codes(g), least));
      const __m512i mask = _mm512_permutexvar_epi32(up, stay);
      __m512i of_group = _mm512_setzero_si512();  // of eight times ±12: bytes
      const auto put = [&](__m512i nibbles, std::size_t quad) AMBIT_VNNI {
        const __m512i twice = _mm512_shuffle_epi8(table, _mm512_and_si512(nibbles, nibble));
        const __m512i key = _mm512_sllv_epi32(_mm512_and_si512(twice, mask), up);
        of_group = _mm512_add_epi8(of_group, twice);
        _mm512_store_si512(values + (2 * quad + v) * kVector, key);
      };
      for (std::size_t i = 4 * g; i < std::min(4 * g + 4, octets); ++i) {
        const __m512i pairs = _mm512_loadu_si512(block + (2 * i + v) * kVector);
        put(pairs, 2 * i);
        put(_mm512_srli_epi16(pairs, 4), 2 * i + 1);
      }
      const __m512i whole = _mm512_dpbusd_epi32(_mm512_setzero_si512(), shift, of_group);
      sums = _mm512_add_epi32(sums, _mm512_sllv_epi32(whole, up));
    }
    keys.start[v] = _mm512_sub_epi32(_mm512_setzero_si512(), sums);
    keys.scale[v] = _mm512_castsi512_ps(_mm512_slli_epi32(of_vector(least), 23));
    keys.sum[v] = _mm512_setzero_ps();
  }
  keys.values = values;
  return true;
}

// The keys of `which`, 16 at most, as one vector, over the values of all.
AMBIT_VNNI_INLINE __m512i gather(const PackedQuery& q, std::uint32_t which, std::uint8_t* values,
                                 const Keys<2>& all, Keys<1>& some) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const auto low = static_cast<__mmask16>(which);
  const auto high = static_cast<__mmask16>(which >> kLanes);
  const auto behind = static_cast<__mmask16>(0xFFFFU << static_cast<unsigned>(std::popcount(low)));
  const __m512i second = _mm512_add_epi32(lane, _mm512_set1_epi32(kLanes));
  const __m512i from = _mm512_mask_expand_epi32(_mm512_maskz_compress_epi32(low, lane), behind,
                                                _mm512_maskz_compress_epi32(high, second));
  for (std::size_t quad = 0; quad < q.wide() / 4; ++quad) {
    const __m512i first = _mm512_load_si512(values + 2 * quad * kVector);
    const __m512i other = _mm512_load_si512(values + (2 * quad + 1) * kVector);
    _mm512_store_si512(values + quad * kVector, _mm512_permutex2var_epi32(first, from, other));
  }
  some.values = values;
  some.start[0] = _mm512_permutex2var_epi32(all.start[0], from, all.start[1]);
  some.scale[0] = _mm512_permutex2var_ps(all.scale[0], from, all.scale[1]);
  some.sum[0] = _mm512_permutex2var_ps(all.sum[0], from, all.sum[1]);
  return from;
}

}  // namespace

AMBIT_VNNI std::optional<std::uint32_t> packed_scores_vnni(const PackedQuery& q,
                                                           const std::uint8_t* block,
                                                           float threshold, float* out,
                                                           std::uint8_t* scratch) {
  Keys<2> keys;
  if (!q.whole || !unpack(q, block, scratch, keys)) return std::nullopt;
  const __m512 least = _mm512_set1_ps(threshold);
  const std::size_t end = q.tile_count();
  const std::size_t rising = (q.rising + PackedQuery::kTile - 1) / PackedQuery::kTile;
  std::size_t tile = 0;
  while (tile < rising) tile = add_tiles(q, tile, rising, keys);
  // Heads that but lower scores: while there are keys that they can matter to, and those together.
  const bool may_end = threshold > -std::numeric_limits<float>::infinity();
  for (; tile < end; tile = add_tiles(q, tile, end, keys)) {
    const std::uint32_t above = may_end ? keys.above(least) : ~std::uint32_t{0};
    if (above == 0) return 0;
    const auto left = static_cast<unsigned>(std::popcount(above));
    if (left > kLanes) continue;
    Keys<1> some;
    const __m512i from = gather(q, above, scratch, keys, some);
    const std::uint32_t among = (1U << left) - 1;
    std::uint32_t found = among;
    while (tile < end && found != 0) {
      tile = add_tiles(q, tile, end, some);
      found = some.above(least) & among;
    }
    _mm512_mask_i32scatter_ps(out, static_cast<__mmask16>(found), from,
                              _mm512_mul_ps(some.sum[0], some.scale[0]), 4);
    return _pdep_u32(found, above);
  }
  for (std::size_t v = 0; v < 2; ++v) {
    _mm512_storeu_ps(out + v * kLanes, _mm512_mul_ps(keys.sum[v], keys.scale[v]));
  }
  return keys.above(least);
}

#undef AMBIT_VNNI_INLINE
#undef AMBIT_VNNI

}  // namespace ambit::inference::ops

#endif
