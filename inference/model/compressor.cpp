#include "inference/model/compressor.h"

#include <algorithm>
#include <cstring>

#include "inference/model/linear.h"
#include "inference/ops/packed_rows.h"
#include "inference/ops/quantize.h"
#include "inference/ops/rope.h"

namespace ambit::inference {
namespace {

constexpr std::size_t kMostRowDim = 8192;  // as model_config.cpp allows

// Dimensions of one of the two uses in one layer.
struct Shape {
  std::size_t dim = 0;    // of a compressed row
  std::size_t width = 0;  // of a token's values: dim, or 2 · dim with overlap
};

// Pools block c of one sequence; its raw rows and those of the block before are in the state.
void emit_row(const StepContext& step, const CompressorWeights& w, CompressorUse use,
              std::size_t layer, KvCache& cache, std::int64_t c, const Shape& shape) {
  const LayerShape& l = cache.shape().layers[layer];
  constexpr std::size_t kMost = 2 * static_cast<std::size_t>(kPageTokens);
  const float* values[kMost];
  const float* scores[kMost];
  std::size_t n = 0;
  const auto add = [&](std::int64_t position, std::size_t half) {
    const float* raw = use == CompressorUse::kAttention ? cache.raw_row(layer, position)
                                                        : cache.index_raw_row(layer, position);
    values[n] = raw + half;
    scores[n] = raw + shape.width + half;
    ++n;
  };
  const std::int64_t first = c * l.ratio;
  if (l.overlap && c > 0) {
    for (std::int64_t p = first - l.ratio; p < first; ++p) add(p, 0);
  }
  const std::size_t own = l.overlap ? shape.dim : 0;
  for (std::int64_t p = first; p < first + l.ratio; ++p) add(p, own);

  const bool attention = use == CompressorUse::kAttention;
  float row[kMostRowDim];
  step.ops.compress({.values = values, .scores = scores, .n = n, .dim = shape.dim, .out = row});
  step.ops.rms_norm({.x = row,
                     .x_stride = shape.dim,
                     .weight = w.norm,
                     .out = row,
                     .out_stride = shape.dim,
                     .rows = 1,
                     .dim = shape.dim,
                     .eps = step.config->rms_norm_eps});
  const std::size_t rope = step.config->qk_rope_head_dim;
  float cos[ops::kMaxRopeFrequencies];
  float sin[ops::kMaxRopeFrequencies];
  ops::rope_angles(step.rope_compress.frequencies, first, cos, sin);
  ops::rope_apply(row, 1, shape.dim, shape.dim, rope, cos, sin, ops::RopeDirection::kForward);
  if (attention) {
    std::uint8_t* to = cache.row(layer, c);
    if (step.rounds_cache()) {
      ops::round_kv_row(row, shape.dim, rope);
      ops::pack_kv_row(row, shape.dim, rope, to);
    } else {
      std::memcpy(to, row, 4 * shape.dim);
    }
    return;
  }
  std::uint8_t* keys = cache.index_keys(layer, c);
  const std::size_t column = cache.index_column(layer, c);
  if (step.rounds_cache()) {
    ops::round_index_row(row, shape.dim);
    ops::pack_key(row, shape.dim, column, keys);
  } else {
    for (std::size_t i = 0; i < shape.dim; ++i) {
      std::memcpy(keys + 4 * (i * ops::kKeyBlock + column), row + i, 4);
    }
  }
}

}  // namespace

void compress_step(const StepContext& step, const CompressorWeights& w, CompressorUse use,
                   std::size_t layer, const float* x) {
  const std::size_t hidden = step.config->hidden_size;
  const bool attention = use == CompressorUse::kAttention;
  for (const Segment& s : step.segments) {
    KvCache& cache = *s.cache;
    const LayerShape& l = cache.shape().layers[layer];
    const Shape shape{.dim = attention ? cache.shape().head_dim : cache.shape().index_dim,
                      .width = attention ? l.width : l.index_width};
    // Products go straight to the state, one run of tokens of a page at a time.
    for (std::size_t done = 0; done < s.count;) {
      const std::int64_t position = s.start + static_cast<std::int64_t>(done);
      const auto room = static_cast<std::size_t>(kPageTokens - position % kPageTokens);
      const std::size_t n = std::min(room, s.count - done);
      float* raw =
          attention ? cache.raw_row(layer, position) : cache.index_raw_row(layer, position);
      const LinearInput in{x + (s.row + done) * hidden, hidden, n};
      linear(step, w.wkv, in, {raw, 2 * shape.width});
      linear(step, w.wgate, in, {raw + shape.width, 2 * shape.width});
      for (std::size_t t = 0; t < n; ++t) {
        const auto place =
            static_cast<std::size_t>((position + static_cast<std::int64_t>(t)) % l.ratio);
        float* score = raw + t * 2 * shape.width + shape.width;
        const float* ape = w.ape + place * shape.width;
        for (std::size_t i = 0; i < shape.width; ++i) score[i] += ape[i];
      }
      done += n;
    }
    const std::int64_t from = s.start / l.ratio;
    const std::int64_t to = (s.start + static_cast<std::int64_t>(s.count)) / l.ratio;
    parallel_rows(step, static_cast<std::size_t>(std::max<std::int64_t>(to - from, 0)),
                  [&](std::size_t a, std::size_t b) {
                    for (std::size_t i = a; i < b; ++i) {
                      emit_row(step, w, use, layer, cache, from + static_cast<std::int64_t>(i),
                               shape);
                    }
                  });
  }
}

}  // namespace ambit::inference
