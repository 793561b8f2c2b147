// Products with matrices. Few rows of a step (linear_few.cuh): a block of 8 warps owns 16 to 128
// rows and 8 tokens, a warp a run of columns of 16 rows, and every weight byte is read once for the
// 8. Many: linear_many.cu. fp32 matrices: 16 rows and 8 tokens a block. The matrices of a launch
// stand one after the other along the grid, so that small ones run beside large ones. Shared
// memory: 4 KiB. Barriers: two a tile.
#include <algorithm>

#include "inference/ops/cuda/linear_few.cuh"
#include "inference/ops/cuda/linear_jobs.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kF32Rows = 16;

__host__ __device__ int step_of(MatrixType type) {
  return type == MatrixType::kBf16          ? 4 * Bf16::kValues
         : type == MatrixType::kFp8Block128 ? 4 * Fp8::kValues
                                            : 4 * Fp4::kValues;
}
// Rows of a tile of few tokens.
__host__ __device__ int item_rows(MatrixType type, int cols) {
  return type == MatrixType::kF32 ? kF32Rows : 16 * kFewWarps / parts_of(cols / step_of(type));
}
__host__ __device__ int tiles_of(int rows, int each) {
  return (rows + each - 1) / each;
}

// Tiles of few tokens: those that start in [first, last), for one run of rows. The loop stands
// inside of the choice of a type: outside, the compiler keeps what it can compute ahead for every
// type at once, and runs out of registers.
__device__ void any_few(MatrixType type, bool round, const Operand& w, int row, const Activation& x,
                        std::size_t from, const Tokens& tokens, int first, int last, float* y,
                        std::size_t y_stride, Sums& sums) {
  const auto tiles = [&](auto format, auto terms) {
#pragma unroll 1
    for (int at = first; at < last; at += kFewTokens) {
      few_tile<decltype(format), decltype(terms)::value>(
          w, row, (round ? x.rounded : x.split) + from, x.cols, x.plane, tokens, at, y, y_stride,
          sums);
    }
  };
  if (type == MatrixType::kBf16) {
    if (x.terms == 2) {
      tiles(Bf16{}, Terms<2>{});
    } else {
      tiles(Bf16{}, Terms<3>{});
    }
  } else if (type == MatrixType::kFp8Block128) {
    if (round) {
      tiles(Fp8{}, Terms<1>{});
    } else if (x.terms == 2) {
      tiles(Fp8{}, Terms<2>{});
    } else {
      tiles(Fp8{}, Terms<3>{});
    }
  } else if (round) {
    tiles(Fp4{}, Terms<1>{});
  } else {  // plain numerics alone
    tiles(Fp4{}, Terms<3>{});
  }
}

// fp32 matrices, kF32Rows rows a block.
__global__ void __launch_bounds__(kFewThreads) dense_f32_kernel(const DenseJobs jobs) {
  await_before();
  const int block = static_cast<int>(blockIdx.x), i = job_of(jobs, block);
  const LinearArgs& args = jobs.args;
  const LinearJob& job = args.jobs[i];
  const Operand w = operand_of(job);
  const int row = (block - jobs.first_block[i]) * kF32Rows;
  f32_tile(w, row, args.x.f32 + x_from(args.groups, w, row), args.x.cols,
           {nullptr, 0, static_cast<int>(args.n)}, static_cast<int>(blockIdx.y) * kFewTokens, job.y,
           job.y_stride);
}

// Tile `tile` of a matrix that all rows are multiplied with.
__device__ void dense_few(const LinearJob& job, const Activation& x, std::size_t n, int groups,
                          int tile, int first, Sums& sums) {
  const Operand w = operand_of(job);
  const int row = tile * item_rows(job.w.type, w.cols);
  any_few(job.w.type, job.round, w, row, x, x_from(groups, w, row),
          {nullptr, 0, static_cast<int>(n)}, first, first + 1, job.y, job.y_stride, sums);
}

__global__ void __launch_bounds__(kFewThreads, kFewBlocks) dense_few_kernel(const DenseJobs jobs) {
  __shared__ Sums sums;
  const int block = static_cast<int>(blockIdx.x), i = job_of(jobs, block);
  const LinearArgs& args = jobs.args;
  dense_few(args.jobs[i], args.x, args.n, args.groups, block - jobs.first_block[i],
            static_cast<int>(blockIdx.y) * kFewTokens, sums);
}

// Blocks: the tiles of the matrix beside, then those of each active expert's matrices.
struct ExpertJobs {
  ExpertLinearArgs args;
  int beside;  // tiles
};
__global__ void __launch_bounds__(kFewThreads, kFewBlocks)
    expert_few_kernel(const ExpertJobs jobs) {
  __shared__ Sums sums;
  const ExpertLinearArgs& a = jobs.args;
  int tile = static_cast<int>(blockIdx.x) - jobs.beside;
  if (tile < 0) {
    dense_few(a.beside, a.beside_x, a.rows, 1, tile + jobs.beside, 0, sums);
    return;
  }
  await_before();
  const MatrixType type = a.w[0].type;
  const int rows = item_rows(type, static_cast<int>(a.w[0].cols));
  const int each = tiles_of(static_cast<int>(a.w[0].rows), rows);
  const int slot = tile / (each * a.n_w);
  // Both loads at once: what stands behind the last active expert is not used.
  const int active = *a.assignment.n_active, expert = a.assignment.active[slot];
  if (slot >= active) return;
  tile -= slot * each * a.n_w;
  const int which = tile / each;
  const Tokens tokens = tokens_of(a, expert);
  any_few(type, a.round, operand_of(which == 0 ? a.w[0] : a.w[1], expert), tile % each * rows, a.x,
          0, tokens, 0, tokens.count, which == 0 ? a.y[0] : a.y[1], a.w[0].rows, sums);
}

__global__ void __launch_bounds__(kFewThreads) expert_f32_kernel(const ExpertLinearArgs a) {
  await_before();
  if (static_cast<int>(blockIdx.y) >= *a.assignment.n_active) return;
  const int expert = a.assignment.active[blockIdx.y];
  const int tiles = tiles_of(static_cast<int>(a.w[0].rows), kF32Rows);
  const int which = static_cast<int>(blockIdx.x) / tiles;
  const Operand w = operand_of(which == 0 ? a.w[0] : a.w[1], expert);
  const Tokens tokens = tokens_of(a, expert);
#pragma unroll 1
  for (int first = 0; first < tokens.count; first += kFewTokens) {
    f32_tile(w, static_cast<int>(blockIdx.x) % tiles * kF32Rows, a.x.f32, a.x.cols, tokens, first,
             which == 0 ? a.y[0] : a.y[1], a.w[0].rows);
  }
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
  if (cols == 0 || cols % step != 0 || cols > 1U << 22 || rows > 1U << 24 || from == nullptr ||
      !aligned(from) || x.cols % 4 != 0 ||
      (type != MatrixType::kF32 && (x.cols % 8 != 0 || x.plane % 8 != 0)) ||
      (round && !quantised)) {
    return LaunchError::kShape;
  }
  if (type != MatrixType::kF32 && !round && x.terms != 3 &&
      (x.terms != 2 || type == MatrixType::kFp4Group32)) {
    return LaunchError::kUnsupported;
  }
  return LaunchError::kNone;
}

enum class Tile : std::uint8_t { kF32, kFew, kMany };

Tile tile_of(const LinearArgs& args, const LinearJob& job) {
  if (job.w.type == MatrixType::kF32) return Tile::kF32;
  const std::size_t group = job.w.rows / static_cast<std::size_t>(args.groups);
  const bool many = args.n >= kMany && job.w.type != MatrixType::kFp4Group32 &&
                    many_serves(job.w.type, job.round, job.w.rows) &&
                    (args.groups == 1 || group % kManyRowsOfBlock == 0);
  return many ? Tile::kMany : Tile::kFew;
}

// Launches those of the jobs that this tile serves.
LaunchError launch_dense(const LinearArgs& args, Tile tile, Stream stream) {
  DenseJobs jobs{args, {}};
  jobs.args.n_jobs = 0;
  int blocks = 0;
  for (int i = 0; i < args.n_jobs; ++i) {
    const LinearJob& job = args.jobs[i];
    if (job.w.rows == 0 || tile_of(args, job) != tile) continue;
    LinearJob& to = jobs.args.jobs[jobs.args.n_jobs++];
    to = job;
    if (to.y_stride == 0) to.y_stride = job.w.rows;
  }
  if (jobs.args.n_jobs == 0) return LaunchError::kNone;
  for (int i = 0; i < jobs.args.n_jobs; ++i) {
    const Matrix& w = jobs.args.jobs[i].w;
    jobs.first_block[i] = blocks;
    blocks += tiles_of(static_cast<int>(w.rows), tile == Tile::kMany
                                                     ? kManyRowsOfBlock
                                                     : item_rows(w.type, static_cast<int>(w.cols)));
  }
  jobs.first_block[jobs.args.n_jobs] = blocks;
  if (tile == Tile::kMany) return launch_many(jobs, stream);
  const dim3 grid(static_cast<unsigned>(jobs.first_block[jobs.args.n_jobs]),
                  static_cast<unsigned>((args.n + kFewTokens - 1) / kFewTokens));
  return launch(tile == Tile::kF32 ? dense_f32_kernel : dense_few_kernel, grid, kFewThreads, 0,
                stream, jobs);
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
        (groups > 1 && (w.rows % groups != 0 || w.rows / groups % kF32Rows != 0))) {
      return LaunchError::kShape;
    }
  }
  if (args.n == 0) return LaunchError::kNone;
  for (const Tile tile : {Tile::kF32, Tile::kFew, Tile::kMany}) {
    if (const auto error = launch_dense(args, tile, stream); error != LaunchError::kNone)
      return error;
  }
  return LaunchError::kNone;
}

LaunchError expert_linear(const ExpertLinearArgs& a, Stream stream) {
  if (a.n_w < 1 || a.n_w > 2 ||
      (a.n_w == 2 &&
       (a.w[0].rows != a.w[1].rows || a.w[0].cols != a.w[1].cols || a.w[0].type != a.w[1].type)) ||
      a.experts > 65535) {
    return LaunchError::kShape;
  }
  for (int i = 0; i < a.n_w; ++i) {
    const LaunchError error = check(a.w[i].type, a.w[i].rows, a.w[i].cols, a.x, a.round);
    if (error != LaunchError::kNone) return error;
    if (a.w[i].cols > a.x.cols) return LaunchError::kShape;
  }
  if (a.rows == 0) return LaunchError::kNone;
  const std::size_t entries = a.rows * a.k;
  const MatrixType type = a.w[0].type;
  const bool many = entries / a.experts >= kMany / 2 && many_serves(type, a.round, a.w[0].rows);
  // The matrix beside: in the same launch where a tile has all rows.
  ExpertJobs jobs{a, 0};
  LinearJob& beside = jobs.args.beside;
  if (beside.w.rows != 0) {
    if (many || type == MatrixType::kF32 || beside.w.type == MatrixType::kF32 ||
        a.rows > static_cast<std::size_t>(kFewTokens)) {
      LinearArgs alone;
      alone.jobs[0] = beside;
      alone.n_jobs = 1;
      alone.x = a.beside_x;
      alone.n = a.rows;
      const LaunchError error = linear(alone, stream);
      if (error != LaunchError::kNone) return error;
    } else {
      const LaunchError error =
          check(beside.w.type, beside.w.rows, beside.w.cols, a.beside_x, beside.round);
      if (error != LaunchError::kNone) return error;
      if (beside.w.cols > a.beside_x.cols) return LaunchError::kShape;
      if (beside.y_stride == 0) beside.y_stride = beside.w.rows;
      jobs.beside = tiles_of(static_cast<int>(beside.w.rows),
                             item_rows(beside.w.type, static_cast<int>(beside.w.cols)));
    }
  }
  if (many) return launch_many(a, stream);
  const auto active = static_cast<int>(std::min(entries, a.experts));
  const int tiles =
      tiles_of(static_cast<int>(a.w[0].rows), item_rows(type, static_cast<int>(a.w[0].cols))) *
      a.n_w;
  if (type == MatrixType::kF32) {
    return launch(expert_f32_kernel,
                  dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(active)), kFewThreads, 0,
                  stream, a);
  }
  return launch(expert_few_kernel, dim3(static_cast<unsigned>(jobs.beside + tiles * active)),
                kFewThreads, 0, stream, jobs);
}

}  // namespace ambit::inference::ops::cuda
