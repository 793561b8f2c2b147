// The indexer's exact choice (ops/top_k.h): the k largest scores of a row, ties to the lower index,
// written ascending by index. A block a row, 1024 threads.
//
// Scores become codes whose order is that of whole numbers. The largest of each of 2048 groups of
// scores give a floor: the k-th largest of those is no larger than the k-th largest of all. What
// reaches the floor, little more than k of a long list, goes to shared memory in order, and the
// choice is made there, on two codes a thread. Where more reach it than there is room for (many
// ties, or k above 1024), the same search runs over all scores.
//
// A search for the k-th largest settles two bits a round by counting the codes that reach each of
// three bounds: one barrier a round, no atomics. Scores are read three times, once from memory,
// then from the cache, 16 bytes a lane where rows of scores are so aligned. Shared memory 17 KiB.
#include <type_traits>

#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = 1024, kWarps = kThreads / kWarp;
static_assert(kWarps == kWarp);          // a lane a warp, where a warp adds what all have counted
constexpr int kEach = 2;                 // groups, and then candidates, of a thread
constexpr int kRoom = kEach * kThreads;  // candidates
constexpr int kPiece = 4 * kWarp;        // scores that a warp reads at once

// Larger code: larger score; NaN lowest, and above the 0 of no score.
__device__ unsigned code_of(float score) {
  const unsigned bits = score != score ? 0xFF800000U : __float_as_uint(score + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

// Scores, or codes in shared memory, cut in runs of whole pieces, one a warp.
template <class T>
struct List {
  const T* values;
  int n, run;
  bool wide;  // aligned to 16 bytes

  __device__ List(const T* values, int n)
      : values(values),
        n(n),
        run((n + kWarps * kPiece - 1) / (kWarps * kPiece) * kPiece),
        wide(reinterpret_cast<std::uintptr_t>(values) % 16 == 0) {}
  __device__ int begin() const { return static_cast<int>(threadIdx.x) / kWarp * run; }
  __device__ int end() const { return min(n, begin() + run); }
  // Codes at, at + 1, at + 2, at + 3 of the list; 0 behind its end.
  __device__ void load(int at, unsigned (&out)[4]) const {
    if (wide && at + 4 <= n) {
      const auto x = *reinterpret_cast<const uint4*>(values + at);
      const unsigned bits[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) out[i] = code(bits[i]);
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      out[i] = at + i < n ? code(*reinterpret_cast<const unsigned*>(values + at + i)) : 0;
    }
  }

 private:
  __device__ static unsigned code(unsigned bits) {
    return std::is_same_v<T, float> ? code_of(__uint_as_float(bits)) : bits;
  }
};

struct Shared {
  alignas(16) unsigned candidates[kRoom];
  int indices[kRoom];
  int counts[2][3][kWarps];  // in turn
};

// The sums over the block of three counts. turn: another than that of the call before.
__device__ void block_counts(int (&count)[3], int turn, Shared& shared) {
  const int lane = threadIdx.x % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    const auto sum = __reduce_add_sync(kAllLanes, static_cast<unsigned>(count[i]));
    if (lane == 0) shared.counts[turn][i][warp] = static_cast<int>(sum);
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    count[i] = static_cast<int>(
        __reduce_add_sync(kAllLanes, static_cast<unsigned>(shared.counts[turn][i][lane])));
  }
}

// The bits above `last` of the k-th largest code; the others are 0. each(f) calls f with every code
// of this thread.
template <class Each>
__device__ unsigned kth_largest(int k, int last, Shared& shared, const Each& each) {
  unsigned found = 0;
  for (int shift = 30; shift >= last; shift -= 2) {
    int count[3] = {};
    each([&](unsigned code) {
#pragma unroll
      for (unsigned i = 0; i < 3; ++i) count[i] += code >= (found | (i + 1) << shift) ? 1 : 0;
    });
    block_counts(count, shift / 2 % 2, shared);
    const unsigned digit = count[2] >= k ? 3 : count[1] >= k ? 2 : count[0] >= k ? 1 : 0;
    found |= digit << shift;
  }
  return found;
}

// Calls write(place, index, code) in order for every code above `bound`, and for the first `ties`
// of those equal to it. Returns how many there are, in every thread.
template <class T, class Write>
__device__ int collect(const List<T>& list, unsigned bound, int ties, Shared& shared,
                       const Write& write) {
  const int lane = threadIdx.x % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const auto count = [&](const unsigned(&code)[4], int& above, int& equal) {
    above = equal = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      above += code[i] > bound ? 1 : 0;
      equal += code[i] == bound ? 1 : 0;
    }
  };
  int above = 0, equal = 0;
  for (int at = list.begin() + 4 * lane; at < list.end(); at += kPiece) {
    unsigned code[4];
    int more, same;
    list.load(at, code);
    count(code, more, same);
    above += more;
    equal += same;
  }
  above = static_cast<int>(__reduce_add_sync(kAllLanes, static_cast<unsigned>(above)));
  equal = static_cast<int>(__reduce_add_sync(kAllLanes, static_cast<unsigned>(equal)));
  __syncthreads();  // a search may still read its counts
  if (lane == 0) {
    shared.counts[0][0][warp] = above;
    shared.counts[0][1][warp] = equal;
  }
  __syncthreads();
  above = equal = 0;  // of the warps before
  int all_above = 0, all_equal = 0;
  for (int w = 0; w < kWarps; ++w) {
    const int more = shared.counts[0][0][w], same = shared.counts[0][1][w];
    above += w < warp ? more : 0;
    equal += w < warp ? same : 0;
    all_above += more;
    all_equal += same;
  }
  const int all = all_above + min(all_equal, ties);
  for (int from = list.begin(); from < list.end(); from += kPiece) {
    unsigned code[4];
    int more, same;
    list.load(from + 4 * lane, code);
    count(code, more, same);
    int before = more | same << 16;  // over the lanes up to this
#pragma unroll
    for (int step = 1; step < kWarp; step *= 2) {
      const int other = __shfl_up_sync(kAllLanes, before, step);
      if (lane >= step) before += other;
    }
    const int whole = __shfl_sync(kAllLanes, before, kWarp - 1);
    int a = above + (before & 0xFFFF) - more, e = equal + (before >> 16) - same;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (code[i] > bound) {
        write(a + min(e, ties), from + 4 * lane + i, code[i]);
        ++a;
      } else if (code[i] == bound) {
        if (e < ties) write(a + e, from + 4 * lane + i, code[i]);
        ++e;
      }
    }
    above += whole & 0xFFFF;
    equal += whole >> 16;
  }
  __syncthreads();
  return all;
}

__global__ void __launch_bounds__(kThreads, 1) top_k_kernel(const IndexArgs a) {
  __shared__ Shared shared;
  await_before();
  const std::size_t row = a.first + blockIdx.x;
  const auto visible = static_cast<int>((a.step.positions[row] + 1) / a.ratio);
  std::int32_t* out = a.selected + row * static_cast<std::size_t>(a.top);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp;
  if (visible <= a.top) {
    for (int i = thread; i < visible; i += kThreads) out[i] = i;
    return;
  }
  const List all(a.scores + blockIdx.x * a.most, visible);
  unsigned own[kEach] = {};  // the largest of a thread's groups
  for (int at = all.begin() + 4 * lane, turn = 0; at < all.end(); at += kPiece, turn ^= 1) {
    unsigned code[4];
    all.load(at, code);
    const unsigned most = max(max(code[0], code[1]), max(code[2], code[3]));
    if (turn == 0) own[0] = max(own[0], most);
    if (turn == 1) own[1] = max(own[1], most);
  }
  const auto own_codes = [&](const auto& f) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) f(own[i]);
  };
  const auto all_codes = [&](const auto& f) {
    for (int at = all.begin() + 4 * lane; at < all.end(); at += kPiece) {
      unsigned code[4];
      all.load(at, code);
#pragma unroll
      for (int i = 0; i < 4; ++i) f(code[i]);
    }
  };
  const auto keep = [&](int place, int index, unsigned code) {
    if (place >= kRoom) return;
    shared.candidates[place] = code;
    shared.indices[place] = index;
  };
  // 16 bits of a floor are enough: rounded down, it is a floor still.
  unsigned bound = kth_largest(a.top, 16, shared, own_codes);
  if (bound == 0) bound = 1;  // 0 is no score
  const int n = collect(all, bound, visible, shared, keep);
  if (n > kRoom) {
    bound = kth_largest(a.top, 0, shared, all_codes);
    int count[3] = {};
    all_codes([&](unsigned code) { count[0] += code > bound ? 1 : 0; });
    __syncthreads();  // the last round's counts have been read
    block_counts(count, 0, shared);
    (void)collect(all, bound, a.top - count[0], shared,
                  [&](int place, int index, unsigned) { out[place] = index; });
    return;
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int at = thread + i * kThreads;
    own[i] = at < n ? shared.candidates[at] : 0;
  }
  bound = kth_largest(a.top, 0, shared, own_codes);
  int count[3] = {};
  own_codes([&](unsigned code) { count[0] += code > bound ? 1 : 0; });
  __syncthreads();
  block_counts(count, 0, shared);
  (void)collect(List(&shared.candidates[0], n), bound, a.top - count[0], shared,
                [&](int place, int index, unsigned) { out[place] = shared.indices[index]; });
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
