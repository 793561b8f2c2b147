#include "inference/model/linear.h"

#include <algorithm>

#include "inference/ops/quantize.h"

namespace ambit::inference {

void linear(const StepContext& step, const ops::Matrix& w, LinearInput in, LinearOutput out) {
  if (!step.rounds_inputs() || !w.is_quantised()) {
    linear_rows(step, w, 0, w.rows, in, out);
    return;
  }
  const ScratchScope scope(*step.scratch);
  float* rounded = step.scratch->take(in.rows * w.cols);
  parallel_rows(step, in.rows, [&](std::size_t from, std::size_t to) {
    for (std::size_t r = from; r < to; ++r) {
      std::copy_n(in.x + r * in.stride, w.cols, rounded + r * w.cols);
      ops::round_input_row(rounded + r * w.cols, w.cols);
    }
  });
  linear_rows(step, w, 0, w.rows, {rounded, w.cols, in.rows}, out);
}

void linear_rows(const StepContext& step, const ops::Matrix& w, std::size_t first,
                 std::size_t count, LinearInput in, LinearOutput out) {
  const ops::GemmArgs args{.w = &w,
                           .first = first,
                           .count = count,
                           .x = in.x,
                           .x_stride = in.stride,
                           .n = in.rows,
                           .y = out.y,
                           .y_stride = out.stride};
  if (step.reference_products) {
    ops::gemm_reference(args);
  } else {
    ops::gemm_cpu(args, *step.pool);
  }
}

}  // namespace ambit::inference
