// What the launches of linear.cu and linear_many.cu share: which tile serves which matrix, and the
// matrices of a launch, which stand one after the other along the grid.
#pragma once

#include "inference/ops/cuda/linear_tile.cuh"

namespace ambit::inference::ops::cuda {

// Rows of a step from which on the tile of many tokens wastes less than the other reads again.
inline constexpr std::size_t kMany = 24;

struct DenseJobs {
  LinearArgs args;
  int first_block[kMaxJobs + 1];  // along the grid
};

// The job that a block is about.
__device__ inline int job_of(const DenseJobs& jobs, int block) {
  int i = 0;
  while (block >= jobs.first_block[i + 1]) ++i;
  return i;
}
__device__ inline Operand operand_of(const LinearJob& job) {
  return {reinterpret_cast<const std::uint8_t*>(job.w.data), job.w.scales,
          static_cast<int>(job.w.rows), static_cast<int>(job.w.cols)};
}
// The first column of x that a row of a matrix reads.
__device__ inline std::size_t x_from(int groups, const Operand& w, int row) {
  return groups == 1
             ? 0
             : static_cast<std::size_t>(row / (w.rows / groups)) * static_cast<std::size_t>(w.cols);
}
// Expert `expert`'s matrix `which`.
__device__ inline Operand operand_of(const ExpertMatrices& m, int expert) {
  return {reinterpret_cast<const std::uint8_t*>(m.data[expert]),
          m.scales == nullptr ? nullptr : m.scales[expert], static_cast<int>(m.rows),
          static_cast<int>(m.cols)};
}
__device__ inline Tokens tokens_of(const ExpertLinearArgs& a, int expert) {
  const Assignment& of = a.assignment;
  return {a.by_entry ? nullptr : of.row, of.begin[expert], of.begin[expert + 1] - of.begin[expert]};
}

// linear_many.cu: whether its tile serves a matrix, and its launches.
bool many_serves(MatrixType type, bool round, std::size_t rows);
LaunchError launch_many(const DenseJobs& jobs, Stream stream);
LaunchError launch_many(const ExpertLinearArgs& args, Stream stream);
inline constexpr int kManyRowsOfBlock = 128;

}  // namespace ambit::inference::ops::cuda
