// What the kernel tests need: random data, weights of each format, activations in all their forms,
// and a sequence with pages of state. Everything lies in pinned memory that host and card both
// read.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <utility>
#include <vector>

#include "inference/device/library.h"
#include "inference/ops/packed_rows.h"
#include "inference/ops/quantize.h"
#include "tests/cuda_emulation/orders.h"

namespace ambit::inference::ops::testing {

using ambit::testing::thread_orders;
using ambit::testing::ThreadOrder;

// The library under test; a test without one fails.
inline const DeviceLibrary& library() {
  static const DeviceLibrary opened = [] {
    auto l = open_device_library();
    if (!l) {
      std::fprintf(stderr, "%s\n", l.error().message.c_str());
      std::abort();
    }
    return *l;
  }();
  return opened;
}
inline const cuda::Api& api() {
  return *library().api;
}

// Launches and waits.
template <class F, class Args>
cuda::LaunchError run(F launch, const Args& args) {
  static cuda::Stream stream = api().make_stream();
  const cuda::LaunchError error = launch(args, stream);
  if (const char* why = api().wait(stream)) ADD_FAILURE() << why;
  return error;
}

template <class T>
struct MappedAllocator {
  using value_type = T;
  MappedAllocator() = default;
  template <class U>
  MappedAllocator(const MappedAllocator<U>&) {}  // NOLINT: a conversion, as allocators need it
  T* allocate(std::size_t n) {
    void* p = api().allocate_host(n * sizeof(T));
    if (p == nullptr) throw std::bad_alloc();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, std::size_t) { api().release_host(p); }
  friend bool operator==(const MappedAllocator&, const MappedAllocator&) { return true; }
};
template <class T>
using Mapped = std::vector<T, MappedAllocator<T>>;
using Floats = Mapped<float>;
using Ints = Mapped<std::int32_t>;

struct Weights {
  Matrix matrix;
  Mapped<std::byte> data;
  Mapped<std::uint8_t> scales;
};

// A row of activations in every form, owned.
struct Forms {
  Forms(std::size_t rows, std::size_t cols)
      : f32(rows * cols, 0.0F),
        split(3 * rows * cols + 8),
        rounded(rows * cols + 8),
        plane(rows * cols) {
    activation.f32 = f32.data();
    activation.split = split.data();
    activation.plane = plane;
    activation.rounded = rounded.data();
    activation.cols = cols;
  }
  static float value(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
  float split_value(std::size_t i) const {
    return value(split[i]) + value(split[plane + i]) + value(split[2 * plane + i]);
  }
  float rounded_value(std::size_t i) const { return value(rounded[i]); }
  // x must be a BF16 value where it is read as rounded.
  void set(std::size_t i, float x) {
    f32[i] = x;
    float rest = x;
    for (std::size_t p = 0; p < 3; ++p) {
      float part = rest;
      round_bf16(&part, 1);
      split[p * plane + i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(part) >> 16U);
      rest -= part;
    }
    rounded[i] = split[i];
  }
  // Row `row` of other, as the only one.
  void take(const Forms& other, std::size_t row) {
    const std::size_t cols = activation.cols;
    for (std::size_t i = 0; i < cols; ++i) {
      f32[i] = other.f32[row * cols + i];
      rounded[i] = other.rounded[row * cols + i];
      for (std::size_t p = 0; p < 3; ++p)
        split[p * plane + i] = other.split[p * other.plane + row * cols + i];
    }
  }
  Floats f32;
  Mapped<std::uint16_t> split, rounded;
  std::size_t plane;
  cuda::Activation activation;
};

// Every order of threads, several seeds.
class CudaOps : public ::testing::TestWithParam<ThreadOrder> {
 public:
  Floats floats(std::size_t n) {
    std::normal_distribution<float> normal(0.0F, 1.0F);
    Floats out(n);
    for (float& x : out) x = normal(random_);
    return out;
  }
  void fill(Forms& x, std::size_t rows, std::size_t cols, bool round) {
    auto values = floats(rows * cols);
    for (std::size_t r = 0; round && r < rows; ++r) round_input_row(values.data() + r * cols, cols);
    for (std::size_t i = 0; i < values.size(); ++i) x.set(i, values[i]);
  }
  Weights weights(MatrixType type, std::size_t rows, std::size_t cols) {
    Weights w;
    const bool fp8 = type == MatrixType::kFp8Block128;
    const bool fp4 = type == MatrixType::kFp4Group32;
    if (fp8 || fp4) {
      w.data.resize(fp8 ? rows * cols : rows * cols / 2);
      for (auto& byte : w.data) {
        auto value = static_cast<std::uint8_t>(random_());
        if (fp8 && (value & 0x7FU) == 0x7FU) value ^= 1U;
        byte = std::byte{value};
      }
      w.scales.resize(fp8 ? (rows + 127) / 128 * ((cols + 127) / 128) : rows * (cols / 32));
      for (auto& scale : w.scales) scale = static_cast<std::uint8_t>(118 + random_() % 12);
    } else {
      auto values = floats(rows * cols);
      w.data.resize(rows * cols * (type == MatrixType::kF32 ? 4 : 2));
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto bits = std::bit_cast<std::uint32_t>(values[i]);
        if (type == MatrixType::kF32) {
          reinterpret_cast<std::uint32_t*>(w.data.data())[i] = bits;
        } else {
          reinterpret_cast<std::uint16_t*>(w.data.data())[i] =
              static_cast<std::uint16_t>(bits >> 16U);
        }
      }
    }
    w.matrix.type = type;
    w.matrix.rows = rows;
    w.matrix.cols = cols;
    w.matrix.data = w.data.data();
    w.matrix.scales = w.scales.data();
    return w;
  }

  std::mt19937 random_{1};

 protected:
  void SetUp() override {
    static const auto set = reinterpret_cast<ambit::testing::SetThreadOrder>(
        dlsym(library().handle, "ambit_set_thread_order"));
    if (set != nullptr) {
      set(GetParam().order, GetParam().seed);
    } else if (GetParam().order != 0) {
      GTEST_SKIP() << "a real card orders its threads itself";
    }
  }
};

// A sequence whose pages hold random rows: window rows of `row_dim`, rows and transposed index keys
// of a ratio-4 layer. Floats, or packed and the floats of the packed rows beside the pages.
struct Sequence {
  static constexpr int kDim = 260;
  static constexpr std::size_t kRowsAt = 32, kIndexAt = 32 + 4 * 32 * 512;  // bytes

  Sequence(CudaOps& t, std::int64_t tokens, int row_dim = kDim)
      : dim(static_cast<std::size_t>(row_dim)), row_bytes(4 * dim) {
    for (std::int64_t at = 0; at < tokens; at += cuda::kPageRows) {
      rows_of.push_back(t.floats(kIndexAt / 4 + 32 * 128));
      window_of.push_back(t.floats(cuda::kPageRows * dim));
      pages.push_back({rows_of.back().data(), window_of.back().data(), nullptr, nullptr});
    }
    segment.push_back({pages.data(), 0, 0, 0, 0});
  }
  // The rows as a step with rounding leaves them, (dim - rope) a multiple of 64.
  void pack_rows(std::size_t rope) {
    row_bytes = (kv_row_bytes(dim, rope) + 15) / 16 * 16;
    packed.reserve(2 * pages.size());
    for (std::size_t page = 0; page < pages.size(); ++page) {
      Floats& window = packed.emplace_back(window_of[page].size());
      Floats& rows = packed.emplace_back(rows_of[page].size());
      const auto pack = [&](float* row, Floats& to, std::size_t at) {
        round_kv_row(row, dim, rope);
        pack_kv_row(row, dim, rope, reinterpret_cast<std::uint8_t*>(to.data()) + at);
      };
      for (std::size_t r = 0; r < 128; ++r) pack(&window_of[page][r * dim], window, 4 * r * dim);
      for (std::size_t r = 0; r < 32; ++r) {
        pack(&rows_of[page][kRowsAt / 4 + r * dim], rows, kRowsAt + r * row_bytes);
      }
      pages[page].window = window.data();
      pages[page].rows = rows.data();
    }
  }
  void pack_keys(std::size_t index_dim) {
    std::vector<float> key(index_dim);
    for (std::size_t page = 0; page < pages.size(); ++page) {
      Floats& to = packed.emplace_back(rows_of[page].size());
      for (std::size_t c = 0; c < kKeyBlock; ++c) {
        float* column = &rows_of[page][kIndexAt / 4 + c];
        for (std::size_t i = 0; i < index_dim; ++i) key[i] = column[i * kKeyBlock];
        round_fp4(key.data(), index_dim, 32);
        for (std::size_t i = 0; i < index_dim; ++i) column[i * kKeyBlock] = key[i];
        pack_key(key.data(), index_dim, c, reinterpret_cast<std::uint8_t*>(to.data()) + kIndexAt);
      }
      pages[page].rows = to.data();
    }
  }
  void rows(const std::vector<std::pair<std::int64_t, std::int32_t>>& at) {
    for (const auto& [position, of] : at) {
      positions.push_back(position);
      segment_of.push_back(of);
    }
    step.positions = positions.data();
    step.segment_of = segment_of.data();
    step.segments = segment.data();
    step.rows = positions.size();
  }
  const float* window(std::int64_t p) const {
    return &window_of[static_cast<std::size_t>(p / 128)][static_cast<std::size_t>(p % 128) * dim];
  }
  const float* row(std::int64_t c, int ratio) const {
    const std::int64_t p = c * ratio;
    return &rows_of[static_cast<std::size_t>(p / 128)]
                   [kRowsAt / 4 + static_cast<std::size_t>(p % 128 / ratio) * dim];
  }
  // Its values lie 32 apart.
  const float* key(std::size_t c) const { return &rows_of[c / 32][kIndexAt / 4 + c % 32]; }

  std::size_t dim, row_bytes;
  std::vector<Floats> rows_of, window_of, packed;
  Mapped<cuda::PageRef> pages;
  Mapped<cuda::SegmentRef> segment;
  Mapped<std::int64_t> positions;
  Ints segment_of;
  cuda::StepRows step;
};

}  // namespace ambit::inference::ops::testing
