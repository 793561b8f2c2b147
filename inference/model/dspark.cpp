#include "inference/model/dspark.h"

#include <algorithm>
#include <cmath>

#include "inference/model/attention.h"
#include "inference/model/block.h"
#include "inference/model/head.h"
#include "inference/model/hyper_connections.h"
#include "inference/model/linear.h"

namespace ambit::inference {

void tap(const StepContext& step, std::size_t layer, const float* streams, float* taps) {
  const ModelConfig& c = *step.config;
  const std::size_t dim = c.hidden_size;
  const std::size_t n = c.hc_mult;
  const auto& layers = c.dspark_target_layer_ids;
  for (std::size_t t = 0; t < layers.size(); ++t) {
    if (static_cast<std::size_t>(layers[t]) != layer) continue;
    for (std::size_t r = 0; r < step.rows; ++r) {
      const float* x = streams + r * n * dim;
      float* to = taps + (r * layers.size() + t) * dim;
      for (std::size_t i = 0; i < dim; ++i) {
        float sum = 0;
        for (std::size_t j = 0; j < n; ++j) sum += x[j * dim + i];
        to[i] = sum / static_cast<float>(n);
      }
    }
  }
}

void dspark_rows(const StepContext& step, const DsparkWeights& w, std::size_t first_layer,
                 const float* taps) {
  const std::size_t dim = step.config->hidden_size;
  const ScratchScope scope(*step.scratch);
  float* x = step.scratch->take(step.rows * dim);
  linear(step, w.main_proj, {taps, w.main_proj.cols, step.rows}, {x, dim});
  step.ops.rms_norm({.x = x,
                     .x_stride = dim,
                     .weight = w.main_norm,
                     .out = x,
                     .out_stride = dim,
                     .rows = step.rows,
                     .dim = dim,
                     .eps = step.config->rms_norm_eps});
  for (std::size_t s = 0; s < w.stages.size(); ++s) {
    write_window(step, w.stages[s].attn, first_layer + s, x, step.rope_main);
  }
}

void dspark_draft(const StepContext& step, const DsparkWeights& w, std::size_t first_layer,
                  const ops::Matrix& vocabulary, float* streams, std::size_t most,
                  float least_confidence, std::vector<TokenId>& out) {
  const ModelConfig& c = *step.config;
  const std::size_t dim = c.hidden_size;
  const auto vocab = static_cast<std::size_t>(c.vocab_size);
  const std::size_t rank = c.dspark_markov_rank;
  const ScratchScope scope(*step.scratch);
  for (std::size_t s = 0; s < w.stages.size(); ++s) {
    block(step, w.stages[s], first_layer + s, streams);
  }
  float* x = step.scratch->take(step.rows * dim);
  float* logits = step.scratch->take(step.rows * vocab);
  hc_head(step, w.hc_head, streams, step.rows, x);
  head_of_mixed(step, w.norm, vocabulary, x, step.rows, logits);

  float* before = step.scratch->take(rank);
  float* added = step.scratch->take(vocab);
  TokenId token = step.ids[0];
  float sure = 1;
  for (std::size_t i = 0; i < std::min(most, step.rows); ++i) {
    ops::unpack_row(w.markov_in, static_cast<std::size_t>(token), before);
    float sum = 0;
    for (std::size_t k = 0; k < dim; ++k) sum += w.confidence[k] * x[i * dim + k];
    for (std::size_t k = 0; k < rank; ++k) sum += w.confidence[dim + k] * before[k];
    const float confidence = 1 / (1 + std::exp(-sum));
    step.note("draft_confidence", i, &confidence, 1, 1);
    sure *= confidence;
    if (sure < least_confidence) return;
    linear(step, w.markov_out, {before, rank, 1}, {added, vocab});
    float* row = logits + i * vocab;
    for (std::size_t v = 0; v < vocab; ++v) row[v] += added[v];
    step.note("draft_logits", i, row, 1, vocab);
    token = static_cast<TokenId>(std::max_element(row, row + vocab) - row);
    out.push_back(token);
  }
}

}  // namespace ambit::inference
