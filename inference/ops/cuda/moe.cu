// Routing (ops/route.h) and the middle of an expert (ops/experts.h).
//
// A warp routes a row: a lane has every 32nd expert's score, k rounds of two reductions find the
// best (ties: lower expert). Then the choices are sorted by expert, rows ascending. Up to kFewRows
// rows: one block does both, a thread an expert, the choices in shared memory; three barriers.
// More: a warp an expert reads all choices 32 at a time (from the cache) twice, first to count what
// lies before its own, then to place its own; a block's marks of experts met tell the place in
// the list of active ones. swiglu: a block a row.
#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kMostExperts = 1024;
constexpr int kFewRows = 8;
constexpr int kRouteThreads = 256, kRouteWarps = kRouteThreads / kWarp;

// log(1 + e^x) without overflow.
__device__ float softplus(float x) {
  return x > 20.0F ? x : log1pf(expf(x));
}

// A float's bits in an order that integers have too; 0 is below all.
__device__ unsigned ordered(float x) {
  const unsigned bits = __float_as_uint(x);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000U;
}

// By one warp: lane i gets the expert with the i-th largest score, of at most kMost.
template <int kMost>
__device__ int best_of(const RouteArgs& a, const float* logits) {
  const int lane = threadIdx.x % kWarp;
  unsigned score[kMost / kWarp];
#pragma unroll
  for (int i = 0; i < kMost / kWarp; ++i) {
    const int e = i * kWarp + lane;
    score[i] = 0;
    if (e < a.experts) {
      score[i] = ordered(sqrtf(softplus(logits[e])) + (a.bias == nullptr ? 0.0F : a.bias[e]));
    }
  }
  int mine = 0;
  for (int round = 0; round < a.k; ++round) {
    unsigned best = 0;
    int at = 0;
#pragma unroll
    for (int i = 0; i < kMost / kWarp; ++i) {
      if (score[i] > best) {
        best = score[i];
        at = i * kWarp + lane;
      }
    }
    const unsigned most = __reduce_max_sync(kAllLanes, best);
    // Of equal ones the lowest.
    const auto chosen = static_cast<int>(
        ~__reduce_max_sync(kAllLanes, best == most ? ~static_cast<unsigned>(at) : 0U));
    if (lane == round) mine = min(chosen, a.experts - 1);
#pragma unroll
    for (int i = 0; i < kMost / kWarp; ++i) {
      if (i * kWarp + lane == chosen) score[i] = 0;
    }
  }
  return mine;
}

// By one warp: the k experts of a row, ascending, and their weights.
__device__ void route_row(const RouteArgs& a, std::size_t row, std::int32_t* ids, float* weights) {
  const int lane = threadIdx.x % kWarp;
  const float* logits = a.logits + row * static_cast<std::size_t>(a.experts);
  int mine = 0;  // the lane-th choice
  if (a.experts_of_token != nullptr) {
    if (lane < a.k) {
      mine = a.experts_of_token[static_cast<std::size_t>(a.step.ids[row]) *
                                    static_cast<std::size_t>(a.k) +
                                static_cast<std::size_t>(lane)];
    }
  } else {
    mine = a.experts <= kMostExperts / 4 ? best_of<kMostExperts / 4>(a, logits)
                                         : best_of<kMostExperts>(a, logits);
  }
  const float own = lane < a.k ? sqrtf(softplus(logits[mine])) : 0.0F;
  float sum = 0;
  int rank = 0;
  for (int i = 0; i < a.k; ++i) {
    sum += __shfl_sync(kAllLanes, own, i);
    const int other = __shfl_sync(kAllLanes, mine, i);
    rank += other < mine || (other == mine && i < lane) ? 1 : 0;
  }
  if (lane < a.k) {
    ids[rank] = mine;
    weights[rank] = own / sum * a.scale;
  }
}

__global__ void __launch_bounds__(kRouteThreads) route_kernel(const RouteArgs a) {
  await_before();
  const std::size_t row = blockIdx.x * static_cast<std::size_t>(kRouteWarps) + threadIdx.x / kWarp;
  if (row >= a.step.rows) return;
  const std::size_t at = row * static_cast<std::size_t>(a.k);
  route_row(a, row, a.ids + at, a.weights + at);
}

// What is before this thread, over the block: counts in the low half, experts met in the high.
__device__ unsigned block_before(unsigned value, unsigned* of_warp, unsigned& all) {
  const int lane = threadIdx.x % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  unsigned sum = value;
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const unsigned other = __shfl_up_sync(kAllLanes, sum, step);
    if (lane >= step) sum += other;
  }
  if (lane == kWarp - 1) of_warp[warp] = sum;
  __syncthreads();
  unsigned before = sum - value;
  all = 0;
#pragma unroll
  for (int w = 0; w < kRouteWarps; ++w) {
    if (w < warp) before += of_warp[w];
    all += of_warp[w];
  }
  __syncthreads();
  return before;
}

__global__ void __launch_bounds__(kRouteThreads, 1) few_kernel(const RouteArgs a) {
  __shared__ std::int32_t ids[kFewRows * kMaxPerToken];
  __shared__ float weights[kFewRows * kMaxPerToken];
  __shared__ unsigned of_warp[kRouteWarps];
  const int n = static_cast<int>(a.step.rows) * a.k, thread = static_cast<int>(threadIdx.x);
  expect(a.bias, static_cast<std::size_t>(a.experts));
  await_before();
  for (int row = thread / kWarp; row < static_cast<int>(a.step.rows); row += kRouteWarps) {
    route_row(a, static_cast<std::size_t>(row), ids + row * a.k, weights + row * a.k);
  }
  __syncthreads();
  const Assignment& out = a.out;
  unsigned carried = 0;
  for (int from = 0; from < a.experts; from += kRouteThreads) {
    const int e = from + thread;
    unsigned count = 0;
    for (int i = 0; i < n; ++i) count += ids[i] == e ? 1U : 0U;
    unsigned all = 0;
    const unsigned before =
        carried + block_before(count == 0 ? 0U : count | 0x10000U, of_warp, all);
    carried += all;
    if (e >= a.experts) continue;
    auto at = static_cast<int>(before & 0xFFFFU);
    out.begin[e] = at;
    if (count == 0) continue;
    if (a.chosen != nullptr) a.chosen[e] += count;  // nobody else writes it
    out.active[before >> 16] = e;
    for (int i = 0; i < n; ++i) {
      if (ids[i] != e) continue;
      out.row[at] = i / a.k;
      out.weight[at] = weights[i];
      out.entries[i] = at++;
    }
  }
  if (thread == 0) {
    out.begin[a.experts] = n;
    *out.n_active = static_cast<int>(carried >> 16);
  }
  for (int i = thread; i < n; i += kRouteThreads) {
    a.ids[i] = ids[i];
    a.weights[i] = weights[i];
  }
}

__global__ void __launch_bounds__(kRouteThreads) assign_kernel(const RouteArgs a) {
  __shared__ unsigned met[kWarp];  // a bit an expert
  static_assert(kMostExperts == kWarp * 32);
  const int lane = threadIdx.x % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  if (threadIdx.x < kWarp) met[threadIdx.x] = 0;
  __syncthreads();
  await_before();
  const int n = static_cast<int>(a.step.rows) * a.k;
  const int e = static_cast<int>(blockIdx.x) * kRouteWarps + warp;
  const Assignment& out = a.out;
  int before = 0;  // choices of lower experts, this lane's share
  int own = 0;
#pragma unroll 4
  for (int i = lane; i < n; i += kWarp) {
    const int id = a.ids[i];
    before += id < e ? 1 : 0;
    own += id == e ? 1 : 0;
  }
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kRouteThreads) {
    atomicOr(&met[a.ids[i] / 32], 1U << a.ids[i] % 32);
  }
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    before += __shfl_xor_sync(kAllLanes, before, step);
    own += __shfl_xor_sync(kAllLanes, own, step);
  }
  __syncthreads();
  if (e >= a.experts) return;
  const unsigned below = lane < e / 32 ? kAllLanes : lane == e / 32 ? (1U << e % 32) - 1U : 0U;
  int place = __popc(met[lane] & below);  // experts met below e
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) place += __shfl_xor_sync(kAllLanes, place, step);
  if (lane == 0) {
    out.begin[e] = before;
    if (own != 0) out.active[place] = e;
    if (own != 0 && a.chosen != nullptr) a.chosen[e] += static_cast<unsigned>(own);
    if (e == a.experts - 1) {
      out.begin[a.experts] = n;
      *out.n_active = place + (own != 0 ? 1 : 0);
    }
  }
  if (own == 0) return;
  int at = before;
  for (int from = 0; from < n; from += kWarp) {
    const int i = from + lane;
    const bool match = i < n && a.ids[i] == e;
    const unsigned lanes = __ballot_sync(kAllLanes, match);
    if (match) {
      const int entry = at + __popc(lanes & ((1U << lane) - 1U));
      out.row[entry] = i / a.k;
      out.weight[entry] = a.weights[i];
      out.entries[i] = entry;
    }
    at += __popc(lanes);
  }
}

constexpr int kThreads = 512;  // of Flash's 2048 columns, a warp has 128

__global__ void __launch_bounds__(kThreads) swiglu_kernel(const SwigluArgs a) {
  await_before();
  const bool more = blockIdx.x >= a.rows;
  const std::size_t row = more ? blockIdx.x - a.rows : blockIdx.x;
  const Activation& out = more ? a.more_out : a.out;
  const float weight = more || a.weight == nullptr ? 1.0F : a.weight[row];
  const float* gate = (more ? a.more_gate : a.gate) + row * out.cols;
  const float* up = (more ? a.more_up : a.up) + row * out.cols;
  const auto one = [&](float g, float u) {
    g = fminf(g, a.limit);
    u = fminf(fmaxf(u, -a.limit), a.limit);
    return g / (1.0F + expf(-g)) * u * weight;
  };
  store_row(out, row, [&](int col) {
    const float4 g = load4(gate + col), u = load4(up + col);
    return make_float4(one(g.x, u.x), one(g.y, u.y), one(g.z, u.z), one(g.w, u.w));
  });
}

}  // namespace

LaunchError route(const RouteArgs& a, Stream stream) {
  if (a.experts < 1 || a.experts > kMostExperts || a.k < 1 || a.k > kMaxPerToken ||
      a.k > a.experts || a.step.rows > 1U << 20) {
    return LaunchError::kShape;
  }
  if (a.step.rows == 0) return LaunchError::kNone;
  if (a.step.rows <= kFewRows) {
    return launch(few_kernel, 1, kRouteThreads, 0, stream, a);
  }
  const auto blocks = [](std::size_t warps) {
    return static_cast<unsigned>((warps + kRouteWarps - 1) / kRouteWarps);
  };
  const LaunchError error = launch(route_kernel, blocks(a.step.rows), kRouteThreads, 0, stream, a);
  if (error != LaunchError::kNone) return error;
  return launch(assign_kernel, blocks(static_cast<std::size_t>(a.experts)), kRouteThreads, 0,
                stream, a);
}

LaunchError swiglu(const SwigluArgs& a, Stream stream) {
  const std::size_t rows = a.rows + a.more_rows;
  if (a.out.cols % 4 != 0 || a.more_out.cols % 4 != 0 || rows > 0x7FFFFFFFU)
    return LaunchError::kShape;
  if (rows == 0) return LaunchError::kNone;
  return launch(swiglu_kernel, static_cast<unsigned>(rows), kThreads, 0, stream, a);
}

}  // namespace ambit::inference::ops::cuda
