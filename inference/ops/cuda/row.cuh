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
  // The row rounded to FP8 in groups of 64 (16 lanes), the last `rope` columns to BF16, packed;
  // dim - rope divides by 64.
  __device__ void store_packed(std::uint8_t* row, int rope) const {
    const int flat = dim - rope;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      const float scale = fp8_scale(group_max<16>(magnitude(v[i])));
      const int c = col(i);
      if (c >= dim) continue;
      if (c >= flat) {
        *reinterpret_cast<uint2*>(row + flat + 2 * (c - flat)) =
            make_uint2(bf16_pair(v[i].x, v[i].y), bf16_pair(v[i].z, v[i].w));
        continue;
      }
      const float part = 1.0F / scale;
      *reinterpret_cast<unsigned*>(row + c) =
          e4m3_code(v[i].x * part) | e4m3_code(v[i].y * part) << 8 |
          e4m3_code(v[i].z * part) << 16 | e4m3_code(v[i].w * part) << 24;
      if (c % 64 == 0) {
        row[flat + 2 * rope + c / 64] = static_cast<std::uint8_t>(__float_as_uint(scale) >> 23);
      }
    }
  }
  // Hadamard over dim (a power of two from 32 to 128).
  __device__ void hadamard() {
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
  }
  // The transformed row to FP4 in groups of 32 (8 lanes).
  __device__ void round_index() {
    hadamard();
    float4& x = v[0];
    const float scale = fp4_scale(group_max<8>(magnitude(x)));
    x = make_float4(round_e2m1(x.x, scale), round_e2m1(x.y, scale), round_e2m1(x.z, scale),
                    round_e2m1(x.w, scale));
  }
  // The same, packed, as key `column` of a block of 32.
  __device__ void store_packed_key(std::uint8_t* block, int column) {
    hadamard();
    const float4& x = v[0];
    const float scale = fp4_scale(group_max<8>(magnitude(x)));
    const float part = 1.0F / scale;
    const unsigned own = e2m1_code(x.x * part) | e2m1_code(x.y * part) << 8 |
                         e2m1_code(x.z * part) << 16 | e2m1_code(x.w * part) << 24;
    const unsigned next = __shfl_xor_sync(kAllLanes, own, 1);
    if (col(0) >= dim) return;
    if (lane() % 2 == 0) {
      *reinterpret_cast<unsigned*>(block + (lane() / 2 * 32 + column) * 4) = own | next << 4;
    }
    if (lane() % 8 == 0) {
      block[dim / 8 * 128 + lane() / 8 * 32 + column] =
          static_cast<std::uint8_t>(__float_as_uint(scale) >> 23);
    }
  }

 private:
  __device__ static float magnitude(float4 x) {
    return fmaxf(fmaxf(fabsf(x.x), fabsf(x.y)), fmaxf(fabsf(x.z), fabsf(x.w)));
  }
};

}  // namespace ambit::inference::ops::cuda
