// The lightning indexer's scores over packed keys (packed_rows.h): what index_scores.h computes, on
// the FP4 codes themselves. Query and keys are FP4 in groups of 32, so a group's dot product is a
// small integer times a power of two: exact in any order, on any instruction set. Per key
//   dot_h = Σ_g fma(scale_q[h, g], scale_k[g] · integer dot, ·), score = Σ_h fma(w_h, relu(dot_h),
//   ·)
// in fp32, groups ascending, heads in the order of pack_query: those of negative weight last. These
// can but lower a score, rounding included, so a block in which no key is above the threshold
// before them needs no more of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "inference/ops/packed_rows.h"

namespace ambit::inference::ops {

// A token's query, packed by pack_query. Sizes for H heads of `dim` values, dim padded to `wide`, a
// multiple of 8, and G = ⌈dim/32⌉ groups.
struct PackedQuery {
  PackedQuery() = default;
  // room: room_for(heads, dim) bytes, 64-byte aligned, the caller's.
  PackedQuery(std::size_t heads, std::size_t dim, std::uint8_t* room);
  [[nodiscard]] static std::size_t room_for(std::size_t heads, std::size_t dim);

  std::size_t heads = 0;
  std::size_t dim = 0;
  std::size_t rising = 0;           // heads before those of negative weight
  std::int8_t* codes = nullptr;     // [H, wide]: twice the value
  std::int32_t* offsets = nullptr;  // [H, G]: -12 · Σ codes, because keys are read as 12 + twice
  float* scales = nullptr;          // [H, G]: a quarter of the group's scale
  float* weights = nullptr;         // [H]

  // The same with one scale a head, where the scales of its groups differ by kQuerySpread bits at
  // most and all numbers are of ordinary size: then so are all heads, and with such keys a head's
  // dot product is one integer of less than 24 bits, so that no operation of the formula rounds but
  // the additions of heads, and whoever keeps their order has its bits.
  static constexpr int kQuerySpread = 3;
  static constexpr int kKeySpread = 3;
  static constexpr int kShift = 96;  // 12 · 2^kQuerySpread
  static constexpr std::size_t kTile = 4;
  bool whole = false;
  std::uint8_t* tiles = nullptr;  // [⌈H/kTile⌉][wide/4][kTile][4]: kShift + codes · 2^(0 … 3)
  float* units = nullptr;         // [H]: weight · what 1 stands for; 0 beyond H

  [[nodiscard]] std::size_t wide() const { return (dim + 7) / 8 * 8; }
  [[nodiscard]] std::size_t groups() const { return (dim + 31) / 32; }
  [[nodiscard]] std::size_t tile_count() const { return (heads + kTile - 1) / kTile; }
};

// q: [heads, dim], roped; weights: [heads]. Rounds every head as round_index_row does; q is
// changed.
void pack_query(float* q, const float* weights, PackedQuery& out);

// Scores of the kKeyBlock keys of a block; bit c of the result: out[c] > threshold. With a
// threshold above -∞, out[c] is a score only where the bit is set. Columns that hold no key
// give any value. scratch: kKeyBlock · wide bytes, 64-byte aligned.
std::uint32_t packed_scores_reference(const PackedQuery& q, const std::uint8_t* block,
                                      float threshold, float* out, std::uint8_t* scratch);
std::uint32_t packed_scores_cpu(const PackedQuery& q, const std::uint8_t* block, float threshold,
                                float* out, std::uint8_t* scratch);

// The kernel for AVX-512 VNNI: nothing where the query or the block is not one of whole numbers.
std::optional<std::uint32_t> packed_scores_vnni(const PackedQuery& q, const std::uint8_t* block,
                                                float threshold, float* out, std::uint8_t* scratch);

// Every kernel that this machine can run, the reference included; for tests.
[[nodiscard]] std::vector<decltype(&packed_scores_reference)> packed_scores_kernels();

}  // namespace ambit::inference::ops
