#include "inference/model/block.h"

#include "inference/model/attention.h"
#include "inference/model/hyper_connections.h"
#include "inference/model/moe.h"

namespace ambit::inference {
namespace {

void norm(const StepContext& step, const float* weight, float* x) {
  const std::size_t dim = step.config->hidden_size;
  step.ops.rms_norm({.x = x,
                     .x_stride = dim,
                     .weight = weight,
                     .out = x,
                     .out_stride = dim,
                     .rows = step.rows,
                     .dim = dim,
                     .eps = step.config->rms_norm_eps});
}

}  // namespace

void block(const StepContext& step, const BlockWeights& w, std::size_t layer, float* streams) {
  const std::size_t dim = step.config->hidden_size;
  const std::size_t n = step.config->hc_mult;
  const ScratchScope scope(*step.scratch);
  float* x = step.scratch->take(step.rows * dim);
  float* f = step.scratch->take(step.rows * dim);

  HcMix mix = hc_pre(step, w.hc_attn, streams, x);
  step.note("hc_attn_mixed", layer, x, step.rows, dim);
  step.note("hc_attn_post", layer, mix.post, step.rows, n);
  step.note("hc_attn_comb", layer, mix.comb, step.rows, n * n);
  norm(step, w.attn_norm, x);
  step.note("attn_in", layer, x, step.rows, dim);
  attention(step, w.attn, layer, x, f);
  step.note("attn_out", layer, f, step.rows, dim);
  hc_post(step, mix, f, streams);

  mix = hc_pre(step, w.hc_ffn, streams, x);
  step.note("hc_ffn_mixed", layer, x, step.rows, dim);
  norm(step, w.ffn_norm, x);
  step.note("ffn_in", layer, x, step.rows, dim);
  moe(step, w.ffn, layer, x, f);
  step.note("ffn_out", layer, f, step.rows, dim);
  hc_post(step, mix, f, streams);
  step.note("block", layer, streams, step.rows, n * dim);
}

}  // namespace ambit::inference
