#include "inference/model/lightning_indexer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "inference/model/linear.h"
#include "inference/ops/packed_scores.h"
#include "inference/ops/rope.h"
#include "inference/ops/top_k.h"

namespace ambit::inference {
namespace {

constexpr auto kBlock = static_cast<std::int64_t>(ops::kKeyBlock);  // keys of a page
// Blocks of keys that are worth a task of their own.
constexpr std::int64_t kWorthATask = 64;

// The queries of all rows of the step: floats, and packed when the keys are.
struct Queries {
  float* q = nullptr;        // [rows, heads, dim]
  float* weights = nullptr;  // [rows, heads]
  ops::PackedQuery* packed = nullptr;
};

Queries prepare(const StepContext& step, const IndexerWeights& w, const float* x, const float* qr) {
  const ModelConfig& c = *step.config;
  const std::size_t heads = c.index_n_heads;
  const std::size_t dim = c.index_head_dim;
  const std::size_t rope = c.qk_rope_head_dim;
  Queries out;
  out.q = step.scratch->take(step.rows * heads * dim);
  out.weights = step.scratch->take(step.rows * heads);
  linear(step, w.wq_b, {qr, c.q_lora_rank, step.rows}, {out.q, heads * dim});
  linear(step, w.weights_proj, {x, c.hidden_size, step.rows}, {out.weights, heads});
  if (step.rounds_cache()) {
    out.packed = step.scratch->take<ops::PackedQuery>(step.rows);
    for (std::size_t r = 0; r < step.rows; ++r) {
      ops::PackedQuery p;
      p.heads = heads;
      p.dim = dim;
      p.codes = step.scratch->take<std::int8_t>(heads * p.wide());
      p.offsets = step.scratch->take<std::int32_t>(heads * p.groups());
      p.scales = step.scratch->take(heads * p.groups());
      p.weights = out.weights + r * heads;
      out.packed[r] = p;
    }
  }
  const float scale =
      1.0F / std::sqrt(static_cast<float>(dim)) / std::sqrt(static_cast<float>(heads));
  parallel_rows(step, step.rows, [&](std::size_t from, std::size_t to) {
    for (std::size_t r = from; r < to; ++r) {
      float* query = out.q + r * heads * dim;
      ops::rope_apply(query, heads, dim, dim, rope, step.rope_compress.cos + r * rope / 2,
                      step.rope_compress.sin + r * rope / 2, ops::RopeDirection::kForward);
      for (std::size_t h = 0; h < heads; ++h) out.weights[r * heads + h] *= scale;
      if (out.packed != nullptr) ops::pack_query(query, out.packed[r]);
    }
  });
  return out;
}

// Every page lies elsewhere, which the processor cannot guess.
constexpr std::int64_t kBlocksAhead = 4;
void prefetch(const std::uint8_t* p, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 64) __builtin_prefetch(p + i);
}

// Adds the rows of blocks [from, to) that row r of the step sees.
void scan(const StepContext& step, const Queries& queries, std::size_t r, KvCache& cache,
          std::size_t layer, std::int64_t visible, std::int64_t from, std::int64_t to,
          std::uint8_t* scratch, ops::TopK& best) {
  const ModelConfig& c = *step.config;
  const std::size_t block_bytes = cache.shape().index_block_bytes;
  float scores[ops::kKeyBlock];
  for (std::int64_t first = from * kBlock; first < to * kBlock; first += kBlock) {
    const auto n = static_cast<unsigned>(std::min(kBlock, visible - first));
    const std::uint8_t* keys = cache.index_keys(layer, first);
    if (first + kBlocksAhead * kBlock < to * kBlock) {
      prefetch(cache.index_keys(layer, first + kBlocksAhead * kBlock), block_bytes);
    }
    if (queries.packed == nullptr) {
      step.ops.index_scores({.q = queries.q + r * c.index_n_heads * c.index_head_dim,
                             .weights = queries.weights + r * c.index_n_heads,
                             .heads = c.index_n_heads,
                             .dim = c.index_head_dim,
                             .keys = reinterpret_cast<const float*>(keys),
                             .stride = ops::kKeyBlock,
                             .rows = n,
                             .out = scores});
      step.note("index_scores", layer, scores, 1, n);
      best.add(scores, n, static_cast<std::size_t>(first));
      continue;
    }
    std::uint32_t above =
        step.ops.packed_scores(queries.packed[r], keys, best.threshold(), scores, scratch);
    if (!best.is_full()) {
      best.add(scores, n, static_cast<std::size_t>(first));
      continue;
    }
    if (n < ops::kKeyBlock) above &= (1U << n) - 1;
    for (; above != 0; above &= above - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(above));
      best.add(scores[i], static_cast<std::size_t>(first) + i);
    }
  }
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
  for (const Segment& s : step.segments) {
    for (std::size_t i = 0; i < s.count; ++i) {
      const std::size_t r = s.row + i;
      const std::int64_t visible =
          std::min(top, (s.start + static_cast<std::int64_t>(i) + 1) / ratio);
      count[r] = static_cast<std::int32_t>(visible);
      for (std::int64_t k = 0; k < visible; ++k)
        ids[r * out.stride + static_cast<std::size_t>(k)] = static_cast<std::int32_t>(k);
    }
  }
  if (most <= top) return out;

  // One task is a token, or a share of the keys of a token when there are too few tokens.
  const ScratchScope scope(*step.scratch);
  const Queries queries = prepare(step, w, x, qr);
  const std::size_t workers = worker_count(step);
  const std::int64_t most_blocks = (most + kBlock - 1) / kBlock;
  const auto tasks = static_cast<std::size_t>(most_blocks / kWorthATask);
  const std::size_t shares =
      step.rows >= 2 * workers ? 1 : std::clamp<std::size_t>(tasks, 1, 4 * workers);
  const std::size_t room = ops::TopK::capacity(c.index_topk);
  const std::size_t slots = shares == 1 ? workers : step.rows * shares;
  auto* keys = step.scratch->take<std::uint64_t>(slots * room);
  const std::size_t wide = (c.index_head_dim + 7) / 8 * 8 * ops::kKeyBlock;
  auto* unpacked = step.scratch->take<std::uint8_t>(workers * wide);
  auto* best = step.scratch->take<ops::TopK>(slots);
  for (const Segment& s : step.segments) {
    const auto visible_of = [&](std::size_t i) {
      return (s.start + static_cast<std::int64_t>(i) + 1) / ratio;
    };
    parallel_workers(step, s.count * shares, [&](std::size_t task, std::size_t worker) {
      const std::size_t i = task / shares;
      const std::size_t r = s.row + i;
      const auto share = static_cast<std::int64_t>(task % shares);
      const std::int64_t visible = visible_of(i);
      if (visible <= top) return;
      const std::int64_t blocks = (visible + kBlock - 1) / kBlock;
      const auto n = static_cast<std::int64_t>(shares);
      const std::size_t slot = shares == 1 ? worker : r * shares + task % shares;
      best[slot] = ops::TopK(c.index_topk, keys + slot * room);
      scan(step, queries, r, *s.cache, layer, visible, blocks * share / n, blocks * (share + 1) / n,
           unpacked + worker * wide, best[slot]);
      if (shares == 1) {
        best[slot].finish(ids + r * out.stride);
      } else {
        best[slot].settle();
      }
    });
    if (shares == 1) continue;
    for (std::size_t i = 0; i < s.count; ++i) {
      if (visible_of(i) <= top) continue;
      const std::size_t slot = (s.row + i) * shares;
      for (std::size_t k = 1; k < shares; ++k) best[slot].add(best[slot + k]);
      best[slot].finish(ids + (s.row + i) * out.stride);
    }
  }
  return out;
}

}  // namespace ambit::inference
