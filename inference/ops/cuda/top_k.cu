// The indexer's exact choice (ops/top_k.h): the k largest scores of a row, ties to the lower index,
// written ascending by index. A block a row, 1024 threads.
//
// The largest of each of up to 2048 groups of scores give a floor: the k-th largest of those is no
// larger than the k-th largest of all. What reaches the floor, little more than k of a long list,
// goes to shared memory, in any order, and the choice is made there. Where more reach it than there
// is room for (many ties, or k above 1024), the same search runs over all scores.
//
// Scores become codes whose order is that of whole numbers. A search for the k-th largest of some
// codes counts them in 1024 bins over their range, goes on inside the bin that holds it, and is
// done after 3 rounds as a rule; four barriers a round. The chosen are marked as bits, whose
// running count is where each index goes. Scores are read twice, once from memory, then from the
// cache, 16 bytes a lane where rows of scores are so aligned. Shared memory: 21 KiB.
#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = 1024, kWarps = kThreads / kWarp;
static_assert(kWarps == kWarp);  // a lane a warp, where a warp adds what all have counted
constexpr int kEach = 2;         // groups, and then candidates, of a thread
constexpr int kRoom = kEach * kThreads;
constexpr int kPiece = 4 * kWarp;         // scores that a warp reads at once
constexpr int kWindow = kThreads * 32;    // scores that are marked at once
constexpr unsigned kLeast = 0x007FFFFFU;  // of a score, NaN among them; 0 stands for none

// Larger code: larger score.
__device__ unsigned code_of(float score) {
  const unsigned bits = score != score ? 0xFF800000U : __float_as_uint(score + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
__device__ float score_of(unsigned code) {
  return __uint_as_float((code & 0x80000000U) != 0 ? code ^ 0x80000000U : ~code);
}

struct Shared {
  unsigned bins[kThreads];
  unsigned sums[3][kWarps];
  unsigned bin, left, inside;
  unsigned candidates;
  unsigned codes[kRoom];
  int indices[kRoom];
};

// The scores of this thread's warp, a run of whole pieces: each(f) calls f(index of the first,
// four scores) with NaN behind the end.
struct Scores {
  const float* scores;
  int n, from, to;

  __device__ Scores(const float* scores, int n) : scores(scores), n(n) {
    const int run = (n + kWarps * kPiece - 1) / (kWarps * kPiece) * kPiece;
    from = static_cast<int>(threadIdx.x) / kWarp * run;
    to = min(n, from + run);
  }
  template <class F>
  __device__ void each(const F& f) const {
    const bool wide = reinterpret_cast<std::uintptr_t>(scores) % 16 == 0;
    for (int at = from + static_cast<int>(threadIdx.x) % kWarp * 4; at < to; at += kPiece) {
      float x[4];
      if (wide && at + 4 <= n) {
        const float4 v = load4(scores + at);
        x[0] = v.x;
        x[1] = v.y;
        x[2] = v.z;
        x[3] = v.w;
      } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) x[i] = at + i < n ? scores[at + i] : NAN;
      }
      f(at, x);
    }
  }
};

struct Kth {
  unsigned code;
  unsigned left;    // how many of those equal to it are among the k
  unsigned inside;  // of how many
};

// The k-th largest of codes in [low, high], of which there are k at least; when not `exact`, some
// code in (the k-th largest - (high - low) / 512, the k-th largest]. each(f) calls f(code, index)
// for every one of this thread's.
template <class Each>
__device__ Kth kth_largest(unsigned k, unsigned low, unsigned high, bool exact, Shared& shared,
                           const Each& each) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  unsigned span = high - low;
  for (;;) {
    const int shift = max(0, 22 - __clz(static_cast<int>(span)));
    shared.bins[thread] = 0;
    __syncthreads();
    each([&](unsigned code, int) {
      if (code >= low && code - low <= span) atomicAdd(&shared.bins[(code - low) >> shift], 1U);
    });
    __syncthreads();
    const unsigned here = shared.bins[thread];
    unsigned from_here = here;  // to the warp's end
#pragma unroll
    for (int step = 1; step < kWarp; step *= 2) {
      const unsigned other = __shfl_down_sync(kAllLanes, from_here, step);
      if (lane + step < kWarp) from_here += other;
    }
    if (lane == 0) shared.sums[0][warp] = from_here;
    __syncthreads();
    const unsigned above =
        __reduce_add_sync(kAllLanes, lane > warp ? shared.sums[0][lane] : 0) + from_here - here;
    if (above < k && k <= above + here) {
      shared.bin = static_cast<unsigned>(thread);
      shared.left = k - above;
      shared.inside = here;
    }
    __syncthreads();
    low += shared.bin << shift;
    k = shared.left;
    span = (1U << shift) - 1;
    if (shift == 0 || !exact) return {low, k, shared.inside};
  }
}

// Writes the indices that each(f) calls f(index) with, ascending.
template <class Each>
__device__ void write_chosen(std::int32_t* out, int n, Shared& shared, const Each& each) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  unsigned written = 0;
  for (int window = 0; window < n; window += kWindow) {
    shared.bins[thread] = 0;
    __syncthreads();
    each([&](int index) {
      if (index >= window && index < window + kWindow) {
        atomicOr(&shared.bins[(index - window) / 32], 1U << (index % 32));
      }
    });
    __syncthreads();
    unsigned bits = shared.bins[thread];
    const auto count = static_cast<unsigned>(__popc(bits));
    unsigned to_here = count;
#pragma unroll
    for (int step = 1; step < kWarp; step *= 2) {
      const unsigned other = __shfl_up_sync(kAllLanes, to_here, step);
      if (lane >= step) to_here += other;
    }
    if (lane == kWarp - 1) shared.sums[0][warp] = to_here;
    __syncthreads();
    const unsigned sum = shared.sums[0][lane];
    unsigned at = written + __reduce_add_sync(kAllLanes, lane < warp ? sum : 0) + to_here - count;
    written += __reduce_add_sync(kAllLanes, sum);
    for (; bits != 0; bits &= bits - 1)
      out[at++] = window + 32 * thread + 31 - __clz(static_cast<int>(bits & (~bits + 1)));
    __syncthreads();
  }
}

// The choice among codes of [low, high], of which each(f) gives this thread's to f(code, index).
template <class Each>
__device__ void choose(int k, unsigned low, unsigned high, int n, std::int32_t* out, Shared& shared,
                       const Each& each) {
  const Kth kth = kth_largest(static_cast<unsigned>(k), low, high, true, shared, each);
  unsigned first = 0;  // of the complements of equal ones' indices
  if (kth.left < kth.inside) {
    first =
        kth_largest(kth.left, ~static_cast<unsigned>(n - 1), ~0U, true, shared, [&](const auto& f) {
          each([&](unsigned code, int index) {
            if (code == kth.code) f(~static_cast<unsigned>(index), index);
          });
        }).code;
  }
  write_chosen(out, n, shared, [&](const auto& f) {
    each([&](unsigned code, int index) {
      if (code > kth.code || (code == kth.code && ~static_cast<unsigned>(index) >= first)) f(index);
    });
  });
}

__global__ void __launch_bounds__(kThreads, 1) top_k_kernel(const IndexArgs a) {
  __shared__ Shared shared;
  const std::size_t row = a.first + blockIdx.x;
  const auto n = static_cast<int>((a.step.positions[row] + 1) / a.ratio);
  await_before();
  std::int32_t* out = a.selected + row * static_cast<std::size_t>(a.top);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  if (n <= a.top) {
    for (int i = thread; i < n; i += kThreads) out[i] = i;
    return;
  }
  const Scores scores(a.scores + blockIdx.x * a.most, n);
  // The largest of this thread's groups, of every other piece each.
  unsigned own[kEach] = {};
  int turn = 0;
  scores.each([&](int, const float(&x)[4]) {
    const unsigned most = code_of(fmaxf(fmaxf(x[0], x[1]), fmaxf(x[2], x[3])));
    if (turn == 0) own[0] = max(own[0], most);
    if (turn == 1) own[1] = max(own[1], most);
    turn ^= 1;
  });
  const unsigned most = max(own[0], own[1]);
  const unsigned least = own[1] == 0 ? own[0] : min(own[0], own[1]);
  const unsigned warp_most = __reduce_max_sync(kAllLanes, most);
  const unsigned warp_least = ~__reduce_max_sync(kAllLanes, least == 0 ? 0 : ~least);
  const unsigned warp_groups =
      __reduce_add_sync(kAllLanes, (own[0] != 0 ? 1U : 0U) + (own[1] != 0 ? 1U : 0U));
  if (lane == 0) {
    shared.sums[0][warp] = warp_most;
    shared.sums[1][warp] = ~warp_least;
    shared.sums[2][warp] = warp_groups;
  }
  if (thread == 0) shared.candidates = 0;
  __syncthreads();
  const unsigned high = __reduce_max_sync(kAllLanes, shared.sums[0][lane]);
  unsigned low = ~__reduce_max_sync(kAllLanes, shared.sums[1][lane]);
  const unsigned groups = __reduce_add_sync(kAllLanes, shared.sums[2][lane]);
  __syncthreads();
  if (groups < static_cast<unsigned>(a.top)) {
    low = kLeast;
  } else {
    low = kth_largest(static_cast<unsigned>(a.top), low, high, false, shared, [&](const auto& f) {
            if (own[0] != 0) f(own[0], 0);
            if (own[1] != 0) f(own[1], 0);
          }).code;
  }
  const float floor = score_of(low);  // NaN is not below it: taken, and never chosen before others
  scores.each([&](int at, const float(&x)[4]) {
    unsigned count = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) count += at + i < n && !(x[i] < floor) ? 1 : 0;
    if (count == 0) return;
    unsigned place = atomicAdd(&shared.candidates, count);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (at + i >= n || x[i] < floor) continue;
      if (place < kRoom) {
        shared.codes[place] = code_of(x[i]);
        shared.indices[place] = at + i;
      }
      ++place;
    }
  });
  __syncthreads();
  const auto candidates = static_cast<int>(shared.candidates);
  if (candidates <= kRoom) {
    choose(a.top, low, high, n, out, shared, [&](const auto& f) {
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const int at = thread + i * kThreads;
        if (at < candidates) f(shared.codes[at], shared.indices[at]);
      }
    });
  } else {
    choose(a.top, low, high, n, out, shared, [&](const auto& f) {
      scores.each([&](int at, const float(&x)[4]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if (at + i < n) f(code_of(x[i]), at + i);
        }
      });
    });
  }
}

}  // namespace

LaunchError top_k(const IndexArgs& a, Stream stream) {
  if (a.ratio <= 0 || a.top <= 0 || a.rows > 65535 || a.first + a.rows > a.step.rows ||
      a.most > 0x7FFF0000U) {
    return LaunchError::kShape;
  }
  if (a.rows == 0) return LaunchError::kNone;
  return launch(top_k_kernel, dim3(static_cast<unsigned>(a.rows)), kThreads, 0, stream, a);
}

}  // namespace ambit::inference::ops::cuda
