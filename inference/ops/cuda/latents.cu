// What the first products of a layer leave: the query bottleneck's norm, the KV row of each token
// in its page, and the compressors (ops/compress.h). Grid [rows, 4], 128 threads; the second index
// says which part. A part that a row has nothing to do in leaves at once.
//
// Compressors: the block of a row stores the row's values and scores in the page's raw part; the
// block of a row that completes a run of `ratio` tokens also pools it, thread t channels 4 t … + 3.
// Candidates of this step are read where the products left them, earlier ones from their pages, so
// no block waits for another. Shared memory: a row of at most 512 floats; one barrier.
#include "inference/ops/cuda/row.cuh"

namespace ambit::inference::ops::cuda {

namespace {

constexpr int kThreads = 128;
constexpr int kChunks = kMaxHeadDim / 128;
constexpr int kAtOnce = 8;  // candidates whose loads are on the way together

__device__ void query_latent(const LatentsArgs& a, std::size_t row, float* partial) {
  const int dim = static_cast<int>(a.q_latent.cols);
  const float* x = a.q + row * a.q_latent.cols;
  float sum = 0;
  for (int col = 4 * static_cast<int>(threadIdx.x); col < dim; col += 4 * kThreads) {
    const float4 v = load4(x + col);
    sum = fmaf(v.x, v.x, sum);
    sum = fmaf(v.y, v.y, sum);
    sum = fmaf(v.z, v.z, sum);
    sum = fmaf(v.w, v.w, sum);
  }
  sum = block_sum<kThreads>(sum, partial);
  const float inverse = 1.0F / sqrtf(sum / static_cast<float>(dim) + a.eps);
  store_row(a.q_latent, row, [&](int col) {
    const float4 v = load4(x + col), w = load4(a.q_norm + col);
    return make_float4(w.x * (v.x * inverse), w.y * (v.y * inverse), w.z * (v.z * inverse),
                       w.w * (v.w * inverse));
  });
}

__device__ void kv_row(const LatentsArgs& a, std::size_t row, const PageRef& page, int slot) {
  if (threadIdx.x >= kWarp) return;
  WarpRow<kChunks> r;
  r.load(a.kv + row * static_cast<std::size_t>(a.head_dim), a.head_dim);
  r.norm(a.kv_norm, a.eps);
  r.rope(a.rope, row);
  float* to = page.window + a.window_at +
              static_cast<std::size_t>(slot) * static_cast<std::size_t>(a.head_dim);
  if (a.round) {
    r.store_packed(reinterpret_cast<std::uint8_t*>(to), 2 * a.rope.half);
  } else {
    r.store(to);
  }
}

struct Candidate {
  const float* value;
  const float* score;
  const float* ape;  // null: it is in the score already
};

// The token at `position` as a candidate, from channel `from` of its row on.
__device__ Candidate candidate(const CompressorArgs& c, const SegmentRef& segment,
                               std::int64_t position, int from) {
  const auto width = static_cast<std::size_t>(c.width);
  if (position >= segment.start) {
    const auto at = static_cast<std::size_t>(segment.row + (position - segment.start)) * width +
                    static_cast<std::size_t>(from);
    return {c.values + at, c.scores + at,
            c.ape + static_cast<std::size_t>(position % c.ratio) * width + from};
  }
  const PageRef& page = segment.pages[position / kPageRows];
  const auto slot = static_cast<std::size_t>(position % kPageRows);
  const float* raw = page.raw != nullptr
                         ? page.raw + c.raw_at + slot * 2 * width
                         : page.edge + c.edge_at +
                               (slot - static_cast<std::size_t>(kPageRows - c.ratio)) * 2 * width;
  return {raw + from, raw + width + from, nullptr};
}

__device__ float4 score_of(const Candidate& k) {
  const float4 s = load4(k.score);
  const float4 a = k.ape == nullptr ? make_float4(0, 0, 0, 0) : load4(k.ape);
  return make_float4(s.x + a.x, s.y + a.y, s.z + a.z, s.w + a.w);
}

__device__ void add_term(float score, float largest, float value, float& sum, float& weighted) {
  const float e = expf(score - largest);
  sum += e;
  weighted = fmaf(e, value, weighted);
}

template <bool kIndex>
__device__ void compressor(const LatentsArgs& a, const CompressorArgs& c, std::size_t row,
                           std::int64_t position, const SegmentRef& segment, const PageRef& page,
                           int slot, float* pooled) {
  if (c.values == nullptr) return;
  const auto width = static_cast<std::size_t>(c.width);
  float* raw = page.raw + c.raw_at + static_cast<std::size_t>(slot) * 2 * width;
  const float* ape = c.ape + static_cast<std::size_t>(position % c.ratio) * width;
  for (std::size_t col = 4 * threadIdx.x; col < width; col += 4 * kThreads) {
    store4(raw + col, load4(c.values + row * width + col));
    const float4 s = load4(c.scores + row * width + col), p = load4(ape + col);
    store4(raw + width + col, make_float4(s.x + p.x, s.y + p.y, s.z + p.z, s.w + p.w));
  }
  if ((position + 1) % c.ratio != 0) return;
  const std::int64_t first = position + 1 - c.ratio;  // of the run
  const int before = c.overlap && first > 0 ? c.ratio : 0;
  const int n = before + c.ratio;
  const int col = 4 * static_cast<int>(threadIdx.x);
  if (col < c.dim) {
    const auto pick = [&](int i) {
      const bool own = i >= before;
      return candidate(c, segment, first - before + i, col + (own && c.overlap ? c.dim : 0));
    };
    // Loads of kAtOnce candidates at a time; what is behind the last repeats it.
    float4 most = make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY);
    for (int from = 0; from < n; from += kAtOnce) {
      float4 s[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) s[i] = score_of(pick(min(from + i, n - 1)));
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        most = make_float4(fmaxf(most.x, s[i].x), fmaxf(most.y, s[i].y), fmaxf(most.z, s[i].z),
                           fmaxf(most.w, s[i].w));
      }
    }
    float4 sum = make_float4(0, 0, 0, 0), weighted = sum;
    for (int from = 0; from < n; from += kAtOnce) {
      float4 s[kAtOnce], v[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const Candidate k = pick(min(from + i, n - 1));
        s[i] = score_of(k);
        v[i] = load4(k.value);
      }
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        if (from + i >= n) break;
        add_term(s[i].x, most.x, v[i].x, sum.x, weighted.x);
        add_term(s[i].y, most.y, v[i].y, sum.y, weighted.y);
        add_term(s[i].z, most.z, v[i].z, sum.z, weighted.z);
        add_term(s[i].w, most.w, v[i].w, sum.w, weighted.w);
      }
    }
    store4(pooled + col, make_float4(weighted.x / sum.x, weighted.y / sum.y, weighted.z / sum.z,
                                     weighted.w / sum.w));
  }
  __syncthreads();
  if (threadIdx.x >= kWarp) return;
  WarpRow<kIndex ? 1 : kChunks> r;
  r.load(pooled, c.dim);
  r.norm(c.norm, a.eps);
  r.rope(c.rope, row);
  const int column = slot / c.ratio;  // of the page's compressed rows
  if constexpr (kIndex) {
    auto* keys = reinterpret_cast<std::uint8_t*>(page.rows) + c.out_at;
    if (a.round) {
      r.store_packed_key(keys, column);
      return;
    }
    const int per_page = kPageRows / c.ratio;
    const float v[4] = {r.v[0].x, r.v[0].y, r.v[0].z, r.v[0].w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (r.col(0) < c.dim) {
        reinterpret_cast<float*>(keys)[(r.col(0) + i) * per_page + column] = v[i];
      }
    }
  } else {
    std::uint8_t* to = reinterpret_cast<std::uint8_t*>(page.rows) + c.out_at +
                       static_cast<std::size_t>(column) * c.row_bytes;
    if (a.round) {
      r.store_packed(to, 2 * c.rope.half);
    } else {
      r.store(reinterpret_cast<float*>(to));
    }
  }
}

__global__ void __launch_bounds__(kThreads, 4) latents_kernel(const LatentsArgs a) {
  __shared__ alignas(16) float pooled[kMaxHeadDim];
  __shared__ float partial[kThreads / kWarp];
  if (blockIdx.y == 0) {
    expect(a.q_norm, a.q_latent.cols);
  } else if (blockIdx.y == 1) {
    expect(a.kv_norm, static_cast<std::size_t>(a.head_dim));
  }
  const std::size_t row = blockIdx.x;
  const std::int64_t position = a.step.positions[row];
  const SegmentRef& segment = a.step.segments[a.step.segment_of[row]];
  const PageRef page = segment.pages[position / kPageRows];
  const int slot = static_cast<int>(position % kPageRows);
  await_before();
  if (blockIdx.y == 0) {
    if (a.q != nullptr) query_latent(a, row, partial);
  } else if (blockIdx.y == 1) {
    kv_row(a, row, page, slot);
  } else if (blockIdx.y == 2) {
    compressor<false>(a, a.attention, row, position, segment, page, slot, pooled);
  } else {
    compressor<true>(a, a.index, row, position, segment, page, slot, pooled);
  }
}

bool good(const CompressorArgs& c, int most_dim) {
  return c.values == nullptr || (c.dim % 4 == 0 && c.dim > 0 && c.dim <= most_dim &&
                                 c.width % 4 == 0 && c.ratio > 0 && kPageRows % c.ratio == 0);
}

}  // namespace

LaunchError latents(const LatentsArgs& a, Stream stream) {
  if (a.head_dim % 4 != 0 || a.head_dim > kMaxHeadDim || a.q_latent.cols % 4 != 0 ||
      (a.round && (a.head_dim - 2 * a.rope.half) % 64 != 0) || a.rope.half % 2 != 0 ||
      (a.round && a.index.values != nullptr &&
       (kPageRows / a.index.ratio != 32 || a.index.dim % 32 != 0)) ||
      !good(a.attention, kMaxHeadDim) || !good(a.index, kMaxIndexDim) ||
      a.step.rows > 0x7FFFFFFFU) {
    return LaunchError::kShape;
  }
  if (a.step.rows == 0) return LaunchError::kNone;
  const unsigned parts = a.index.values != nullptr ? 4 : a.attention.values != nullptr ? 3 : 2;
  return launch(latents_kernel, dim3(static_cast<unsigned>(a.step.rows), parts), kThreads, 0,
                stream, a);
}

}  // namespace ambit::inference::ops::cuda
