// Products with matrices where a step has many rows (linear_many.cuh). Grid: tokens, then runs of
// 128 weight rows, so that blocks that run at once share weights and x in the cache. Shared memory:
// 49 KiB, two blocks a multiprocessor. Barriers: one a step of columns.
#include <algorithm>

#include "inference/ops/cuda/linear_jobs.cuh"
#include "inference/ops/cuda/linear_many.cuh"

namespace ambit::inference::ops::cuda {

namespace {

static_assert(kManyRows == kManyRowsOfBlock);
constexpr int kGroups = 8;  // of 8 tokens, in a tile
template <int N>
using Groups = std::integral_constant<int, N>;

// Exact fp32 x, which plain numerics alone have, leaves room for half as many tokens.
template <class Again>
__device__ void any_tile(MatrixType type, bool round, const Activation& x, std::size_t from,
                         int first, std::size_t y_stride, std::uint8_t* shared,
                         const Again& again) {
  const ManyBlock b = again();
  const std::uint16_t* at = (round ? x.rounded : x.split) + from;
  const auto tile = [&](auto format, auto terms, auto groups, int begin) {
    many_tile<decltype(format), decltype(terms)::value, decltype(groups)::value>(
        b, at, x.cols, x.plane, begin, y_stride, shared, again);
  };
  if (type == MatrixType::kBf16) {
    if (x.terms == 2) {
      tile(Bf16{}, Terms<2>{}, Groups<kGroups>{}, first);
    } else {
      tile(Bf16{}, Terms<3>{}, Groups<kGroups>{}, first);
    }
  } else if (round) {
    tile(Fp8{}, Terms<1>{}, Groups<kGroups>{}, first);
  } else if (x.terms == 2) {
    tile(Fp8{}, Terms<2>{}, Groups<kGroups>{}, first);
  } else {
#pragma unroll 1
    for (int half = 0; half < 2; ++half) {
      tile(Fp8{}, Terms<3>{}, Groups<kGroups / 2>{}, first + half * 4 * kGroups);
    }
  }
}

__global__ void __launch_bounds__(kManyThreads, kManyBlocks)
    dense_many_kernel(const DenseJobs jobs) {
  extern __shared__ uint4 shared[];
  await_before();
  const int block = static_cast<int>(blockIdx.y), i = job_of(jobs, block);
  const LinearArgs& args = jobs.args;
  const LinearJob& job = args.jobs[i];
  const int row = (block - jobs.first_block[i]) * kManyRows;
  const auto again = [&] {
    return ManyBlock{operand_of(job), row, {nullptr, 0, static_cast<int>(args.n)}, job.y};
  };
  any_tile(job.w.type, job.round, args.x, x_from(args.groups, operand_of(job), row),
           static_cast<int>(blockIdx.x) * 8 * kGroups, job.y_stride,
           reinterpret_cast<std::uint8_t*>(shared), again);
}

// Of experts: grid of runs of rows of both matrices, and slots of active experts.
__device__ ManyBlock block_of(const ExpertLinearArgs& a) {
  const int expert = a.assignment.active[blockIdx.y];
  const int tiles = (static_cast<int>(a.w[0].rows) + kManyRows - 1) / kManyRows;
  const int which = static_cast<int>(blockIdx.x) / tiles;
  return {operand_of(which == 0 ? a.w[0] : a.w[1], expert),
          static_cast<int>(blockIdx.x) % tiles * kManyRows, tokens_of(a, expert),
          which == 0 ? a.y[0] : a.y[1]};
}

__global__ void __launch_bounds__(kManyThreads, kManyBlocks)
    expert_many_kernel(const ExpertLinearArgs a) {
  extern __shared__ uint4 shared[];
  await_before();
  if (static_cast<int>(blockIdx.y) >= *a.assignment.n_active) return;
#pragma unroll 1
  for (int first = 0; first < block_of(a).tokens.count; first += 8 * kGroups) {
    any_tile(a.w[0].type, a.round, a.x, 0, first, a.w[0].rows,
             reinterpret_cast<std::uint8_t*>(shared), [&] { return block_of(a); });
  }
}

// FP4, 16 to 64 tokens at a time: experts have few, and what a tile has too many of is multiplied
// in vain.
__global__ void __launch_bounds__(kManyThreads, kManyBlocks)
    fp4_expert_many_kernel(const ExpertLinearArgs a) {
  extern __shared__ uint4 shared[];
  await_before();
  if (static_cast<int>(blockIdx.y) >= *a.assignment.n_active) return;
  auto* bytes = reinterpret_cast<std::uint8_t*>(shared);
  const auto again = [&] { return block_of(a); };
#pragma unroll 1
  for (int first = 0; first < block_of(a).tokens.count;) {
    const ManyBlock b = block_of(a);
    const int left = b.tokens.count - first;
    const auto tile = [&](auto groups) {
      constexpr int kN = decltype(groups)::value;
      many_tile<Fp4, 1, kN>(b, a.x.rounded, a.x.cols, 0, first, a.w[0].rows, bytes, again);
      first += 8 * kN;
    };
    if (left > 48) {
      tile(Groups<8>{});
    } else if (left > 32) {
      tile(Groups<6>{});
    } else if (left > 16) {
      tile(Groups<4>{});
    } else {
      tile(Groups<2>{});
    }
  }
}

template <class Kernel, class Args>
LaunchError launch_wide(Kernel kernel, dim3 grid, Stream stream, const Args& args) {
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(kManyBytes)) != cudaSuccess) {
    return LaunchError::kUnsupported;
  }
  return launch(kernel, grid, kManyThreads, kManyBytes, stream, args);
}

}  // namespace

// fp32 x with FP4 weights, which plain numerics alone have, would need 130 KiB.
bool many_serves(MatrixType type, bool round, std::size_t rows) {
  return rows % kManyStep == 0 && (type == MatrixType::kBf16 || type == MatrixType::kFp8Block128 ||
                                   (type == MatrixType::kFp4Group32 && round));
}

LaunchError launch_many(const DenseJobs& jobs, Stream stream) {
  constexpr std::size_t kTokens = 8 * kGroups;
  return launch_wide(dense_many_kernel,
                     dim3(static_cast<unsigned>((jobs.args.n + kTokens - 1) / kTokens),
                          static_cast<unsigned>(jobs.first_block[jobs.args.n_jobs])),
                     stream, jobs);
}

LaunchError launch_many(const ExpertLinearArgs& a, Stream stream) {
  const std::size_t tiles = (a.w[0].rows + kManyRows - 1) / kManyRows;
  return launch_wide(
      a.w[0].type == MatrixType::kFp4Group32 ? fp4_expert_many_kernel : expert_many_kernel,
      dim3(static_cast<unsigned>(tiles * static_cast<std::size_t>(a.n_w)),
           static_cast<unsigned>(std::min(a.rows * a.k, a.experts))),
      stream, a);
}

}  // namespace ambit::inference::ops::cuda
