#include "inference/model/hyper_connections.h"

#include "inference/model/linear.h"

namespace ambit::inference {

HcMix hc_pre(const StepContext& step, const HcWeights& w, const float* streams, float* mixed) {
  const ModelConfig& c = *step.config;
  const std::size_t n = c.hc_mult;
  const std::size_t dim = c.hidden_size;
  const std::size_t wide = n * dim;
  const std::size_t outs = (2 + n) * n;
  HcMix mix;
  mix.post = step.scratch->take(step.rows * n);
  mix.comb = step.scratch->take(step.rows * n * n);
  const ScratchScope scope(*step.scratch);
  float* m = step.scratch->take(step.rows * outs);
  float* pre = step.scratch->take(step.rows * n);
  linear(step, w.fn, {streams, wide, step.rows}, {m, outs});
  parallel_rows(step, step.rows, [&](std::size_t from, std::size_t to) {
    for (std::size_t r = from; r < to; ++r) {
      const float* x = streams + r * wide;
      ops::hc_split({.m = m + r * outs,
                     .inverse_rms = step.ops.inverse_rms(x, wide, c.rms_norm_eps),
                     .base = w.base,
                     .scale = w.scale,
                     .n = n,
                     .iterations = c.hc_sinkhorn_iters,
                     .hc_eps = c.hc_eps,
                     .pre = pre + r * n,
                     .post = mix.post + r * n,
                     .comb = mix.comb + r * n * n});
      step.ops.hc_collapse(x, pre + r * n, n, dim, mixed + r * dim);
    }
  });
  return mix;
}

void hc_post(const StepContext& step, const HcMix& mix, const float* f, float* streams) {
  const std::size_t n = step.config->hc_mult;
  const std::size_t dim = step.config->hidden_size;
  parallel_rows(step, step.rows, [&](std::size_t from, std::size_t to) {
    for (std::size_t r = from; r < to; ++r) {
      step.ops.hc_expand(streams + r * n * dim, f + r * dim, mix.post + r * n, mix.comb + r * n * n,
                         n, dim);
    }
  });
}

void hc_head(const StepContext& step, const HcWeights& w, const float* streams, std::size_t rows,
             float* mixed) {
  const ModelConfig& c = *step.config;
  const std::size_t n = c.hc_mult;
  const std::size_t dim = c.hidden_size;
  const std::size_t wide = n * dim;
  const ScratchScope scope(*step.scratch);
  float* m = step.scratch->take(rows * n);
  float* pre = step.scratch->take(rows * n);
  linear(step, w.fn, {streams, wide, rows}, {m, n});
  for (std::size_t r = 0; r < rows; ++r) {
    const float* x = streams + r * wide;
    ops::hc_head_split(m + r * n, step.ops.inverse_rms(x, wide, c.rms_norm_eps), w.base, w.scale, n,
                       c.hc_eps, pre + r * n);
    step.ops.hc_collapse(x, pre + r * n, n, dim, mixed + r * dim);
  }
}

}  // namespace ambit::inference
