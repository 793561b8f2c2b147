#include "inference/model/attention.h"

#include <algorithm>
#include <cmath>

#include "inference/model/compressor.h"
#include "inference/model/lightning_indexer.h"
#include "inference/model/linear.h"
#include "inference/ops/quantize.h"
#include "inference/ops/rope.h"

namespace ambit::inference {
namespace {

// Compressed rows of a segment that is about to attend, as fp32.
class CompressedRows {
 public:
  // Where every token attends all rows (no selection) or there are few tokens, rows are unpacked
  // here, once for all heads; else take() does it, in the memory of the worker that asks.
  CompressedRows(const StepContext& step, const Segment& s, std::size_t layer,
                 const Selection& selection)
      : step_(step), cache_(*s.cache), layer_(layer), selection_(selection) {
    const LayerShape& l = cache_.shape().layers[layer];
    dim_ = cache_.shape().head_dim;
    if (l.ratio == 0 || !cache_.shape().packed) return;
    const bool all = selection.ids == nullptr;
    if (!all && s.count >= 2 * worker_count(step)) {
      per_worker_ = step.scratch->take(worker_count(step) * selection.stride * dim_);
      return;
    }
    const std::int64_t end = s.start + static_cast<std::int64_t>(s.count);
    const std::size_t n = all ? static_cast<std::size_t>(end / l.ratio) : selection.stride;
    const std::size_t lists = all ? 1 : s.count;
    first_row_ = s.row;
    unpacked_ = step.scratch->take(lists * n * dim_);
    const auto unpack = [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) {
        const std::size_t r = s.row + i / std::max<std::size_t>(n, 1);
        if (!all && i % n >= static_cast<std::size_t>(selection.count[r])) continue;
        const std::int64_t c =
            all ? static_cast<std::int64_t>(i) : selection.ids[r * selection.stride + i % n];
        unpack_row(c, unpacked_ + i * dim_);
      }
    };
    // Less is done sooner than a second thread is woken.
    constexpr std::size_t kWorthAThread = 1 << 15;
    if (lists * n * dim_ < kWorthAThread) {
      unpack(0, lists * n);
    } else {
      parallel_rows(step, lists * n, unpack);
    }
  }

  // Appends the rows of row r of the step, of which `visible` are visible, to `rows`.
  std::size_t take(std::size_t r, std::int64_t visible, std::size_t worker,
                   const float** rows) const {
    const bool all = selection_.ids == nullptr;
    const std::size_t n =
        all ? static_cast<std::size_t>(visible) : static_cast<std::size_t>(selection_.count[r]);
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t c =
          all ? static_cast<std::int64_t>(i) : selection_.ids[r * selection_.stride + i];
      if (per_worker_ != nullptr) {
        float* row = per_worker_ + (worker * selection_.stride + i) * dim_;
        unpack_row(c, row);
        rows[i] = row;
      } else if (unpacked_ != nullptr) {
        rows[i] = unpacked_ + (all ? i : (r - first_row_) * selection_.stride + i) * dim_;
      } else {
        rows[i] = reinterpret_cast<const float*>(cache_.row(layer_, c));
      }
    }
    return n;
  }

 private:
  void unpack_row(std::int64_t c, float* out) const {
    step_.ops.unpack_kv_row(cache_.row(layer_, c), dim_, cache_.shape().rope, out);
  }
  const StepContext& step_;
  const KvCache& cache_;
  std::size_t layer_;
  const Selection& selection_;
  std::size_t dim_ = 0;
  std::size_t first_row_ = 0;
  float* unpacked_ = nullptr;
  float* per_worker_ = nullptr;
};

// Window rows of the token at `position`, ascending.
std::size_t window_rows(const KvCache& cache, std::size_t layer, std::int64_t position,
                        std::int64_t first_position, const float** rows) {
  std::size_t n = 0;
  for (std::int64_t p = std::max(first_position, position - cache.shape().window + 1);
       p <= position; ++p) {
    rows[n++] = cache.window_row(layer, p);
  }
  return n;
}

// kv rows of all tokens: projected, normed, roped, rounded, and put into the state.
void write_window(const StepContext& step, const AttentionWeights& w, std::size_t layer,
                  const float* x, const RopeAngles& rope) {
  const ModelConfig& c = *step.config;
  const std::size_t dim = c.head_dim;
  const std::size_t half = c.qk_rope_head_dim / 2;
  const Scratch::Frame frame(*step.scratch);
  float* kv = step.scratch->take(step.rows * dim);
  linear(step, w.wkv, {x, c.hidden_size, step.rows}, {kv, dim});
  for (const Segment& s : step.segments) {
    parallel_rows(step, s.count, [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) {
        const std::size_t r = s.row + i;
        float* row = s.cache->window_row(layer, s.start + static_cast<std::int64_t>(i));
        step.ops.rms_norm({.x = kv + r * dim,
                           .x_stride = dim,
                           .weight = w.kv_norm,
                           .out = row,
                           .out_stride = dim,
                           .rows = 1,
                           .dim = dim,
                           .eps = c.rms_norm_eps});
        ops::rope_apply(row, 1, dim, dim, c.qk_rope_head_dim, rope.cos + r * half,
                        rope.sin + r * half, ops::RopeDirection::kForward);
        if (step.rounds_cache()) ops::round_kv_row(row, dim, c.qk_rope_head_dim);
        step.note("kv", layer, row, 1, dim);
      }
    });
  }
}

// q: [rows, heads, head_dim], normed per head and roped, in place.
void prepare_queries(const StepContext& step, float* q, const RopeAngles& rope) {
  const ModelConfig& c = *step.config;
  const std::size_t heads = c.num_attention_heads;
  const std::size_t dim = c.head_dim;
  const std::size_t half = c.qk_rope_head_dim / 2;
  parallel_rows(step, step.rows, [&](std::size_t from, std::size_t to) {
    for (std::size_t r = from; r < to; ++r) {
      float* row = q + r * heads * dim;
      step.ops.rms_norm({.x = row,
                         .x_stride = dim,
                         .weight = nullptr,
                         .out = row,
                         .out_stride = dim,
                         .rows = heads,
                         .dim = dim,
                         .eps = c.rms_norm_eps});
      ops::rope_apply(row, heads, dim, dim, c.qk_rope_head_dim, rope.cos + r * half,
                      rope.sin + r * half, ops::RopeDirection::kForward);
    }
  });
}

}  // namespace

void attention(const StepContext& step, const AttentionWeights& w, std::size_t layer,
               const float* x, float* out) {
  const ModelConfig& c = *step.config;
  const std::size_t heads = c.num_attention_heads;
  const std::size_t dim = c.head_dim;
  const std::size_t wide = heads * dim;
  const std::int64_t ratio = step.segments[0].cache->shape().layers[layer].ratio;
  const RopeAngles& rope = ratio == 0 ? step.rope_main : step.rope_compress;
  const std::size_t half = c.qk_rope_head_dim / 2;
  const Scratch::Frame frame(*step.scratch);

  float* qr = step.scratch->take(step.rows * c.q_lora_rank);
  float* q = step.scratch->take(step.rows * wide);
  linear(step, w.wq_a, {x, c.hidden_size, step.rows}, {qr, c.q_lora_rank});
  step.ops.rms_norm({.x = qr,
                     .x_stride = c.q_lora_rank,
                     .weight = w.q_norm,
                     .out = qr,
                     .out_stride = c.q_lora_rank,
                     .rows = step.rows,
                     .dim = c.q_lora_rank,
                     .eps = c.rms_norm_eps});
  linear(step, w.wq_b, {qr, c.q_lora_rank, step.rows}, {q, wide});
  prepare_queries(step, q, rope);
  write_window(step, w, layer, x, rope);
  Selection selection;
  if (ratio != 0) {
    compress_step(step, *w.compressor, CompressorUse::kAttention, layer, x);
    if (w.indexer) {
      compress_step(step, w.indexer->compressor, CompressorUse::kIndex, layer, x);
      selection = select_rows(step, *w.indexer, layer, x, qr);
    }
  }
  step.note("q_lora", layer, qr, step.rows, c.q_lora_rank);
  step.note("q", layer, q, step.rows, wide);

  // One task is a token with a share of its heads; a lone token is split so that all threads help.
  std::size_t most_rows = 1;
  for (const Segment& s : step.segments) {
    const std::int64_t end = s.start + static_cast<std::int64_t>(s.count);
    std::size_t n = static_cast<std::size_t>(std::min(end, s.cache->shape().window));
    if (ratio != 0)
      n += selection.ids != nullptr ? selection.stride : static_cast<std::size_t>(end / ratio);
    most_rows = std::max(most_rows, n);
  }
  const std::size_t workers = worker_count(step);
  const std::size_t shares = step.rows >= 2 * workers ? 1 : std::min(heads, workers);
  const std::size_t share = (heads + shares - 1) / shares;
  const auto** lists = step.scratch->take<const float*>(workers * most_rows);
  float* weights = step.scratch->take(workers * share * most_rows);
  float* o = step.scratch->take(step.rows * wide);
  const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
  for (const Segment& s : step.segments) {
    const Scratch::Frame rows_frame(*step.scratch);
    const CompressedRows compressed(step, s, layer, selection);
    parallel_workers(step, s.count * shares, [&](std::size_t task, std::size_t worker) {
      const std::size_t i = task / shares;
      const std::size_t r = s.row + i;
      const std::size_t head = task % shares * share;
      if (head >= heads) return;
      const std::size_t n_heads = std::min(share, heads - head);
      const std::int64_t position = s.start + static_cast<std::int64_t>(i);
      const float** rows = lists + worker * most_rows;
      std::size_t n = window_rows(*s.cache, layer, position, s.first_position, rows);
      if (ratio != 0) n += compressed.take(r, (position + 1) / ratio, worker, rows + n);
      float* result = o + r * wide + head * dim;
      step.ops.sparse_attention({.q = q + r * wide + head * dim,
                                 .heads = n_heads,
                                 .dim = dim,
                                 .rows = rows,
                                 .n_rows = n,
                                 .sink = w.sink + head,
                                 .scale = scale,
                                 .out = result,
                                 .scratch = weights + worker * share * most_rows});
      if (step.trace != nullptr) step.note("attn_raw", layer, result, n_heads, dim);
      ops::rope_apply(result, n_heads, dim, dim, c.qk_rope_head_dim, rope.cos + r * half,
                      rope.sin + r * half, ops::RopeDirection::kInverse);
    });
  }

  const std::size_t groups = c.o_groups;
  const std::size_t low = c.o_lora_rank;
  float* z = step.scratch->take(step.rows * groups * low);
  for (std::size_t g = 0; g < groups; ++g) {
    linear_rows(step, w.wo_a, g * low, low, {o + g * (wide / groups), wide, step.rows},
                {z + g * low, groups * low});
  }
  linear(step, w.wo_b, {z, groups * low, step.rows}, {out, c.hidden_size});
}

}  // namespace ambit::inference
