// Products with matrices (linear_tile.cuh). Few tokens: blocks of 8 warps stay and take 16 to 128
// rows and 8 tokens at a time, every weight byte is read once for the 8, and the next weights are
// on their way while these are multiplied. Many tokens: a block owns 256 rows and 48 tokens (40 of
// an expert), and weights and x pass through shared memory. The matrices of a launch stand one
// after the other along the grid, so that small ones run beside large ones. Shared memory: 8 KiB
// and 40 bytes an expert (few), 72 to 97 KiB (many: one block a multiprocessor). Barriers: one an
// item (few), one a step of columns (many).
#include <algorithm>

#include "inference/ops/cuda/linear_tile.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kFewThreads = kFewWarps * kWarp, kFewTokens = 8;
constexpr int kFewBlocks = 2;  // of a multiprocessor
constexpr int kF32Rows = 16;
// From here on the tile of many tokens wastes less than the other reads again.
constexpr std::size_t kMany = 24;
constexpr int kDenseGroups = 5, kExpertGroups = 4;  // of 8 tokens, in a tile of many

struct DenseJobs {
  LinearArgs args;
  int first_item[kMaxJobs + 1];  // rows of tiles (many), items of 8 tokens (few)
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

// few_tiles of the type.
template <class Items>
__device__ void any_few(MatrixType type, bool round, const Items& items, const Activation& x,
                        int cols, FewShared& shared, int& turn) {
  if (type == MatrixType::kBf16) {
    few_tiles<Bf16, 3>(items, x.cols, x.plane, cols, shared, turn);
  } else if (type == MatrixType::kFp8Block128) {
    if (round) {
      few_tiles<Fp8, 1>(items, x.cols, x.plane, cols, shared, turn);
    } else {
      few_tiles<Fp8, 3>(items, x.cols, x.plane, cols, shared, turn);
    }
  } else if (round) {
    few_tiles<Fp4, 1>(items, x.cols, x.plane, cols, shared, turn);
  } else {
    few_tiles<Fp4, 3>(items, x.cols, x.plane, cols, shared, turn);
  }
}

// Items of a dense matrix: every stride-th run of rows.
struct DenseItems {
  const LinearArgs& args;
  const LinearJob& job;
  int at, stride, n_items, rows, first;

  __device__ bool next(int tile, Item& out) {
    out = {0, at * rows + 16 * tile, first};
    at += stride;
    return at - stride < n_items;
  }
  __device__ Operand operand(int) const {
    return {reinterpret_cast<const std::uint8_t*>(job.w.data), job.w.scales,
            static_cast<int>(job.w.rows), static_cast<int>(job.w.cols)};
  }
  __device__ int x_from(int row) const {
    const int all = static_cast<int>(job.w.rows);
    return min(row, all - 1) / (all / args.groups) * static_cast<int>(job.w.cols);
  }
  __device__ const std::uint16_t* x(const Item& item) const {
    return (job.round ? args.x.rounded : args.x.split) + x_from(item.row);
  }
  __device__ Tokens tokens(int) const { return {nullptr, 0, static_cast<int>(args.n)}; }
  __device__ float* y(int) const { return job.y; }
  __device__ std::size_t y_stride(int) const { return job.y_stride; }
};

__global__ void __launch_bounds__(kFewThreads, kFewBlocks) dense_few_kernel(const DenseJobs jobs) {
  __shared__ FewShared shared;
  int turn = 0;
  const LinearArgs& args = jobs.args;
  const int first = static_cast<int>(blockIdx.y) * kFewTokens;
  const int stride = static_cast<int>(gridDim.x);
#pragma unroll 1
  for (int j = 0; j < args.n_jobs; ++j) {
    const LinearJob& job = args.jobs[j];
    const int n_items = jobs.first_item[j + 1] - jobs.first_item[j];
    // Items go round the grid from matrix to matrix.
    int start = (static_cast<int>(blockIdx.x) - jobs.first_item[j]) % stride;
    if (start < 0) start += stride;
    if (start >= n_items) continue;
    const int cols = static_cast<int>(job.w.cols), rows = item_rows(job.w.type, cols);
    const DenseItems items{args, job, start, stride, n_items, rows, first};
    any_few(job.w.type, job.round, items, args.x, cols, shared, turn);
  }
}

// fp32 matrices, kF32Rows rows a block.
__global__ void __launch_bounds__(kFewThreads) dense_f32_kernel(const DenseJobs jobs) {
  await_before();
  const int block = static_cast<int>(blockIdx.x);
  int j = 0;
  while (block >= jobs.first_item[j + 1]) ++j;
  const LinearArgs& args = jobs.args;
  const LinearJob& job = args.jobs[j];
  const DenseItems items{args, job, 0, 0, 0, 0, 0};
  const int row = (block - jobs.first_item[j]) * kF32Rows;
  f32_tile(items.operand(0), row, args.x.f32 + items.x_from(row), args.x.cols, items.tokens(0),
           static_cast<int>(blockIdx.y) * kFewTokens, job.y, job.y_stride);
}

// What the items of an expert share.
struct ActiveExpert {
  const std::uint8_t* data[2];
  const std::uint8_t* scales[2];
  int first, count;  // entries
};

// Items: for each active expert, for each of the matrices, runs of rows. `of`: both.
struct ExpertItems {
  const ExpertLinearArgs& a;
  const ActiveExpert* active;
  int at, first, runs, n_items, rows;

  __device__ bool next(int tile, Item& out) {
    if (at >= n_items) return false;
    out = {at / runs, at % runs * rows + 16 * tile, first};
    first += kFewTokens;
    if (first >= active[out.of / a.n_w].count) {
      first = 0;
      at += static_cast<int>(gridDim.x);
    }
    return true;
  }
  __device__ Operand operand(int of) const {
    const ActiveExpert& e = active[of / a.n_w];
    const int which = of % a.n_w;
    return {e.data[which], e.scales[which], static_cast<int>(a.w[0].rows),
            static_cast<int>(a.w[0].cols)};
  }
  __device__ const std::uint16_t* x(const Item&) const { return a.round ? a.x.rounded : a.x.split; }
  __device__ Tokens tokens(int of) const {
    const ActiveExpert& e = active[of / a.n_w];
    return {a.by_entry ? nullptr : a.assignment.row, e.first, e.count};
  }
  __device__ float* y(int of) const { return a.y[of % a.n_w]; }
  __device__ std::size_t y_stride(int) const { return a.w[0].rows; }
};

__global__ void __launch_bounds__(kFewThreads, kFewBlocks)
    expert_few_kernel(const ExpertLinearArgs a) {
  extern __shared__ uint4 dynamic[];
  __shared__ FewShared shared;
  auto* active = reinterpret_cast<ActiveExpert*>(dynamic);
  const Assignment& of = a.assignment;
  await_before();
  const int n_active = *of.n_active;
  for (int i = static_cast<int>(threadIdx.x); i < n_active; i += kFewThreads) {
    const int e = of.active[i];
    for (int which = 0; which < a.n_w; ++which) {
      const ExpertMatrices& m = a.w[which];
      active[i].data[which] = reinterpret_cast<const std::uint8_t*>(m.data[e]);
      active[i].scales[which] = m.scales == nullptr ? nullptr : m.scales[e];
    }
    active[i].first = of.begin[e];
    active[i].count = of.begin[e + 1] - of.begin[e];
  }
  __syncthreads();
  const MatrixType type = a.w[0].type;
  const int cols = static_cast<int>(a.w[0].cols), rows = item_rows(type, cols);
  const int runs = (static_cast<int>(a.w[0].rows) + rows - 1) / rows;
  ExpertItems items{a,   active, static_cast<int>(blockIdx.x), 0, runs, n_active * a.n_w * runs,
                    rows};
  int turn = 0;
  if (type != MatrixType::kF32) {
    any_few(type, a.round, items, a.x, cols, shared, turn);
    return;
  }
  for (Item item; items.next(0, item);) {
    f32_tile(items.operand(item.of), item.row, a.x.f32, a.x.cols, items.tokens(item.of), item.first,
             items.y(item.of), a.w[0].rows);
  }
}

// Tiles of many tokens: those that start in [first, last), for one run of rows. The loop stands
// inside of the choice of a type: outside, the compiler keeps what it can compute ahead for every
// type at once, and runs out of registers.
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
  const int block = static_cast<int>(blockIdx.x);
  int i = 0;
  while (block >= jobs.first_item[i + 1]) ++i;
  const LinearArgs& args = jobs.args;
  const LinearJob& job = args.jobs[i];
  const int row = (block - jobs.first_item[i]) * kManyRows;
  const int first = static_cast<int>(blockIdx.y) * 8 * kDenseGroups;
  const Operand w{reinterpret_cast<const std::uint8_t*>(job.w.data), job.w.scales,
                  static_cast<int>(job.w.rows), static_cast<int>(job.w.cols)};
  const std::size_t group =
      static_cast<std::size_t>(row) / (job.w.rows / static_cast<std::size_t>(args.groups));
  any_many<kDenseGroups>(job.w.type, job.round, w, row, args.x, group * job.w.cols,
                         {nullptr, 0, static_cast<int>(args.n)}, first, first + 1, job.y,
                         job.y_stride, reinterpret_cast<std::uint8_t*>(shared));
}

// Grid: row tiles of both matrices, slots of active experts; a block goes through its tokens.
__global__ void __launch_bounds__(kManyThreads, 1) expert_many_kernel(const ExpertLinearArgs a) {
  extern __shared__ uint4 shared[];
  const Assignment& of = a.assignment;
  await_before();
  if (static_cast<int>(blockIdx.y) >= *of.n_active) return;
  const int expert = of.active[blockIdx.y];
  const int tiles = (static_cast<int>(a.w[0].rows) + kManyRows - 1) / kManyRows;
  const int which = static_cast<int>(blockIdx.x) / tiles;
  // Both matrices have one type and shape.
  const ExpertMatrices& m = a.w[0];
  const std::uint8_t* const* scales = which == 0 ? m.scales : a.w[1].scales;
  const Operand w{
      reinterpret_cast<const std::uint8_t*>((which == 0 ? m.data : a.w[1].data)[expert]),
      scales == nullptr ? nullptr : scales[expert], static_cast<int>(m.rows),
      static_cast<int>(m.cols)};
  const Tokens tokens{a.by_entry ? nullptr : of.row, of.begin[expert],
                      of.begin[expert + 1] - of.begin[expert]};
  any_many<kExpertGroups>(m.type, a.round, w, static_cast<int>(blockIdx.x) % tiles * kManyRows, a.x,
                          0, tokens, 0, tokens.count, which == 0 ? a.y[0] : a.y[1], m.rows,
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

// More shared memory than a kernel gets unasked; `own` is declared in it.
template <class Kernel>
bool allow(Kernel kernel, std::size_t bytes, std::size_t own = 0) {
  return bytes + own <= std::size_t{48} << 10U ||
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
  int items = 0;
  std::size_t bytes = 0;
  for (int i = 0; i < args.n_jobs; ++i) {
    const LinearJob& job = args.jobs[i];
    if (job.w.rows == 0 || tile_of(args, job) != tile) continue;
    LinearJob& to = jobs.args.jobs[jobs.args.n_jobs];
    to = job;
    if (to.y_stride == 0) to.y_stride = job.w.rows;
    jobs.first_item[jobs.args.n_jobs++] = items;
    const int rows =
        tile == Tile::kMany ? kManyRows : item_rows(job.w.type, static_cast<int>(job.w.cols));
    items += (static_cast<int>(job.w.rows) + rows - 1) / rows;
    if (tile == Tile::kMany)
      bytes = std::max(bytes, many_bytes_of(job.w.type, job.round, 8 * kDenseGroups));
  }
  jobs.first_item[jobs.args.n_jobs] = items;
  if (items == 0) return LaunchError::kNone;
  const auto grid = [&](int blocks, std::size_t tokens) {
    return dim3(static_cast<unsigned>(blocks),
                static_cast<unsigned>((args.n + tokens - 1) / tokens));
  };
  if (tile == Tile::kF32) {
    return launch(dense_f32_kernel, grid(items, kFewTokens), kFewThreads, 0, stream, jobs);
  }
  if (tile == Tile::kFew) {
    return launch(dense_few_kernel, grid(std::min(items, kFewBlocks * multiprocessors), kFewTokens),
                  kFewThreads, 0, stream, jobs);
  }
  if (!allow(dense_many_kernel, bytes)) return LaunchError::kUnsupported;
  return launch(dense_many_kernel, grid(items, 8 * kDenseGroups), kManyThreads, bytes, stream,
                jobs);
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
  const std::size_t entries = a.rows * a.k, most = std::min(entries, a.experts);
  const MatrixType type = a.w[0].type;
  if (entries / a.experts < kMany / 2 || !many_serves(type, a.round, a.w[0].rows)) {
    const std::size_t bytes = most * sizeof(ActiveExpert);
    if (!allow(expert_few_kernel, bytes, sizeof(FewShared))) return LaunchError::kUnsupported;
    const auto rows = static_cast<std::size_t>(item_rows(type, static_cast<int>(a.w[0].cols)));
    const std::size_t items =
        most * static_cast<std::size_t>(a.n_w) * ((a.w[0].rows + rows - 1) / rows);
    const auto blocks = static_cast<std::size_t>(kFewBlocks * multiprocessors);
    return launch(expert_few_kernel, static_cast<unsigned>(std::min(items, blocks)), kFewThreads,
                  bytes, stream, a);
  }
  const std::size_t bytes = many_bytes_of(type, a.round, 8 * kExpertGroups);
  if (!allow(expert_many_kernel, bytes)) return LaunchError::kUnsupported;
  const std::size_t tiles = (a.w[0].rows + kManyRows - 1) / kManyRows;
  const dim3 grid(static_cast<unsigned>(tiles * static_cast<std::size_t>(a.n_w)),
                  static_cast<unsigned>(most));
  return launch(expert_many_kernel, grid, kManyThreads, bytes, stream, a);
}

}  // namespace ambit::inference::ops::cuda
