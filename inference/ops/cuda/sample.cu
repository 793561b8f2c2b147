// The choice of tokens (ops/sample.h), bit for bit: every sum is of whole numbers, so the order in
// which threads add does not show. A block a row, 1024 threads.
//
// A token's key is its tempered logit as a number in the order of the logits, then its id, lower
// ids larger: keys differ, and likeliest first is largest first. What the filters leave are the
// keys from some key on, so each filter is one search: the first key, likeliest first, where the
// running sum of weights (or of ones) passes a number. A search adds in 1024 bins over the range of
// keys, goes on inside the bin that passes, and is done when a bin is one key: after 5 rounds for a
// vocabulary of 129,280. Greedy choice reads the logits three times, sampling nine times, six more
// for top-p, all but the first from the cache (517 KB a row).
// Shared memory: 9 KiB.
#include "inference/ops/cuda/warp.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = 1024, kWarps = kThreads / kWarp;
static_assert(kWarps == kWarp);  // a lane a warp, where a warp adds what all have counted
using Count = unsigned long long;

struct Shared {
  Count bins[kThreads];
  Count sums[kWarps];
  Count bin, rest;
};

// Larger code: larger logit. NaN is as low as minus infinity.
__device__ unsigned code_of(float x) {
  const unsigned bits = x != x ? 0xFF800000U : __float_as_uint(x + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
__device__ float logit_of(unsigned code) {
  return __uint_as_float((code & 0x80000000U) != 0 ? code ^ 0x80000000U : ~code);
}

template <class Combine>
__device__ Count block_reduce(Count value, Shared& shared, const Combine& combine) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  if (threadIdx.x % kWarp == 0) shared.sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = shared.sums[threadIdx.x % kWarp];
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  __syncthreads();
  return value;
}
__device__ Count block_sum(Count value, Shared& shared) {
  return block_reduce(value, shared, [](Count a, Count b) { return a + b; });
}
__device__ Count block_most(Count value, Shared& shared) {
  return block_reduce(value, shared, [](Count a, Count b) { return a > b ? a : b; });
}

struct Row {
  const float* logits;
  const std::uint32_t* mask;  // or null
  int vocab, id_bits;
  float temperature;  // 1 where it plays no part

  // each(f): f(key, tempered logit) of this thread's tokens that may come. Keys are not 0. Four
  // loads are on the way at once.
  template <class F>
  __device__ void each(const F& f) const {
    constexpr int kAtOnce = 4;
    const unsigned last = (1U << id_bits) - 1;
#pragma unroll 1
    for (int at = static_cast<int>(threadIdx.x); at < vocab; at += kAtOnce * kThreads) {
      float x[kAtOnce];
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) x[j] = logits[min(at + j * kThreads, vocab - 1)];
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) {
        const int i = at + j * kThreads;
        if (i >= vocab) break;
        if (mask != nullptr && (mask[i / 32] >> (i % 32) & 1U) == 0) continue;
        const unsigned code = code_of(__fdiv_rn(x[j], temperature));
        f(static_cast<Count>(code) << id_bits | (last - static_cast<unsigned>(i)), logit_of(code));
      }
    }
  }
  __device__ int id_of(Count key) const {
    const unsigned last = (1U << id_bits) - 1;
    return static_cast<int>(last - (static_cast<unsigned>(key) & last));
  }
};

// The first key, largest first, at which the running sum of amount(key, logit) passes `place`; 0
// when all of them do not.
template <class Amount>
__device__ Count find(const Row& row, Count place, Count high, Shared& shared,
                      const Amount& amount) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  Count low = 0, span = high;
  for (;;) {
    const int shift = max(0, 54 - __clzll(static_cast<long long>(span)));
    shared.bins[thread] = 0;
    if (thread == 0) shared.bin = kThreads;
    __syncthreads();
    row.each([&](Count key, float x) {
      if (key < low || key - low > span) return;
      const Count one = amount(key, x);
      if (one != 0) atomicAdd(&shared.bins[(key - low) >> shift], one);
    });
    __syncthreads();
    const Count here = shared.bins[thread];
    Count from_here = here;  // to the warp's end
#pragma unroll
    for (int step = 1; step < kWarp; step *= 2) {
      const Count other = __shfl_down_sync(kAllLanes, from_here, step);
      if (lane + step < kWarp) from_here += other;
    }
    if (lane == 0) shared.sums[warp] = from_here;
    __syncthreads();
    Count above = from_here - here;
    for (int w = warp + 1; w < kWarps; ++w) above += shared.sums[w];
    if (above <= place && place < above + here) {
      shared.bin = static_cast<Count>(thread);
      shared.rest = place - above;
    }
    __syncthreads();
    if (shared.bin == kThreads) return 0;
    low += shared.bin << shift;
    place = shared.rest;
    span = (Count{1} << shift) - 1;
    if (shift == 0) return low;
    __syncthreads();  // before `bin` is written again
  }
}

__device__ int choose(const Row& row, const SampleRow& how, Shared& shared) {
  Count best = 0;
  row.each([&](Count key, float) { best = best > key ? best : key; });
  best = block_most(best, shared);
  if (best == 0) return -1;
  if (!(how.temperature > 0)) return row.id_of(best);
  const float largest = logit_of(static_cast<unsigned>(best >> row.id_bits));
  Count from = 0;  // the least key that is left
  enum { kTopK, kTopP, kChoice };
#pragma unroll 1
  for (int filter = kTopK;; ++filter) {
    if (filter == kTopK && how.top_k <= 0) continue;
    if (filter == kTopP && !(how.top_p < 1)) continue;
    if (filter == kChoice && how.min_p > 0) {
      const Count least = weight_share(how.min_p, kWeightOne);
      Count light = 0;  // the largest key that weighs too little
      row.each([&](Count key, float x) {
        if (key > light && key != best && weight_of(x, largest) < least) light = key;
      });
      light = block_most(light, shared);
      from = from > light + 1 ? from : light + 1;
    }
    Count place = static_cast<Count>(how.top_k) - 1;
    if (filter != kTopK) {
      Count sum = 0;
      row.each([&](Count key, float x) {
        if (key >= from) sum += weight_of(x, largest);
      });
      sum = block_sum(sum, shared);
      if (filter == kTopP) {
        const Count enough = weight_share(how.top_p, sum);
        place = enough == 0 ? 0 : enough - 1;
      } else {
        place = __umul64hi(how.random, sum);
      }
    }
    const Count key = find(row, place, best, shared, [&](Count, float x) -> Count {
      return filter == kTopK ? 1 : weight_of(x, largest);
    });
    if (filter == kChoice) return row.id_of(key == 0 ? best : key);
    from = from > key ? from : key;
  }
}

__global__ void __launch_bounds__(kThreads, 1) sample_kernel(const SampleArgs a) {
  __shared__ Shared shared;
  await_before();
  const SampleRow how = a.rows[blockIdx.x];
  Row row;
  row.logits = a.logits + static_cast<std::size_t>(blockIdx.x) * a.vocab;
  row.mask = nullptr;
  row.vocab = static_cast<int>(a.vocab);
  row.id_bits = 32 - __clz(static_cast<int>(a.vocab) - 1 | 1);
  row.temperature = 1;
  Count most = 0;
  row.each([&](Count key, float) { most = most > key ? most : key; });
  most = block_most(most, shared);
  const float largest = logit_of(static_cast<unsigned>(most >> row.id_bits));
  Count sum = 0;
  // NaN stands with minus infinity in the order but weighs nothing: from the logits themselves.
  for (int i = static_cast<int>(threadIdx.x); i < row.vocab; i += kThreads) {
    sum += weight_of(row.logits[i], largest);
  }
  sum = block_sum(sum, shared);
  int id = how.given;
  if (id < 0) {
    if (how.mask >= 0)
      row.mask = a.masks + static_cast<std::size_t>(how.mask) * mask_words(a.vocab);
    if (how.temperature > 0) row.temperature = how.temperature;
    id = choose(row, how, shared);
  }
  if (threadIdx.x != 0) return;
  Sampled out;
  out.sum = sum;
  out.largest = largest;
  out.id = id;
  out.logit = id >= 0 ? row.logits[id] : 0.0F;
  a.out[blockIdx.x] = out;
}

}  // namespace

LaunchError sample(const SampleArgs& a, Stream stream) {
  if (a.vocab < 1 || a.vocab > 1U << 20U || a.n > 65535) return LaunchError::kShape;
  if (a.n == 0) return LaunchError::kNone;
  return launch(sample_kernel, dim3(static_cast<unsigned>(a.n)), kThreads, 0, stream, a);
}

}  // namespace ambit::inference::ops::cuda
