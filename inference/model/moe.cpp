#include "inference/model/moe.h"

#include <algorithm>

#include "inference/ops/route.h"

namespace ambit::inference {
namespace {

// Which rows each expert computes: entries [begin[e], begin[e + 1]) of `rows`, ascending.
struct Assignment {
  std::size_t* begin = nullptr;     // [experts + 1]
  std::int32_t* row = nullptr;      // [rows · k]
  float* weight = nullptr;          // [rows · k]
  std::int32_t* entries = nullptr;  // [rows, k]: a row's entries, in ascending order of experts
};

Assignment assign(const StepContext& step, const MoeWeights& w, std::size_t layer, const float* x) {
  const ModelConfig& c = *step.config;
  const std::size_t experts = c.n_routed_experts;
  const std::size_t k = c.num_experts_per_tok;
  Assignment a;
  a.begin = step.scratch->take<std::size_t>(experts + 1);
  a.row = step.scratch->take<std::int32_t>(step.rows * k);
  a.weight = step.scratch->take(step.rows * k);
  a.entries = step.scratch->take<std::int32_t>(step.rows * k);

  const ScratchScope scope(*step.scratch);
  float* logits = step.scratch->take(step.rows * experts);
  float* scores = step.scratch->take(experts);
  auto* ids = step.scratch->take<std::int32_t>(step.rows * k);
  float* weights = step.scratch->take(step.rows * k);
  linear(step, w.gate, {x, c.hidden_size, step.rows}, {logits, experts});
  std::fill_n(a.begin, experts + 1, 0);
  for (std::size_t r = 0; r < step.rows; ++r) {
    ops::route({.logits = logits + r * experts,
                .bias = w.bias,
                .fixed = w.experts_of_token == nullptr
                             ? nullptr
                             : w.experts_of_token + static_cast<std::size_t>(step.ids[r]) * k,
                .experts = experts,
                .k = k,
                .route_scale = c.routed_scaling_factor,
                .ids = ids + r * k,
                .weights = weights + r * k,
                .scratch = scores});
    for (std::size_t i = 0; i < k; ++i) ++a.begin[ids[r * k + i] + 1];
  }
  step.note("router_logits", layer, logits, step.rows, experts);
  step.note("router_weights", layer, weights, step.rows, k);
  for (std::size_t e = 0; e < experts; ++e) a.begin[e + 1] += a.begin[e];
  auto* next = step.scratch->take<std::size_t>(experts);
  std::copy_n(a.begin, experts, next);
  for (std::size_t r = 0; r < step.rows; ++r) {
    for (std::size_t i = 0; i < k; ++i) {
      const std::size_t entry = next[ids[r * k + i]]++;
      a.row[entry] = static_cast<std::int32_t>(r);
      a.weight[entry] = weights[r * k + i];
      a.entries[r * k + i] = static_cast<std::int32_t>(entry);
    }
    // Entries are numbered by expert, so ascending entries are ascending experts.
    std::sort(a.entries + r * k, a.entries + (r + 1) * k);
  }
  return a;
}

}  // namespace

void run_expert(const StepContext& step, const ExpertWeights& w, LinearInput in,
                const float* weights, float* out) {
  const ModelConfig& c = *step.config;
  const std::size_t inner = c.moe_intermediate_size;
  const ScratchScope scope(*step.scratch);
  float* gate = step.scratch->take(in.rows * inner);
  float* up = step.scratch->take(in.rows * inner);
  linear(step, w.w1, in, {gate, inner});
  linear(step, w.w3, in, {up, inner});
  for (std::size_t r = 0; r < in.rows; ++r) {
    step.ops.swiglu(gate + r * inner, up + r * inner, inner, c.swiglu_limit,
                    weights == nullptr ? 1.0F : weights[r], gate + r * inner);
  }
  linear(step, w.w2, {gate, inner, in.rows}, {out, c.hidden_size});
}

void moe(const StepContext& step, const MoeWeights& w, std::size_t layer, const float* x,
         float* out) {
  const ModelConfig& c = *step.config;
  const std::size_t dim = c.hidden_size;
  const std::size_t k = c.num_experts_per_tok;
  const ScratchScope scope(*step.scratch);
  const Assignment a = assign(step, w, layer, x);
  float* shared = step.scratch->take(step.rows * dim);
  run_expert(step, w.shared, {x, dim, step.rows}, nullptr, shared);
  step.note("shared_out", layer, shared, step.rows, dim);

  float* inputs = step.rows == 1 ? nullptr : step.scratch->take(step.rows * k * dim);
  float* outputs = step.scratch->take(step.rows * k * dim);
  if (inputs != nullptr) {
    for (std::size_t i = 0; i < step.rows * k; ++i) {
      std::copy_n(x + static_cast<std::size_t>(a.row[i]) * dim, dim, inputs + i * dim);
    }
  }
  for (std::size_t e = 0; e < c.n_routed_experts; ++e) {
    const std::size_t from = a.begin[e];
    const std::size_t n = a.begin[e + 1] - from;
    if (n == 0) continue;
    const float* in = inputs == nullptr ? x : inputs + from * dim;
    // A lone row that a hash table sends to one expert twice is two entries with one input.
    const std::size_t stride = inputs == nullptr ? 0 : dim;
    run_expert(step, w.experts[e], {in, stride, n}, a.weight + from, outputs + from * dim);
  }
  parallel_rows(step, step.rows, [&](std::size_t first, std::size_t last) {
    for (std::size_t r = first; r < last; ++r) {
      float* y = out + r * dim;
      const std::int32_t* entries = a.entries + r * k;
      std::copy_n(outputs + static_cast<std::size_t>(entries[0]) * dim, dim, y);
      for (std::size_t i = 1; i < k; ++i) {
        const float* add = outputs + static_cast<std::size_t>(entries[i]) * dim;
        for (std::size_t d = 0; d < dim; ++d) y[d] += add[d];
      }
      for (std::size_t d = 0; d < dim; ++d) y[d] += shared[r * dim + d];
    }
  });
}

}  // namespace ambit::inference
