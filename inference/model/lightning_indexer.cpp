#include "inference/model/lightning_indexer.h"

#include <algorithm>
#include <cmath>
#include <limits>

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
      auto* room = step.scratch->take<std::uint8_t>(ops::PackedQuery::room_for(heads, dim));
      out.packed[r] = ops::PackedQuery(heads, dim, room);
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
      if (out.packed != nullptr) ops::pack_query(query, out.weights + r * heads, out.packed[r]);
    }
  });
  return out;
}

// The keys of one layer as row `row` of the step sees them.
struct Keys {
  const StepContext& step;
  const Queries& queries;
  KvCache& cache;
  std::size_t layer;
  std::size_t row;
  std::int64_t visible;

  [[nodiscard]] std::int64_t blocks() const { return (visible + kBlock - 1) / kBlock; }
};

// Every stride-th of the blocks [from, to).
struct Blocks {
  std::int64_t from, to, stride = 1;
};

// One of so many like parts of a range.
struct Part {
  std::size_t i = 0, of = 1;
  [[nodiscard]] std::int64_t from(std::int64_t n) const { return cut(n, i); }
  [[nodiscard]] std::int64_t to(std::int64_t n) const { return cut(n, i + 1); }
  [[nodiscard]] std::int64_t cut(std::int64_t n, std::size_t at) const {
    return n * static_cast<std::int64_t>(at) / static_cast<std::int64_t>(of);
  }
};

// Every page lies elsewhere, which the processor cannot guess.
constexpr std::int64_t kBlocksAhead = 4;
void prefetch(const std::uint8_t* p, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 64) __builtin_prefetch(p + i);
  __builtin_prefetch(p + n - 1);  // blocks begin anywhere in a line
}

// Adds the scores of the blocks' keys to `best`. scratch: of packed_scores.
void scan(const Keys& k, Blocks blocks, std::uint8_t* scratch, ops::TopK& best) {
  const StepContext& step = k.step;
  const ModelConfig& c = *step.config;
  const std::size_t block_bytes = k.cache.shape().index_block_bytes;
  const std::int64_t ahead = kBlocksAhead * blocks.stride;
  float scores[ops::kKeyBlock];
  for (std::int64_t block = blocks.from; block < blocks.to; block += blocks.stride) {
    const std::int64_t first = block * kBlock;
    const auto n = static_cast<unsigned>(std::min(kBlock, k.visible - first));
    const std::uint8_t* keys = k.cache.index_keys(k.layer, first);
    if (block + ahead < blocks.to) {
      prefetch(k.cache.index_keys(k.layer, (block + ahead) * kBlock), block_bytes);
    }
    if (k.queries.packed == nullptr) {
      step.ops.index_scores({.q = k.queries.q + k.row * c.index_n_heads * c.index_head_dim,
                             .weights = k.queries.weights + k.row * c.index_n_heads,
                             .heads = c.index_n_heads,
                             .dim = c.index_head_dim,
                             .keys = reinterpret_cast<const float*>(keys),
                             .stride = ops::kKeyBlock,
                             .rows = n,
                             .out = scores});
      step.note("index_scores", k.layer, scores, 1, n);
      best.add(scores, n, static_cast<std::size_t>(first));
      continue;
    }
    std::uint32_t above =
        step.ops.packed_scores(k.queries.packed[k.row], keys, best.threshold(), scores, scratch);
    if (!best.is_full()) {
      best.add(scores, n, static_cast<std::size_t>(first));
      continue;
    }
    if (n < ops::kKeyBlock) above &= (1U << n) - 1;
    if (above != 0) best.add_some(scores, above, static_cast<std::int32_t>(first));
  }
}

// A score that some 3 · top of the keys reach, by a sample of them, shared among the threads; -∞
// where a sample is not worth it. With it few scores are worth keeping from the start, and few
// blocks all their heads. Keys that are no sample of the others can make it too high: then fewer
// than `top` are found, and whoever asked scans again without it.
struct Sample {
  static constexpr std::size_t kRank = 24;  // of some 8 that are among the top
  std::int64_t stride = 0;                  // blocks
  std::int64_t blocks = 0;                  // of the sample

  Sample(const Keys& k, std::size_t top) {
    constexpr std::int64_t kWorthIt = 16;
    stride = static_cast<std::int64_t>(3 * top / kRank);
    const bool traced = k.step.trace != nullptr;
    if (stride < 8 || k.visible < kWorthIt * static_cast<std::int64_t>(top) || traced) return;
    blocks = (k.visible / kBlock - stride / 2 + stride - 1) / stride;
  }
  // Blocks [from, to) of the sample.
  [[nodiscard]] Blocks some(std::int64_t from, std::int64_t to) const {
    return {stride / 2 + from * stride, stride / 2 + to * stride - stride + 1, stride};
  }
  // Just below the least of the best: scores that are all the same are above it.
  static float bound(ops::TopK& best) {
    best.settle();
    return std::nextafter(best.threshold(), -std::numeric_limits<float>::infinity());
  }
};

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
  // What a worker finds of a token is one list: its bound rises with all that the worker has seen.
  const std::size_t room = ops::TopK::capacity(c.index_topk);
  auto* rooms = step.scratch->take<std::uint64_t>(workers * room);
  const std::size_t wide = (c.index_head_dim + 7) / 8 * 8 * ops::kKeyBlock;
  auto* unpacked = step.scratch->take<std::uint8_t>(workers * wide);
  auto* best = step.scratch->take<ops::TopK>(workers);
  const auto keys_of = [&](const Segment& s, std::size_t i) {
    return Keys{step,  queries,   *s.cache,
                layer, s.row + i, (s.start + static_cast<std::int64_t>(i) + 1) / ratio};
  };
  const auto start = [&](std::size_t worker, std::size_t k, float bound) {
    best[worker] = ops::TopK(k, rooms + worker * room, bound);
  };
  const auto scan_share = [&](const Keys& k, Blocks blocks, std::size_t worker) {
    scan(k, blocks, unpacked + worker * wide, best[worker]);
  };
  const auto scan_sample = [&](const Keys& k, const Sample& sample, Part part, std::size_t worker) {
    constexpr std::int64_t kSome = 8;  // blocks, and then there is a bound for the others
    for (std::int64_t at = part.from(sample.blocks); at < part.to(sample.blocks); at += kSome) {
      scan_share(k, sample.some(at, std::min(at + kSome, part.to(sample.blocks))), worker);
      best[worker].settle();
    }
  };
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  for (const Segment& s : step.segments) {
    if (shares == 1) {
      parallel_workers(step, s.count, [&](std::size_t i, std::size_t worker) {
        const Keys k = keys_of(s, i);
        if (k.visible <= top) return;
        start(worker, Sample::kRank, kNone);
        scan_sample(k, Sample(k, c.index_topk), {}, worker);
        for (const float bound : {Sample::bound(best[worker]), kNone}) {
          start(worker, c.index_topk, bound);
          scan_share(k, {0, k.blocks()}, worker);
          if (best[worker].finish(ids + k.row * out.stride) == c.index_topk) break;
        }
      });
      continue;
    }
    const auto start_all = [&](std::size_t k, float bound) {
      for (std::size_t worker = 0; worker < workers; ++worker) start(worker, k, bound);
    };
    const auto join_all = [&] {
      for (std::size_t worker = 1; worker < workers; ++worker) best[0].add(best[worker]);
    };
    for (std::size_t i = 0; i < s.count; ++i) {
      const Keys k = keys_of(s, i);
      if (k.visible <= top) continue;
      start_all(Sample::kRank, kNone);
      const Sample sample(k, c.index_topk);
      if (sample.blocks > 0) {
        parallel_workers(step, workers, [&](std::size_t share, std::size_t worker) {
          scan_sample(k, sample, {share, workers}, worker);
        });
        join_all();
      }
      for (const float bound : {Sample::bound(best[0]), kNone}) {
        start_all(c.index_topk, bound);
        parallel_workers(step, shares, [&](std::size_t share, std::size_t worker) {
          const Part part{share, shares};
          scan_share(k, {part.from(k.blocks()), part.to(k.blocks())}, worker);
        });
        join_all();
        if (best[0].finish(ids + k.row * out.stride) == c.index_topk) break;
      }
    }
  }
  return out;
}

}  // namespace ambit::inference
