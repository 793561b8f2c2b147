// Products with matrices (linear_tile.cuh). Few tokens: a block of 8 warps owns 16 to 128 rows and
// 8 tokens, a warp a run of columns of 16 rows, and every weight byte is read once for the 8. Many
// tokens: a block owns 256 rows and 48 tokens (40 of an expert), and weights and x pass through
// shared memory. The matrices of a launch stand one after the other along the grid, so that small
// ones run beside large ones. Shared memory: 4 KiB (few), 72 to 97 KiB (many: one block a
// multiprocessor). Barriers: two a tile (few), one a step of columns (many).
#include <algorithm>

#include "inference/ops/cuda/linear_tile.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kFewThreads = kFewWarps * kWarp, kFewTokens = 8;
constexpr int kFewBlocks = 3;  // of a multiprocessor
constexpr int kF32Rows = 16;
// From here on the tile of many tokens wastes less than the other reads again.
constexpr std::size_t kMany = 24;
constexpr int kDenseGroups = 6, kExpertGroups = 5;  // of 8 tokens, in a tile of many

struct DenseJobs {
  LinearArgs args;
  int first_block[kMaxJobs + 1];  // along the grid
};

__host__ __device__ int step_of(MatrixType type) {
  return type == MatrixType::kBf16          ? 4 * Bf16::kValues
         : type == MatrixType::kFp8Block128 ? 4 * Fp8::kValues
                                            : 4 * Fp4::kValues;
}

// Rows of an item of few tokens.
__host__ __device__ int item_rows(MatrixType type, int cols) {
  return type == MatrixType::kF32 ? kF32Rows : 16 * kFewWarps / parts_of(cols / step_of(type));
}

// Tiles of few tokens: those that start in [first, last), for one run of rows. The loop stands
// inside of the choice of a type: outside, the compiler keeps what it can compute ahead for every
// type at once, and runs out of registers.
template <class Format, int kTerms>
__device__ void few_tiles(const Operand& w, int row, const std::uint16_t* x, const Activation& a,
                          const Tokens& tokens, int first, int last, float* y, std::size_t y_stride,
                          Sums& sums) {
#pragma unroll 1
  for (; first < last; first += kFewTokens) {
    few_tile<Format, kTerms>(w, row, x, a.cols, a.plane, tokens, first, y, y_stride, sums);
  }
}

__device__ void any_few(MatrixType type, bool round, const Operand& w, int row, const Activation& x,
                        std::size_t x_from, const Tokens& tokens, int first, int last, float* y,
                        std::size_t y_stride, Sums& sums) {
  const std::uint16_t* from = (round ? x.rounded : x.split) + x_from;
  if (type == MatrixType::kBf16) {
    few_tiles<Bf16, 3>(w, row, from, x, tokens, first, last, y, y_stride, sums);
  } else if (type == MatrixType::kFp8Block128) {
    if (round) {
      few_tiles<Fp8, 1>(w, row, from, x, tokens, first, last, y, y_stride, sums);
    } else {
      few_tiles<Fp8, 3>(w, row, from, x, tokens, first, last, y, y_stride, sums);
    }
  } else if (round) {
    few_tiles<Fp4, 1>(w, row, from, x, tokens, first, last, y, y_stride, sums);
  } else {
    few_tiles<Fp4, 3>(w, row, from, x, tokens, first, last, y, y_stride, sums);
  }
}

// The matrix, row and columns of x that a block of a dense launch is about.
struct DenseBlock {
  const LinearJob& job;
  Operand w;
  int row;
  std::size_t x_from;
};
__device__ DenseBlock block_of(const DenseJobs& jobs, bool many) {
  const int block = static_cast<int>(blockIdx.x);
  int i = 0;
  while (block >= jobs.first_block[i + 1]) ++i;
  const LinearJob& job = jobs.args.jobs[i];
  const Operand w{reinterpret_cast<const std::uint8_t*>(job.w.data), job.w.scales,
                  static_cast<int>(job.w.rows), static_cast<int>(job.w.cols)};
  const int rows = many ? kManyRows : item_rows(job.w.type, w.cols);
  const int row = (block - jobs.first_block[i]) * rows;
  return {job, w, row, static_cast<std::size_t>(row / (w.rows / jobs.args.groups) * w.cols)};
}

__global__ void __launch_bounds__(kFewThreads, kFewBlocks) dense_few_kernel(const DenseJobs jobs) {
  __shared__ Sums sums;
  const DenseBlock b = block_of(jobs, false);
  const LinearArgs& args = jobs.args;
  const int first = static_cast<int>(blockIdx.y) * kFewTokens;
  any_few(b.job.w.type, b.job.round, b.w, b.row, args.x, b.x_from,
          {nullptr, 0, static_cast<int>(args.n)}, first, first + 1, b.job.y, b.job.y_stride, sums);
}

// fp32 matrices, kF32Rows rows a block.
__global__ void __launch_bounds__(kFewThreads) dense_f32_kernel(const DenseJobs jobs) {
  await_before();
  const DenseBlock b = block_of(jobs, false);
  const LinearArgs& args = jobs.args;
  f32_tile(b.w, b.row, args.x.f32 + b.x_from, args.x.cols, {nullptr, 0, static_cast<int>(args.n)},
           static_cast<int>(blockIdx.y) * kFewTokens, b.job.y, b.job.y_stride);
}

// The same of a launch for experts. Grid: runs of rows of both matrices, which have one type and
// shape; slots of active experts.
struct ExpertBlock {
  Operand w;
  int row;
  Tokens tokens;
  float* y;
};
__device__ ExpertBlock block_of(const ExpertLinearArgs& a, int rows) {
  const Assignment& of = a.assignment;
  const int expert = of.active[blockIdx.y];
  const ExpertMatrices& m = a.w[0];
  const int tiles = (static_cast<int>(m.rows) + rows - 1) / rows;
  const bool second = static_cast<int>(blockIdx.x) >= tiles;
  const std::uint8_t* const* scales = second ? a.w[1].scales : m.scales;
  return {
      {reinterpret_cast<const std::uint8_t*>((second ? a.w[1].data : m.data)[expert]),
       scales == nullptr ? nullptr : scales[expert], static_cast<int>(m.rows),
       static_cast<int>(m.cols)},
      static_cast<int>(blockIdx.x) % tiles * rows,
      {a.by_entry ? nullptr : of.row, of.begin[expert], of.begin[expert + 1] - of.begin[expert]},
      second ? a.y[1] : a.y[0]};
}

__global__ void __launch_bounds__(kFewThreads, kFewBlocks)
    expert_few_kernel(const ExpertLinearArgs a) {
  __shared__ Sums sums;
  await_before();
  if (static_cast<int>(blockIdx.y) >= *a.assignment.n_active) return;
  const MatrixType type = a.w[0].type;
  const ExpertBlock b = block_of(a, item_rows(type, static_cast<int>(a.w[0].cols)));
  any_few(type, a.round, b.w, b.row, a.x, 0, b.tokens, 0, b.tokens.count, b.y, a.w[0].rows, sums);
}

__global__ void __launch_bounds__(kFewThreads) expert_f32_kernel(const ExpertLinearArgs a) {
  await_before();
  if (static_cast<int>(blockIdx.y) >= *a.assignment.n_active) return;
  const ExpertBlock b = block_of(a, kF32Rows);
#pragma unroll 1
  for (int first = 0; first < b.tokens.count; first += kFewTokens)
    f32_tile(b.w, b.row, a.x.f32, a.x.cols, b.tokens, first, b.y, a.w[0].rows);
}

// The same of many tokens.
template <class Format, int kTerms, int N>
__device__ void many_tiles(const Operand& w, int row, const std::uint16_t* x, const Activation& a,
                           const Tokens& tokens, int first, int last, float* y,
                           std::size_t y_stride, std::uint8_t* shared) {
#pragma unroll 1
  for (; first < last; first += 8 * N) {
    many_tile<Format, kTerms, N>(w, row, x, a.cols, a.plane, tokens, first, y, y_stride, shared);
  }
}

template <int N>
__device__ void any_many(MatrixType type, bool round, const Operand& w, int row,
                         const Activation& x, std::size_t x_from, const Tokens& tokens, int first,
                         int last, float* y, std::size_t y_stride, std::uint8_t* shared) {
  const std::uint16_t* from = (round ? x.rounded : x.split) + x_from;
  if (type == MatrixType::kBf16) {
    many_tiles<Bf16, 3, N>(w, row, from, x, tokens, first, last, y, y_stride, shared);
  } else if (type == MatrixType::kFp4Group32) {
    if constexpr (N == kExpertGroups) {  // no other matrix is FP4
      many_tiles<Fp4, 1, N>(w, row, from, x, tokens, first, last, y, y_stride, shared);
    }
  } else if (round) {
    many_tiles<Fp8, 1, N>(w, row, from, x, tokens, first, last, y, y_stride, shared);
  } else {
    many_tiles<Fp8, 3, N>(w, row, from, x, tokens, first, last, y, y_stride, shared);
  }
}

// fp32 x with FP4 weights, which plain numerics alone have, would need 130 KiB.
bool many_serves(MatrixType type, bool round, std::size_t rows) {
  return rows % kManyStep == 0 && (type == MatrixType::kBf16 || type == MatrixType::kFp8Block128 ||
                                   (type == MatrixType::kFp4Group32 && round));
}
std::size_t many_bytes_of(MatrixType type, bool round, int tokens) {
  if (type == MatrixType::kBf16) return many_bytes<Bf16, 3>(tokens);
  if (type == MatrixType::kFp4Group32) return many_bytes<Fp4, 1>(tokens);
  return round ? many_bytes<Fp8, 1>(tokens) : many_bytes<Fp8, 3>(tokens);
}

__global__ void __launch_bounds__(kManyThreads, 1) dense_many_kernel(const DenseJobs jobs) {
  extern __shared__ uint4 shared[];
  await_before();
  const DenseBlock b = block_of(jobs, true);
  const LinearArgs& args = jobs.args;
  const int first = static_cast<int>(blockIdx.y) * 8 * kDenseGroups;
  any_many<kDenseGroups>(b.job.w.type, b.job.round, b.w, b.row, args.x, b.x_from,
                         {nullptr, 0, static_cast<int>(args.n)}, first, first + 1, b.job.y,
                         b.job.y_stride, reinterpret_cast<std::uint8_t*>(shared));
}

__global__ void __launch_bounds__(kManyThreads, 1) expert_many_kernel(const ExpertLinearArgs a) {
  extern __shared__ uint4 shared[];
  await_before();
  if (static_cast<int>(blockIdx.y) >= *a.assignment.n_active) return;
  const ExpertBlock b = block_of(a, kManyRows);
  any_many<kExpertGroups>(a.w[0].type, a.round, b.w, b.row, a.x, 0, b.tokens, 0, b.tokens.count,
                          b.y, a.w[0].rows, reinterpret_cast<std::uint8_t*>(shared));
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

// More shared memory than a kernel gets unasked.
template <class Kernel>
bool allow(Kernel kernel, std::size_t bytes) {
  return bytes <= std::size_t{48} << 10U ||
         cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              static_cast<int>(bytes)) == cudaSuccess;
}

enum class Tile : std::uint8_t { kF32, kFew, kMany };

Tile tile_of(const LinearArgs& args, const LinearJob& job) {
  if (job.w.type == MatrixType::kF32) return Tile::kF32;
  const std::size_t group = job.w.rows / static_cast<std::size_t>(args.groups);
  const bool many = args.n >= kMany && job.w.type != MatrixType::kFp4Group32 &&
                    many_serves(job.w.type, job.round, job.w.rows) &&
                    (args.groups == 1 || group % kManyRows == 0);
  return many ? Tile::kMany : Tile::kFew;
}

// Launches those of the jobs that this tile serves.
LaunchError launch_dense(const LinearArgs& args, Tile tile, Stream stream) {
  DenseJobs jobs{args, {}};
  jobs.args.n_jobs = 0;
  int blocks = 0;
  std::size_t bytes = 0;
  for (int i = 0; i < args.n_jobs; ++i) {
    const LinearJob& job = args.jobs[i];
    if (job.w.rows == 0 || tile_of(args, job) != tile) continue;
    LinearJob& to = jobs.args.jobs[jobs.args.n_jobs];
    to = job;
    if (to.y_stride == 0) to.y_stride = job.w.rows;
    jobs.first_block[jobs.args.n_jobs++] = blocks;
    const int rows =
        tile == Tile::kMany ? kManyRows : item_rows(job.w.type, static_cast<int>(job.w.cols));
    blocks += (static_cast<int>(job.w.rows) + rows - 1) / rows;
    if (tile == Tile::kMany)
      bytes = std::max(bytes, many_bytes_of(job.w.type, job.round, 8 * kDenseGroups));
  }
  jobs.first_block[jobs.args.n_jobs] = blocks;
  if (blocks == 0) return LaunchError::kNone;
  const auto grid = [&](std::size_t tokens) {
    return dim3(static_cast<unsigned>(blocks),
                static_cast<unsigned>((args.n + tokens - 1) / tokens));
  };
  if (tile == Tile::kF32) {
    return launch(dense_f32_kernel, grid(kFewTokens), kFewThreads, 0, stream, jobs);
  }
  if (tile == Tile::kFew) {
    return launch(dense_few_kernel, grid(kFewTokens), kFewThreads, 0, stream, jobs);
  }
  if (!allow(dense_many_kernel, bytes)) return LaunchError::kUnsupported;
  return launch(dense_many_kernel, grid(8 * kDenseGroups), kManyThreads, bytes, stream, jobs);
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
  const auto grid = [&](int rows) {
    const auto each = static_cast<std::size_t>(rows);
    return dim3(
        static_cast<unsigned>((a.w[0].rows + each - 1) / each * static_cast<std::size_t>(a.n_w)),
        static_cast<unsigned>(std::min(entries, a.experts)));
  };
  const int few_rows = item_rows(type, static_cast<int>(a.w[0].cols));
  if (type == MatrixType::kF32) {
    return launch(expert_f32_kernel, grid(few_rows), kFewThreads, 0, stream, a);
  }
  if (entries / a.experts < kMany / 2 || !many_serves(type, a.round, a.w[0].rows)) {
    return launch(expert_few_kernel, grid(few_rows), kFewThreads, 0, stream, a);
  }
  const std::size_t bytes = many_bytes_of(type, a.round, 8 * kExpertGroups);
  if (!allow(expert_many_kernel, bytes)) return LaunchError::kUnsupported;
  return launch(expert_many_kernel, grid(kManyRows), kManyThreads, bytes, stream, a);
}

}  // namespace ambit::inference::ops::cuda
