// Experts that the CPU computes (device/cold_experts.h): what it needs of a layer's rows goes to
// pinned memory, and its sums come back.
//
// lend: a block a row. Its first threads look at the row's choices; the row of activations leaves
// as fp32 when one of them is the CPU's, 4 D bytes over the bus, and the entry's place among the
// experts' outputs becomes zeros, so that the sum over entries is that of the card's experts. The
// first block also hands over where each expert's entries begin, and its first warp takes the CPU's
// experts out of the list of active ones, 32 at a time. One barrier.
// take_back: a block a row; rows that lent nothing are left alone. 4 D bytes over the bus.
#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = 256;

__device__ float bf16(std::uint32_t bits) {
  return __uint_as_float(bits << 16);
}
__device__ float4 bf16x4(const std::uint16_t* p) {
  const uint2 v = *reinterpret_cast<const uint2*>(p);
  return make_float4(bf16(v.x), __uint_as_float(v.x & 0xFFFF0000U), bf16(v.y),
                     __uint_as_float(v.y & 0xFFFF0000U));
}

// Columns [col, col + 4) of a row as its experts read it.
__device__ float4 value4(const LendArgs& a, std::size_t row, int col) {
  const std::size_t at = row * a.x.cols + static_cast<std::size_t>(col);
  if (a.form == LentForm::kF32) return load4(a.x.f32 + at);
  if (a.form == LentForm::kRounded) return bf16x4(a.x.rounded + at);
  float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 1
  for (int p = a.x.terms - 1; p >= 0; --p) {  // the smallest first: the sum is exact
    const float4 part = bf16x4(a.x.split + static_cast<std::size_t>(p) * a.x.plane + at);
    sum = make_float4(sum.x + part.x, sum.y + part.y, sum.z + part.z, sum.w + part.w);
  }
  return sum;
}

// By one warp: the experts that stay active keep their order.
__device__ void keep_own(const LendArgs& a) {
  const int lane = threadIdx.x % kWarp, n = *a.assignment.n_active;
  int kept = 0;
  for (int from = 0; from < n; from += kWarp) {
    const int expert = from + lane < n ? a.assignment.active[from + lane] : -1;
    const bool own = expert >= 0 && a.lent[expert] == 0;
    const unsigned lanes = __ballot_sync(kAllLanes, own);
    if (own) a.assignment.active[kept + __popc(lanes & ((1U << lane) - 1U))] = expert;
    kept += __popc(lanes);
  }
  if (lane == 0) *a.assignment.n_active = kept;
}

__global__ void __launch_bounds__(kThreads) lend_kernel(const LendArgs a) {
  __shared__ std::int32_t lent[kMaxPerToken];  // entries of the row, -1: the card's
  await_before();
  const std::size_t row = blockIdx.x;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < a.k) {
    const std::size_t i = row * static_cast<std::size_t>(a.k) + static_cast<std::size_t>(thread);
    const int entry = a.assignment.entries[i];
    const bool is_lent = a.lent[a.ids[i]] != 0;
    lent[thread] = is_lent ? entry : -1;
    if (is_lent) {
      a.to.row[entry] = static_cast<std::int32_t>(row);
      a.to.weight[entry] = a.assignment.weight[entry];
    }
  }
  __syncthreads();
  int any = 0;
  for (int i = 0; i < a.k; ++i) {
    if (lent[i] < 0) continue;
    any = 1;
    float* out = a.out + static_cast<std::size_t>(lent[i]) * a.x.cols;
    for (int col = 4 * thread; col < static_cast<int>(a.x.cols); col += 4 * kThreads)
      store4(out + col, make_float4(0, 0, 0, 0));
  }
  if (thread == 0) a.rows_lent[row] = any;
  for (int col = 4 * thread; any != 0 && col < static_cast<int>(a.x.cols); col += 4 * kThreads)
    store4(a.to.x + row * a.x.cols + static_cast<std::size_t>(col), value4(a, row, col));
  if (row != 0) return;
  for (int e = thread; e <= a.experts; e += kThreads) a.to.begin[e] = a.assignment.begin[e];
  if (thread < kWarp) keep_own(a);
}

__global__ void __launch_bounds__(kThreads) take_back_kernel(const TakeBackArgs a) {
  const std::size_t row = blockIdx.x;
  if (a.rows_lent[row] == 0) return;
  for (int col = 4 * static_cast<int>(threadIdx.x); col < static_cast<int>(a.dim);
       col += 4 * kThreads) {
    const std::size_t at = row * a.dim + static_cast<std::size_t>(col);
    const float4 sum = load4(a.sums + at), y = load4(a.y + at);
    store4(a.y + at, make_float4(y.x + sum.x, y.y + sum.y, y.z + sum.z, y.w + sum.w));
  }
}

}  // namespace

LaunchError lend(const LendArgs& a, Stream stream) {
  if (a.x.cols % 4 != 0 || a.k < 1 || a.k > kMaxPerToken || a.experts < 1 || a.rows > 0x7FFFFFFFU) {
    return LaunchError::kShape;
  }
  if (a.rows == 0) return LaunchError::kNone;
  return launch(lend_kernel, static_cast<unsigned>(a.rows), kThreads, 0, stream, a);
}

// Waits for the CPU as well as for the kernel before, so it does not come early.
LaunchError take_back(const TakeBackArgs& a, Stream stream) {
  if (a.dim % 4 != 0 || a.rows > 0x7FFFFFFFU) return LaunchError::kShape;
  if (a.rows == 0) return LaunchError::kNone;
  take_back_kernel<<<static_cast<unsigned>(a.rows), kThreads, 0, stream>>>(a);
  return launched();
}

}  // namespace ambit::inference::ops::cuda
