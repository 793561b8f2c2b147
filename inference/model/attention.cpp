#include "inference/model/attention.h"

#include "inference/model/attend.h"
#include "inference/model/compressor.h"
#include "inference/model/lightning_indexer.h"
#include "inference/model/linear.h"
#include "inference/ops/quantize.h"
#include "inference/ops/rope.h"

namespace ambit::inference {
namespace {

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

void write_window(const StepContext& step, const AttentionWeights& w, std::size_t layer,
                  const float* x, const RopeAngles& rope) {
  const ModelConfig& c = *step.config;
  const std::size_t dim = c.head_dim;
  const std::size_t half = c.qk_rope_head_dim / 2;
  const ScratchScope scope(*step.scratch);
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

void attention(const StepContext& step, const AttentionWeights& w, std::size_t layer,
               const float* x, float* out) {
  const ModelConfig& c = *step.config;
  const std::size_t heads = c.num_attention_heads;
  const std::size_t dim = c.head_dim;
  const std::size_t wide = heads * dim;
  const std::int64_t ratio = step.segments[0].cache->shape().layers[layer].ratio;
  const RopeAngles& rope = ratio == 0 ? step.rope_main : step.rope_compress;
  const ScratchScope scope(*step.scratch);

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

  float* o = step.scratch->take(step.rows * wide);
  attend(step, w, layer, selection, rope, q, o);

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
