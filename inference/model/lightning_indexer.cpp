#include "inference/model/lightning_indexer.h"

#include <algorithm>
#include <cmath>

#include "inference/model/linear.h"
#include "inference/ops/quantize.h"
#include "inference/ops/rope.h"
#include "inference/ops/top_k.h"

namespace ambit::inference {
namespace {

struct Query {
  const float* q = nullptr;        // [heads, dim]
  const float* weights = nullptr;  // [heads]
};

// The best rows among [0, visible) of one sequence for one token.
std::size_t select_one(const StepContext& step, std::size_t layer, KvCache& cache,
                       std::int64_t visible, const Query& query, float* scores, std::uint64_t* keys,
                       std::int32_t* out) {
  const ModelConfig& c = *step.config;
  const std::int64_t per_page = kPageTokens / cache.shape().layers[layer].ratio;
  for (std::int64_t from = 0; from < visible; from += per_page) {
    step.ops.index_scores({.q = query.q,
                           .weights = query.weights,
                           .heads = c.index_n_heads,
                           .dim = c.index_head_dim,
                           .keys = cache.index_keys(layer, from),
                           .stride = static_cast<std::size_t>(per_page),
                           .rows = static_cast<std::size_t>(std::min(per_page, visible - from)),
                           .out = scores + from});
  }
  return ops::top_k(scores, static_cast<std::size_t>(visible), c.index_topk, out, keys);
}

}  // namespace

Selection select_rows(const StepContext& step, const IndexerWeights& w, std::size_t layer,
                      const float* x, const float* qr) {
  const ModelConfig& c = *step.config;
  const std::int64_t ratio = c.ratio(layer);
  std::int64_t most = 0;
  for (const Segment& s : step.segments) {
    most = std::max(most, (s.start + static_cast<std::int64_t>(s.count)) / ratio);
  }
  const auto top = static_cast<std::int64_t>(c.index_topk);
  Selection out;
  out.stride = static_cast<std::size_t>(std::min(most, top));
  auto* ids = step.scratch->take<std::int32_t>(step.rows * std::max<std::size_t>(out.stride, 1));
  auto* count = step.scratch->take<std::int32_t>(step.rows);
  out.ids = ids;
  out.count = count;

  const Scratch::Frame frame(*step.scratch);
  const std::size_t wide = c.index_n_heads * c.index_head_dim;
  float* q = nullptr;
  float* weights = nullptr;
  if (most > top) {
    q = step.scratch->take(step.rows * wide);
    weights = step.scratch->take(step.rows * c.index_n_heads);
    linear(step, w.wq_b, {qr, c.q_lora_rank, step.rows}, {q, wide});
    linear(step, w.weights_proj, {x, c.hidden_size, step.rows}, {weights, c.index_n_heads});
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(c.index_head_dim)) /
                      std::sqrt(static_cast<float>(c.index_n_heads));
  const std::size_t rope = c.qk_rope_head_dim;
  const std::size_t lanes = most > top ? worker_count(step) : 0;
  float* all_scores = step.scratch->take(lanes * static_cast<std::size_t>(most) + 1);
  auto* all_keys = step.scratch->take<std::uint64_t>(lanes * static_cast<std::size_t>(most) + 1);
  for (const Segment& s : step.segments) {
    parallel_workers(step, s.count, [&](std::size_t i, std::size_t worker) {
      const std::size_t r = s.row + i;
      const std::int64_t visible = (s.start + static_cast<std::int64_t>(i) + 1) / ratio;
      std::int32_t* chosen = ids + r * out.stride;
      if (visible <= top) {
        for (std::int64_t k = 0; k < visible; ++k) chosen[k] = static_cast<std::int32_t>(k);
        count[r] = static_cast<std::int32_t>(visible);
        return;
      }
      float* query = q + r * wide;
      const std::size_t half = rope / 2;
      ops::rope_apply(query, c.index_n_heads, c.index_head_dim, c.index_head_dim, rope,
                      step.rope_compress.cos + r * half, step.rope_compress.sin + r * half,
                      ops::RopeDirection::kForward);
      if (step.rounds_cache()) {
        for (std::size_t h = 0; h < c.index_n_heads; ++h) {
          ops::round_index_row(query + h * c.index_head_dim, c.index_head_dim);
        }
      }
      float* head_weights = weights + r * c.index_n_heads;
      for (std::size_t h = 0; h < c.index_n_heads; ++h) head_weights[h] *= scale;
      const std::size_t lane = worker * static_cast<std::size_t>(most);
      count[r] = static_cast<std::int32_t>(select_one(step, layer, *s.cache, visible,
                                                      {query, head_weights}, all_scores + lane,
                                                      all_keys + lane, chosen));
      if (step.trace != nullptr) {
        step.note("index_scores", layer, all_scores + lane, 1, static_cast<std::size_t>(visible));
      }
    });
  }
  return out;
}

}  // namespace ambit::inference
