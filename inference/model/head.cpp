#include "inference/model/head.h"

#include "inference/model/hyper_connections.h"
#include "inference/model/linear.h"

namespace ambit::inference {

void head(const StepContext& step, const HcWeights& hc, const float* norm,
          const ops::Matrix& vocabulary, const float* streams, std::size_t rows, float* logits) {
  const std::size_t dim = step.config->hidden_size;
  const ScratchScope scope(*step.scratch);
  float* mixed = step.scratch->take(rows * dim);
  hc_head(step, hc, streams, rows, mixed);
  step.note("head_mixed", 0, mixed, rows, dim);
  head_of_mixed(step, norm, vocabulary, mixed, rows, logits);
}

void head_of_mixed(const StepContext& step, const float* norm, const ops::Matrix& vocabulary,
                   const float* mixed, std::size_t rows, float* logits) {
  const ModelConfig& c = *step.config;
  const std::size_t dim = c.hidden_size;
  const ScratchScope scope(*step.scratch);
  float* x = step.scratch->take(rows * dim);
  step.ops.rms_norm({.x = mixed,
                     .x_stride = dim,
                     .weight = norm,
                     .out = x,
                     .out_stride = dim,
                     .rows = rows,
                     .dim = dim,
                     .eps = c.rms_norm_eps});
  step.note("final_norm", 0, x, rows, dim);
  linear(step, vocabulary, {x, dim, rows}, {logits, static_cast<std::size_t>(c.vocab_size)});
}

}  // namespace ambit::inference
