// One row of up to 512 floats in the registers of a warp: lane l holds columns 128 i + 4 l … + 3 of
// chunk i. Norm, rotation, rounding and the Hadamard transform of KV rows, queries and index keys
// then need shuffles only.
#pragma once

#include "inference/ops/cuda/formats.cuh"

namespace ambit::inference::ops::cuda {

template <int kChunks>
struct WarpRow {
  float4 v[kChunks];
  int dim;

  __device__ int lane() const { return threadIdx.x % kWarp; }
  __device__ int col(int chunk) const { return 128 * chunk + 4 * lane(); }

  __device__ void load(const float* x, int n) {
    dim = n;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      v[i] = col(i) < n ? load4(x + col(i)) : make_float4(0, 0, 0, 0);
    }
  }
  __device__ void store(float* x) const {
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      if (col(i) < dim) store4(x + col(i), v[i]);
    }
  }
  // weight may be null.
  __device__ void norm(const float* weight, float eps) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      sum = fmaf(v[i].x, v[i].x, sum);
      sum = fmaf(v[i].y, v[i].y, sum);
      sum = fmaf(v[i].z, v[i].z, sum);
      sum = fmaf(v[i].w, v[i].w, sum);
    }
    const float inverse = 1.0F / sqrtf(warp_sum(sum) / static_cast<float>(dim) + eps);
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      float4 w = make_float4(1, 1, 1, 1);
      if (weight != nullptr && col(i) < dim) w = load4(weight + col(i));
      v[i] = make_float4(w.x * (v[i].x * inverse), w.y * (v[i].y * inverse),
                         w.z * (v[i].z * inverse), w.w * (v[i].w * inverse));
    }
  }
  // Turns the last 2 · rope.half columns by the angles of `row`.
  __device__ void rope(const Angles& rope, std::size_t row) {
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      const int pair = (col(i) - (dim - 2 * rope.half)) / 2;
      if (col(i) >= dim || col(i) < dim - 2 * rope.half) continue;
      const float* c = rope.cos + row * static_cast<std::size_t>(rope.half) + pair;
      const float* s = rope.sin + row * static_cast<std::size_t>(rope.half) + pair;
      v[i] = make_float4(v[i].x * c[0] - v[i].y * s[0], v[i].x * s[0] + v[i].y * c[0],
                         v[i].z * c[1] - v[i].w * s[1], v[i].z * s[1] + v[i].w * c[1]);
    }
  }
  // FP8 in groups of 64 (16 lanes), the last `rope` columns to BF16; dim - rope divides by 64.
  __device__ void round_kv(int rope) {
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      const float scale = fp8_scale(group_max<16>(magnitude(v[i])));
      if (col(i) >= dim - rope) {
        v[i] = make_float4(bf16_value(bf16_bits(v[i].x)), bf16_value(bf16_bits(v[i].y)),
                           bf16_value(bf16_bits(v[i].z)), bf16_value(bf16_bits(v[i].w)));
      } else {
        v[i] = make_float4(round_e4m3(v[i].x, scale), round_e4m3(v[i].y, scale),
                           round_e4m3(v[i].z, scale), round_e4m3(v[i].w, scale));
      }
    }
  }
  // Hadamard over dim (a power of two from 32 to 128), then FP4 in groups of 32 (8 lanes).
  __device__ void round_index() {
    float4& x = v[0];
    x = make_float4(x.x + x.y, x.x - x.y, x.z + x.w, x.z - x.w);
    x = make_float4(x.x + x.z, x.y + x.w, x.x - x.z, x.y - x.w);
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const float4 other =
          make_float4(__shfl_xor_sync(kAllLanes, x.x, step), __shfl_xor_sync(kAllLanes, x.y, step),
                      __shfl_xor_sync(kAllLanes, x.z, step), __shfl_xor_sync(kAllLanes, x.w, step));
      if (4 * step >= dim) continue;
      const bool upper = (lane() & step) != 0;
      x = upper ? make_float4(other.x - x.x, other.y - x.y, other.z - x.z, other.w - x.w)
                : make_float4(x.x + other.x, x.y + other.y, x.z + other.z, x.w + other.w);
    }
    const float unit = 1.0F / sqrtf(static_cast<float>(dim));
    x = make_float4(x.x * unit, x.y * unit, x.z * unit, x.w * unit);
    const float scale = fp4_scale(group_max<8>(magnitude(x)));
    x = make_float4(round_e2m1(x.x, scale), round_e2m1(x.y, scale), round_e2m1(x.z, scale),
                    round_e2m1(x.w, scale));
  }

 private:
  __device__ static float magnitude(float4 x) {
    return fmaxf(fmaxf(fabsf(x.x), fabsf(x.y)), fmaxf(fabsf(x.z), fabsf(x.w)));
  }
};

}  // namespace ambit::inference::ops::cuda
