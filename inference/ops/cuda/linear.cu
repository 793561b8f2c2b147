// Products with matrices (linear_tile.cuh). Few tokens: a block of 8 warps owns 16 rows and 8
// tokens, each warp a run of columns, and every weight byte is read once for the 8. Many tokens: a
// block owns 256 rows and 48 tokens (40 of an expert), and weights and x pass through shared
// memory. The matrices of a launch stand one after the other along the grid, so that
// small ones run beside large ones. Shared memory: 4 KiB (few), 72 to 97 KiB (many: one block a
// multiprocessor). Barriers: two a tile (few), one a step of columns (many).
#include <algorithm>

#include "inference/ops/cuda/linear_tile.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kFewRows = 16, kFewTokens = 8;
// From here on the tile of many tokens wastes less than the other reads again.
constexpr std::size_t kMany = 24;

struct DenseJobs {
  LinearArgs args;
  int first_block[kMaxJobs + 1];  // along the grid
};

// kN: groups of 8 tokens of a block's tile, 0: few tokens.
template <int kN>
struct Tiling {
  static constexpr bool kFew = kN == 0;
  static constexpr int kThreads = kFew ? kParts * kWarp : kManyThreads;
  static constexpr int kTokens = kFew ? kFewTokens : 8 * kN;
  static constexpr int kRows = kFew ? kFewRows : kManyRows;
  // fp32 x with FP4 weights, which plain numerics alone have, would need 130 KiB.
  static constexpr bool serves(MatrixType type, bool round, std::size_t rows) {
    if (kFew) return true;
    if (rows % kManyStep != 0) return false;
    return type == MatrixType::kBf16 || type == MatrixType::kFp8Block128 ||
           (type == MatrixType::kFp4Group32 && round);
  }

  template <class Format, int kTerms>
  __device__ static void run(const Operand& w, int row, const std::uint16_t* x, const Activation& a,
                             const Tokens& tokens, int first, int last, float* y,
                             std::size_t y_stride, std::uint8_t* shared) {
#pragma unroll 1
    for (; first < last; first += kTokens) {
      if constexpr (kFew) {
        few_tile<Format, kTerms>(w, row, x, a.cols, a.plane, tokens, first, y, y_stride,
                                 *reinterpret_cast<Sums*>(shared));
      } else {
        many_tile<Format, kTerms, kN>(w, row, x, a.cols, a.plane, tokens, first, y, y_stride,
                                      shared);
      }
    }
  }

  static std::size_t shared_bytes(MatrixType type, bool round) {
    if (kFew) return sizeof(Sums);
    if (type == MatrixType::kBf16) return many_bytes<Bf16, 3>(kTokens);
    if (type == MatrixType::kFp8Block128) {
      return round ? many_bytes<Fp8, 1>(kTokens) : many_bytes<Fp8, 3>(kTokens);
    }
    return many_bytes<Fp4, 1>(kTokens);
  }
};

// The tiles of tokens [first, last) with one run of rows of a matrix of any type; x_from: first
// column of x. The loop stands inside of the choice: outside, the compiler keeps what it can
// compute ahead for every type at once, and runs out of registers.
template <class Tile>
__device__ void any_tile(MatrixType type, bool round, const Operand& w, int row,
                         const Activation& x, std::size_t x_from, const Tokens& tokens, int first,
                         int last, float* y, std::size_t y_stride, std::uint8_t* shared) {
  if (type == MatrixType::kF32) {
    if constexpr (Tile::kFew) {
#pragma unroll 1
      for (; first < last; first += kFewTokens) {
        f32_tile(w, row, x.f32 + x_from, x.cols, tokens, first, y, y_stride);
      }
    }
    return;
  }
  const std::uint16_t* from = (round ? x.rounded : x.split) + x_from;
  if (type == MatrixType::kBf16) {
    Tile::template run<Bf16, 3>(w, row, from, x, tokens, first, last, y, y_stride, shared);
  } else if (type == MatrixType::kFp8Block128) {
    if (round) {
      Tile::template run<Fp8, 1>(w, row, from, x, tokens, first, last, y, y_stride, shared);
    } else {
      Tile::template run<Fp8, 3>(w, row, from, x, tokens, first, last, y, y_stride, shared);
    }
  } else if (round) {
    Tile::template run<Fp4, 1>(w, row, from, x, tokens, first, last, y, y_stride, shared);
  } else if constexpr (Tile::kFew) {
    Tile::template run<Fp4, 3>(w, row, from, x, tokens, first, last, y, y_stride, shared);
  }
}

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kFew ? 2 : 1)
    dense_kernel(const DenseJobs jobs) {
  extern __shared__ uint4 shared[];
  const int block = static_cast<int>(blockIdx.x);
  int i = 0;
  while (block >= jobs.first_block[i + 1]) ++i;
  const LinearArgs& args = jobs.args;
  const LinearJob& job = args.jobs[i];
  const int row = (block - jobs.first_block[i]) * Tile::kRows;
  const int first = static_cast<int>(blockIdx.y) * Tile::kTokens;
  const Operand w{reinterpret_cast<const std::uint8_t*>(job.w.data), job.w.scales,
                  static_cast<int>(job.w.rows), static_cast<int>(job.w.cols)};
  const std::size_t group =
      static_cast<std::size_t>(row) / (job.w.rows / static_cast<std::size_t>(args.groups));
  any_tile<Tile>(job.w.type, job.round, w, row, args.x, group * job.w.cols,
                 {nullptr, 0, static_cast<int>(args.n)}, first, first + 1, job.y, job.y_stride,
                 reinterpret_cast<std::uint8_t*>(shared));
}

// Grid: row tiles of both matrices, slots of active experts; a block goes through its tokens.
template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kFew ? 2 : 1)
    expert_kernel(const ExpertLinearArgs a) {
  extern __shared__ uint4 shared[];
  const Assignment& of = a.assignment;
  await_before();
  if (static_cast<int>(blockIdx.y) >= *of.n_active) return;
  const int expert = of.active[blockIdx.y];
  const int tiles = (static_cast<int>(a.w[0].rows) + Tile::kRows - 1) / Tile::kRows;
  const int which = static_cast<int>(blockIdx.x) / tiles;
  const ExpertMatrices& m = a.w[which];
  const Operand w{reinterpret_cast<const std::uint8_t*>(m.data[expert]),
                  m.scales == nullptr ? nullptr : m.scales[expert], static_cast<int>(m.rows),
                  static_cast<int>(m.cols)};
  const int row = static_cast<int>(blockIdx.x) % tiles * Tile::kRows;
  const Tokens tokens{a.by_entry ? nullptr : of.row, of.begin[expert],
                      of.begin[expert + 1] - of.begin[expert]};
  any_tile<Tile>(m.type, a.round, w, row, a.x, 0, tokens, 0, tokens.count, a.y[which], m.rows,
                 reinterpret_cast<std::uint8_t*>(shared));
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

// Launches those of the jobs that one of the two tiles serves.
template <class Tile>
LaunchError launch_dense(const LinearArgs& args, Stream stream) {
  DenseJobs jobs{args, {}};
  jobs.args.n_jobs = 0;
  int blocks = 0;
  std::size_t bytes = 0;
  for (int i = 0; i < args.n_jobs; ++i) {
    const LinearJob& job = args.jobs[i];
    const std::size_t group = job.w.rows / static_cast<std::size_t>(args.groups);
    const bool many = args.n >= kMany && Tiling<6>::serves(job.w.type, job.round, job.w.rows) &&
                      (args.groups == 1 || group % kManyRows == 0);
    if (job.w.rows == 0 || many == Tile::kFew) continue;
    LinearJob& to = jobs.args.jobs[jobs.args.n_jobs];
    to = job;
    if (to.y_stride == 0) to.y_stride = job.w.rows;
    jobs.first_block[jobs.args.n_jobs++] = blocks;
    blocks += (static_cast<int>(job.w.rows) + Tile::kRows - 1) / Tile::kRows;
    bytes = std::max(bytes, Tile::shared_bytes(job.w.type, job.round));
  }
  jobs.first_block[jobs.args.n_jobs] = blocks;
  if (blocks == 0) return LaunchError::kNone;
  if (!allow(dense_kernel<Tile>, bytes)) return LaunchError::kUnsupported;
  const dim3 grid(static_cast<unsigned>(blocks),
                  static_cast<unsigned>((args.n + Tile::kTokens - 1) / Tile::kTokens));
  return launch(dense_kernel<Tile>, grid, Tile::kThreads, bytes, stream, jobs);
}

template <class Tile>
LaunchError launch_experts(const ExpertLinearArgs& a, Stream stream) {
  const std::size_t entries = a.rows * a.k;
  std::size_t bytes = 0;
  for (int i = 0; i < a.n_w; ++i) bytes = std::max(bytes, Tile::shared_bytes(a.w[i].type, a.round));
  if (!allow(expert_kernel<Tile>, bytes)) return LaunchError::kUnsupported;
  const std::size_t tiles = (a.w[0].rows + Tile::kRows - 1) / Tile::kRows;
  const dim3 grid(static_cast<unsigned>(tiles * static_cast<std::size_t>(a.n_w)),
                  static_cast<unsigned>(entries < a.experts ? entries : a.experts));
  return launch(expert_kernel<Tile>, grid, Tile::kThreads, bytes, stream, a);
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
        (groups > 1 && (w.rows % groups != 0 || w.rows / groups % kFewRows != 0))) {
      return LaunchError::kShape;
    }
  }
  if (args.n == 0) return LaunchError::kNone;
  const LaunchError error = launch_dense<Tiling<0>>(args, stream);
  return error != LaunchError::kNone ? error : launch_dense<Tiling<6>>(args, stream);
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
  const std::size_t each = a.rows * a.k / a.experts;  // tokens of an expert, about
  if (each < kMany / 2 || !Tiling<5>::serves(a.w[0].type, a.round, a.w[0].rows)) {
    return launch_experts<Tiling<0>>(a, stream);
  }
  return launch_experts<Tiling<5>>(a, stream);
}

}  // namespace ambit::inference::ops::cuda
