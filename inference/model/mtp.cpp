#include "inference/model/mtp.h"

#include "inference/model/block.h"
#include "inference/model/linear.h"

namespace ambit::inference {

void mtp_block(const StepContext& step, const MtpWeights& w, std::size_t layer,
               const float* embedded, float* streams) {
  const ModelConfig& c = *step.config;
  const std::size_t dim = c.hidden_size;
  const std::size_t n = c.hc_mult;
  {
    const ScratchScope scope(*step.scratch);
    float* e = step.scratch->take(step.rows * dim);
    float* from_e = step.scratch->take(step.rows * dim);
    float* h = step.scratch->take(step.rows * n * dim);
    const auto norm = [&](const float* x, const float* weight, std::size_t rows, float* out) {
      step.ops.rms_norm({.x = x,
                         .x_stride = dim,
                         .weight = weight,
                         .out = out,
                         .out_stride = dim,
                         .rows = rows,
                         .dim = dim,
                         .eps = c.rms_norm_eps});
    };
    norm(embedded, w.enorm, step.rows, e);
    norm(streams, w.hnorm, step.rows * n, h);
    linear(step, w.e_proj, {e, dim, step.rows}, {from_e, dim});
    linear(step, w.h_proj, {h, dim, step.rows * n}, {streams, dim});
    for (std::size_t r = 0; r < step.rows; ++r) {
      for (std::size_t j = 0; j < n; ++j) {
        float* x = streams + (r * n + j) * dim;
        for (std::size_t i = 0; i < dim; ++i) x[i] += from_e[r * dim + i];
      }
    }
  }
  block(step, w.block, layer, streams);
}

}  // namespace ambit::inference
