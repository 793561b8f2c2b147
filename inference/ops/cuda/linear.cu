// Products with matrices (linear_tile.cuh). Few tokens: a block of 8 warps owns 16 rows and 8
// tokens, each warp a run of columns, and every weight byte is read once for the 8. Many tokens: a
// warp owns 32 rows and 32 tokens, a block 4 × 2 such tiles; x comes through the first-level cache.
// The matrices of a launch stand one after the other along the grid, so that small ones run beside
// large ones. Shared memory: 4 KiB (few), none (many). Barriers: two a tile (few), none (many).
#include "inference/ops/cuda/linear_tile.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = kParts * kWarp;
constexpr int kFewRows = 16, kFewTokens = 8;
// From here on the tile of many tokens wastes less than the other reads again.
constexpr std::size_t kMany = 24;

struct DenseJobs {
  LinearArgs args;
  int first_block[kMaxJobs + 1];  // along the grid
};

template <bool kManyTile, class Format, int kTerms>
__device__ void tile(const Operand& w, int row, const std::uint16_t* x, const Activation& a,
                     const Tokens& tokens, int first, int last, float* y, std::size_t y_stride,
                     Sums* sums) {
#pragma unroll 1
  for (; first < last; first += kManyTile ? kManyTokens : kFewTokens) {
    if constexpr (kManyTile) {
      many_tile<Format, kTerms>(w, row, x, a.cols, a.plane, tokens, first, y, y_stride);
    } else {
      few_tile<Format, kTerms>(w, row, x, a.cols, a.plane, tokens, first, y, y_stride, *sums);
    }
  }
}

// The tiles of tokens [first, last) with one run of rows of a matrix of any type; x_from: first
// column of x. The loop stands inside of the choice: outside, the compiler keeps what it can
// compute ahead for every type at once, and runs out of registers.
template <bool kManyTile>
__device__ void any_tile(MatrixType type, bool round, const Operand& w, int row,
                         const Activation& x, std::size_t x_from, const Tokens& tokens, int first,
                         int last, float* y, std::size_t y_stride, Sums* sums) {
  if (type == MatrixType::kF32) {
    if constexpr (!kManyTile) {
#pragma unroll 1
      for (; first < last; first += kFewTokens) {
        f32_tile(w, row, x.f32 + x_from, x.cols, tokens, first, y, y_stride);
      }
    }
    return;
  }
  const std::uint16_t* from = (round ? x.rounded : x.split) + x_from;
  if (type == MatrixType::kBf16) {
    tile<kManyTile, Bf16, 3>(w, row, from, x, tokens, first, last, y, y_stride, sums);
  } else if (type == MatrixType::kFp8Block128) {
    if (round) {
      tile<kManyTile, Fp8, 1>(w, row, from, x, tokens, first, last, y, y_stride, sums);
    } else {
      tile<kManyTile, Fp8, 3>(w, row, from, x, tokens, first, last, y, y_stride, sums);
    }
  } else if (round) {
    tile<kManyTile, Fp4, 1>(w, row, from, x, tokens, first, last, y, y_stride, sums);
  } else {
    tile<kManyTile, Fp4, 3>(w, row, from, x, tokens, first, last, y, y_stride, sums);
  }
}

template <bool kManyTile>
__global__ void __launch_bounds__(kThreads) dense_kernel(const DenseJobs jobs) {
  __shared__ Sums sums;
  const int block = static_cast<int>(blockIdx.x);
  int i = 0;
  while (block >= jobs.first_block[i + 1]) ++i;
  const LinearArgs& args = jobs.args;
  const LinearJob& job = args.jobs[i];
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  int row, first;
  if constexpr (kManyTile) {
    row = ((block - jobs.first_block[i]) * 4 + warp % 4) * kManyRows;
    first = (static_cast<int>(blockIdx.y) * 2 + warp / 4) * kManyTokens;
    if (first >= static_cast<int>(args.n) || row >= static_cast<int>(job.w.rows)) return;
  } else {
    row = (block - jobs.first_block[i]) * kFewRows;
    first = static_cast<int>(blockIdx.y) * kFewTokens;
  }
  const Operand w{reinterpret_cast<const std::uint8_t*>(job.w.data), job.w.scales,
                  static_cast<int>(job.w.rows), static_cast<int>(job.w.cols)};
  const std::size_t group =
      static_cast<std::size_t>(row) / (job.w.rows / static_cast<std::size_t>(args.groups));
  any_tile<kManyTile>(job.w.type, job.round, w, row, args.x, group * job.w.cols,
                      {nullptr, 0, static_cast<int>(args.n)}, first, first + 1, job.y, job.y_stride,
                      &sums);
}

// Grid: row tiles of both matrices, slots of active experts; a block goes through its tokens.
template <bool kManyTile>
__global__ void __launch_bounds__(kThreads) expert_kernel(const ExpertLinearArgs a) {
  __shared__ Sums sums;
  const Assignment& of = a.assignment;
  if (static_cast<int>(blockIdx.y) >= *of.n_active) return;
  const int expert = of.active[blockIdx.y];
  constexpr int kBlockRows = kManyTile ? kParts * kManyRows : kFewRows;
  const int tiles = (static_cast<int>(a.w[0].rows) + kBlockRows - 1) / kBlockRows;
  const int which = static_cast<int>(blockIdx.x) / tiles;
  const ExpertMatrices& m = a.w[which];
  const Operand w{reinterpret_cast<const std::uint8_t*>(m.data[expert]),
                  m.scales == nullptr ? nullptr : m.scales[expert], static_cast<int>(m.rows),
                  static_cast<int>(m.cols)};
  int row = static_cast<int>(blockIdx.x) % tiles * kBlockRows;
  if constexpr (kManyTile) row += static_cast<int>(threadIdx.x) / kWarp * kManyRows;
  if (row >= w.rows) return;  // whole warps; no barrier follows in that variant
  const Tokens tokens{a.by_entry ? nullptr : of.row, of.begin[expert],
                      of.begin[expert + 1] - of.begin[expert]};
  any_tile<kManyTile>(m.type, a.round, w, row, a.x, 0, tokens, 0, tokens.count, a.y[which], m.rows,
                      &sums);
}

// Whether the kernels take this matrix with this x.
LaunchError check(MatrixType type, std::size_t rows, std::size_t cols, const Activation& x,
                  bool round) {
  std::size_t step = 0;
  switch (type) {
    case MatrixType::kF32:
      step = 4;
      break;
    case MatrixType::kBf16:
      step = 4 * Bf16::kValues;
      break;
    case MatrixType::kFp8Block128:
      step = 4 * Fp8::kValues;
      break;
    case MatrixType::kFp4Group32:
      step = 4 * Fp4::kValues;
      break;
    default:
      return LaunchError::kUnsupported;
  }
  const bool quantised = type == MatrixType::kFp8Block128 || type == MatrixType::kFp4Group32;
  const void* from = type == MatrixType::kF32 ? static_cast<const void*>(x.f32)
                     : round                  ? x.rounded
                                              : x.split;
  if (cols == 0 || cols % step != 0 || cols > 1U << 24 || rows > 1U << 24 || from == nullptr ||
      !aligned(from) || x.cols % 4 != 0 ||
      (type != MatrixType::kF32 && (x.cols % 8 != 0 || x.plane % 8 != 0)) ||
      (round && !quantised)) {
    return LaunchError::kShape;
  }
  return LaunchError::kNone;
}

// Launches those of the jobs that one of the two tiles serves.
template <bool kManyTile>
LaunchError launch_dense(const LinearArgs& args, Stream stream) {
  DenseJobs jobs{args, {}};
  jobs.args.n_jobs = 0;
  int blocks = 0;
  for (int i = 0; i < args.n_jobs; ++i) {
    const LinearJob& job = args.jobs[i];
    const bool many = args.n >= kMany && job.w.type != MatrixType::kF32;
    if (job.w.rows == 0 || many != kManyTile) continue;
    LinearJob& to = jobs.args.jobs[jobs.args.n_jobs];
    to = job;
    if (to.y_stride == 0) to.y_stride = job.w.rows;
    jobs.first_block[jobs.args.n_jobs++] = blocks;
    const int rows = kManyTile ? 4 * kManyRows : kFewRows;
    blocks += (static_cast<int>(job.w.rows) + rows - 1) / rows;
  }
  jobs.first_block[jobs.args.n_jobs] = blocks;
  if (blocks == 0) return LaunchError::kNone;
  const std::size_t tokens = kManyTile ? 2 * kManyTokens : kFewTokens;
  const dim3 grid(static_cast<unsigned>(blocks),
                  static_cast<unsigned>((args.n + tokens - 1) / tokens));
  dense_kernel<kManyTile><<<grid, kThreads, 0, stream>>>(jobs);
  return launched();
}

}  // namespace

LaunchError linear(const LinearArgs& args, Stream stream) {
  if (args.n_jobs < 0 || args.n_jobs > kMaxJobs || args.groups < 1 || args.n > 65535 * 8ULL) {
    return LaunchError::kShape;
  }
  for (int i = 0; i < args.n_jobs; ++i) {
    const Matrix& w = args.jobs[i].w;
    const LaunchError error = check(w.type, w.rows, w.cols, args.x, args.jobs[i].round);
    if (error != LaunchError::kNone) return error;
    const auto groups = static_cast<std::size_t>(args.groups);
    if (!aligned(w.data) || groups * w.cols > args.x.cols ||
        (groups > 1 && (w.rows % groups != 0 || w.rows / groups % kManyRows != 0))) {
      return LaunchError::kShape;
    }
  }
  if (args.n == 0) return LaunchError::kNone;
  const LaunchError error = launch_dense<false>(args, stream);
  return error != LaunchError::kNone ? error : launch_dense<true>(args, stream);
}

LaunchError expert_linear(const ExpertLinearArgs& a, Stream stream) {
  if (a.n_w < 1 || a.n_w > 2 || (a.n_w == 2 && a.w[0].rows != a.w[1].rows) || a.experts > 65535) {
    return LaunchError::kShape;
  }
  for (int i = 0; i < a.n_w; ++i) {
    const LaunchError error = check(a.w[i].type, a.w[i].rows, a.w[i].cols, a.x, a.round);
    if (error != LaunchError::kNone) return error;
    if (a.w[i].cols > a.x.cols) return LaunchError::kShape;
  }
  if (a.rows == 0) return LaunchError::kNone;
  const std::size_t entries = a.rows * a.k;
  const bool many = entries / a.experts >= kMany / 2 && a.w[0].type != MatrixType::kF32;
  const std::size_t rows = many ? kParts * kManyRows : kFewRows;
  const dim3 grid(
      static_cast<unsigned>((a.w[0].rows + rows - 1) / rows * static_cast<std::size_t>(a.n_w)),
      static_cast<unsigned>(entries < a.experts ? entries : a.experts));
  if (many) {
    expert_kernel<true><<<grid, kThreads, 0, stream>>>(a);
  } else {
    expert_kernel<false><<<grid, kThreads, 0, stream>>>(a);
  }
  return launched();
}

}  // namespace ambit::inference::ops::cuda
