// Products with the checkpoint's matrices inside a step, and the step's way to use its threads.
#pragma once

#include <cstddef>

#include "inference/model/step.h"

namespace ambit::inference {

// `rows` rows, `stride` floats apart.
struct LinearInput {
  const float* x = nullptr;
  std::size_t stride = 0;
  std::size_t rows = 0;
};
struct LinearOutput {
  float* y = nullptr;
  std::size_t stride = 0;
};

// y = x · wᵀ. In release numerics the input of an FP8 or FP4 matrix is rounded to FP8 in groups of
// 128.
void linear(const StepContext& step, const ops::Matrix& w, LinearInput in, LinearOutput out);

// The same with rows [first, first + count) of w only, the input never rounded (wo_a).
void linear_rows(const StepContext& step, const ops::Matrix& w, std::size_t first,
                 std::size_t count, LinearInput in, LinearOutput out);

// Calls f(from, to) for pieces of [0, n), on the step's threads.
template <class F>
void parallel_rows(const StepContext& step, std::size_t n, const F& f) {
  if (n == 0) return;
  if (n < 4 || step.trace != nullptr) {
    f(std::size_t{0}, n);
    return;
  }
  step.pool->parallel_for(n, f);
}

[[nodiscard]] inline std::size_t worker_count(const StepContext& step) {
  return step.pool->size();
}

// Calls f(i, worker) for every i in [0, n); worker < worker_count() names the thread's scratch.
template <class F>
void parallel_workers(const StepContext& step, std::size_t n, const F& f) {
  if (n < 2 || step.trace != nullptr) {
    for (std::size_t i = 0; i < n; ++i) f(i, std::size_t{0});
    return;
  }
  step.pool->parallel_workers(n, f);
}

}  // namespace ambit::inference
