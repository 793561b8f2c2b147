// Routing (ops/route.h) and the middle of an expert (ops/experts.h).
//
// route: a block a row of logits, a thread an expert: its score, then k rounds of a block-wide
// maximum (ties: lower expert); k · 2 + 2 barriers, 5 KiB of shared memory. assign: one block sorts
// the choices by expert: thread e counts its entries, one thread adds up, thread e writes its rows
// in ascending order; the choices pass through shared memory, 1024 at a time. swiglu: a block a
// row.
#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kMostExperts = 1024;

// log(1 + e^x) without overflow.
__device__ float softplus(float x) {
  return x > 20.0F ? x : log1pf(expf(x));
}

__global__ void __launch_bounds__(kMostExperts) route_kernel(const RouteArgs a) {
  __shared__ float scores[kMostExperts];
  __shared__ float best[kWarp];
  __shared__ int best_at[kWarp];
  __shared__ int chosen[kMaxPerToken];
  const std::size_t row = blockIdx.x;
  const int e = static_cast<int>(threadIdx.x);
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  const bool real = e < a.experts;
  const float score =
      real ? sqrtf(softplus(a.logits[row * static_cast<std::size_t>(a.experts) + threadIdx.x]))
           : 0.0F;
  scores[e] = score;
  if (a.experts_of_token != nullptr) {
    if (e < a.k) {
      chosen[e] = a.experts_of_token[static_cast<std::size_t>(a.step.ids[row]) *
                                         static_cast<std::size_t>(a.k) +
                                     threadIdx.x];
    }
    __syncthreads();
  } else {
    float mine = real ? score + (a.bias == nullptr ? 0.0F : a.bias[e]) : -INFINITY;
    for (int i = 0; i < a.k; ++i) {
      float value = mine;
      int at = e;
#pragma unroll
      for (int step = kWarp / 2; step > 0; step /= 2) {
        const float other = __shfl_xor_sync(kAllLanes, value, step);
        const int other_at = __shfl_xor_sync(kAllLanes, at, step);
        if (other > value || (other == value && other_at < at)) {
          value = other;
          at = other_at;
        }
      }
      if (e % kWarp == 0) {
        best[e / kWarp] = value;
        best_at[e / kWarp] = at;
      }
      __syncthreads();
      value = best[0];
      at = best_at[0];
      for (int w = 1; w < warps; ++w) {
        if (best[w] > value) {  // warps hold ascending experts: a tie keeps the lower
          value = best[w];
          at = best_at[w];
        }
      }
      if (e == at) {
        chosen[i] = e;
        mine = -INFINITY;
      }
      __syncthreads();
    }
  }
  if (e != 0) return;
  if (a.experts_of_token == nullptr) {
    for (int i = 1; i < a.k; ++i) {  // ascending
      const int id = chosen[i];
      int j = i;
      for (; j > 0 && chosen[j - 1] > id; --j) chosen[j] = chosen[j - 1];
      chosen[j] = id;
    }
  }
  float sum = 0;
  for (int i = 0; i < a.k; ++i) sum += scores[chosen[i]];
  for (int i = 0; i < a.k; ++i) {
    const std::size_t at = row * static_cast<std::size_t>(a.k) + static_cast<std::size_t>(i);
    a.ids[at] = chosen[i];
    a.weights[at] = scores[chosen[i]] / sum * a.scale;
  }
}

constexpr int kPiece = 1024;

// All choices of the step, by every thread; f(entry) for those of expert threadIdx.x.
template <class F>
__device__ void for_own_choices(const RouteArgs& a, int* piece, const F& f) {
  const int n = static_cast<int>(a.step.rows) * a.k;
  for (int from = 0; from < n; from += kPiece) {
    const int count = min(kPiece, n - from);
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
      piece[i] = a.ids[from + i];
    }
    __syncthreads();
    for (int i = 0; i < count; ++i) {
      if (piece[i] == static_cast<int>(threadIdx.x)) f(from + i);
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kMostExperts) assign_kernel(const RouteArgs a) {
  __shared__ int piece[kPiece];
  __shared__ int begin[kMostExperts + 1];
  const int e = static_cast<int>(threadIdx.x);
  const Assignment& out = a.out;
  int count = 0;
  for_own_choices(a, piece, [&](int) { ++count; });
  begin[e + 1] = count;
  __syncthreads();
  if (e == 0) {
    begin[0] = 0;
    int active = 0;
    for (int i = 0; i < a.experts; ++i) {
      if (begin[i + 1] != 0) out.active[active++] = i;
      begin[i + 1] += begin[i];
    }
    *out.n_active = active;
  }
  __syncthreads();
  if (e < a.experts) {
    out.begin[e] = begin[e];
    if (e == a.experts - 1) out.begin[a.experts] = begin[a.experts];
    if (a.uses != nullptr) a.uses[e] += static_cast<std::uint32_t>(count);
  }
  int at = e < a.experts ? begin[e] : 0;
  for_own_choices(a, piece, [&](int choice) {
    out.row[at] = choice / a.k;
    out.weight[at] = a.weights[choice];
    out.entries[choice] = at++;
  });
  // Choices of a row ascend by expert unless a hash table named them: sort each row's entries.
  __syncthreads();
  for (std::size_t row = threadIdx.x; row < a.step.rows; row += blockDim.x) {
    std::int32_t* entries = out.entries + row * static_cast<std::size_t>(a.k);
    for (int i = 1; i < a.k; ++i) {
      const std::int32_t entry = entries[i];
      int j = i;
      for (; j > 0 && entries[j - 1] > entry; --j) entries[j] = entries[j - 1];
      entries[j] = entry;
    }
  }
}

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) swiglu_kernel(const SwigluArgs a) {
  const std::size_t row = blockIdx.x;
  const float weight = a.weight == nullptr ? 1.0F : a.weight[row];
  const float* gate = a.gate + row * a.out.cols;
  const float* up = a.up + row * a.out.cols;
  const auto one = [&](float g, float u) {
    g = fminf(g, a.limit);
    u = fminf(fmaxf(u, -a.limit), a.limit);
    return g / (1.0F + expf(-g)) * u * weight;
  };
  store_row(a.out, row, [&](int col) {
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
  const unsigned threads = static_cast<unsigned>((a.experts + kWarp - 1) / kWarp * kWarp);
  route_kernel<<<static_cast<unsigned>(a.step.rows), threads, 0, stream>>>(a);
  assign_kernel<<<1, threads, 0, stream>>>(a);
  return launched();
}

LaunchError swiglu(const SwigluArgs& a, Stream stream) {
  if (a.out.cols % 4 != 0 || a.rows > 0x7FFFFFFFU) return LaunchError::kShape;
  if (a.rows == 0) return LaunchError::kNone;
  swiglu_kernel<<<static_cast<unsigned>(a.rows), kThreads, 0, stream>>>(a);
  return launched();
}

}  // namespace ambit::inference::ops::cuda
