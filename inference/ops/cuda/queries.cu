// Queries after their products: each head normed without a weight and rotated; the indexer's heads
// rotated, transformed and rounded, their weights scaled. A warp owns a head, in registers: no
// shared memory, no barrier. Each value is read and written once, 16 bytes a lane.
#include "inference/ops/cuda/row.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;

__global__ void __launch_bounds__(kThreads) queries_kernel(const QueriesArgs a) {
  await_before();
  const std::size_t row = blockIdx.x;
  int head = static_cast<int>(blockIdx.y * kWarps + threadIdx.x / kWarp);
  if (head < a.heads) {
    float* q = a.q + (row * static_cast<std::size_t>(a.heads) + static_cast<std::size_t>(head)) *
                         static_cast<std::size_t>(a.head_dim);
    WarpRow<kMaxHeadDim / 128> r;
    r.load(q, a.head_dim);
    r.norm(nullptr, a.eps);
    r.rope(a.rope, row);
    r.store(q);
    return;
  }
  head -= a.heads;
  if (a.index_q == nullptr || head >= a.index_heads) return;
  const std::size_t at =
      row * static_cast<std::size_t>(a.index_heads) + static_cast<std::size_t>(head);
  WarpRow<1> r;
  r.load(a.index_q + at * static_cast<std::size_t>(a.index_dim), a.index_dim);
  r.rope(a.rope, row);
  if (a.round) r.round_index();
  r.store(a.index_q + at * static_cast<std::size_t>(a.index_dim));
  if (r.lane() == 0) a.index_weights[at] *= a.index_scale;
}

}  // namespace

LaunchError queries(const QueriesArgs& a, Stream stream) {
  const int index = a.index_q == nullptr ? 0 : a.index_heads;
  if (a.head_dim % 4 != 0 || a.head_dim > kMaxHeadDim || a.index_dim % 4 != 0 ||
      a.index_dim > kMaxIndexDim || a.rope.half % 2 != 0 || a.step.rows > 0x7FFFFFFFU) {
    return LaunchError::kShape;
  }
  if (a.step.rows == 0) return LaunchError::kNone;
  const dim3 grid(static_cast<unsigned>(a.step.rows),
                  static_cast<unsigned>((a.heads + index + kWarps - 1) / kWarps));
  return launch(queries_kernel, grid, kThreads, 0, stream, a);
}

}  // namespace ambit::inference::ops::cuda
