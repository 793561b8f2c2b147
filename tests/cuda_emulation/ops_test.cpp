// The CUDA kernels as nvcc compiled them, run on the CPU, against the reference of each op.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "inference/ops/cuda/launch.h"
#include "tests/cuda_emulation/orders.h"

namespace ambit::inference::ops {
namespace {

using cuda::LaunchError;

std::vector<float> random_floats(std::mt19937& random, std::size_t n) {
  std::normal_distribution<float> normal(0.0F, 1.0F);
  std::vector<float> out(n);
  for (float& x : out) x = normal(random);
  return out;
}

// Every order of threads and several seeds.
class CudaOps : public ::testing::TestWithParam<testing::ThreadOrder> {
 protected:
  void SetUp() override { testing::set_thread_order(GetParam()); }
};

TEST_P(CudaOps, RmsNormIsTheReference) {
  std::mt19937 random(1);
  for (const std::size_t dim : {1U, 31U, 32U, 33U, 255U, 256U, 257U, 512U, 4096U}) {
    for (const bool weighted : {false, true}) {
      const std::size_t rows = 3, stride = dim + 5;
      const auto x = random_floats(random, rows * stride), weight = random_floats(random, dim);
      std::vector<float> expected(rows * dim), got(rows * dim, NAN);
      RmsNormArgs args;
      args.x = x.data();
      args.x_stride = stride;
      args.weight = weighted ? weight.data() : nullptr;
      args.out = expected.data();
      args.out_stride = dim;
      args.rows = rows;
      args.dim = dim;
      args.eps = 1e-6F;
      rms_norm_reference(args);
      args.out = got.data();
      ASSERT_EQ(cuda::rms_norm(args, nullptr), LaunchError::kNone);
      for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], expected[i], 2e-6F * (1 + std::abs(expected[i])))
            << "differs from the reference: dim " << dim << " at " << i;
      }
    }
  }
}

struct Weights {
  Matrix matrix;
  std::vector<std::byte> data;
  std::vector<std::uint8_t> scales;
};

Weights random_weights(std::mt19937& random, MatrixType type, std::size_t rows, std::size_t cols) {
  Weights w;
  const bool fp8 = type == MatrixType::kFp8Block128;
  w.data.resize(fp8 ? rows * cols : rows * cols / 2);
  for (auto& byte : w.data) {
    auto value = static_cast<std::uint8_t>(random());
    if (fp8 && (value & 0x7FU) == 0x7FU) value ^= 1U;  // NaN has a test of its own
    byte = std::byte{value};
  }
  w.scales.resize(fp8 ? (rows + 127) / 128 * (cols / 128) : rows * (cols / 32));
  for (auto& scale : w.scales) scale = static_cast<std::uint8_t>(118 + random() % 12);
  w.matrix.type = type;
  w.matrix.rows = rows;
  w.matrix.cols = cols;
  w.matrix.data = w.data.data();
  w.matrix.scales = w.scales.data();
  return w;
}

void check_gemv(MatrixType type) {
  std::mt19937 random(2);
  const std::pair<std::size_t, std::size_t> shapes[] = {
      {1, 128}, {5, 256}, {130, 640}, {131, 1152}};
  for (const auto& [rows, cols] : shapes) {
    const auto w = random_weights(random, type, rows, cols);
    for (const std::size_t n : {1U, 2U, 8U, 9U}) {
      const auto x = random_floats(random, n * (cols + 4));
      GemmArgs args;
      args.w = &w.matrix;
      args.first = rows / 3;
      args.count = rows - args.first;
      args.x = x.data();
      args.x_stride = cols + 4;
      args.n = n;
      args.y_stride = args.count;
      std::vector<float> expected(n * args.count), got(expected.size(), NAN), one(args.count, NAN);
      args.y = expected.data();
      gemm_reference(args);
      args.y = got.data();
      ASSERT_EQ(cuda::gemv(args, nullptr), LaunchError::kNone);
      std::vector<float> row(cols);
      for (std::size_t i = 0; i < got.size(); ++i) {
        unpack_row(w.matrix, args.first + i % args.count, row.data());
        double size = 0;
        for (std::size_t c = 0; c < cols; ++c) {
          size += std::abs(double(row[c]) * x[i / args.count * args.x_stride + c]);
        }
        ASSERT_NEAR(got[i], expected[i], 1e-6 * size)
            << "differs from the reference: " << rows << " x " << cols << ", row " << i;
      }
      // A row's bits do not depend on how many rows a call has.
      args.x += (n - 1) * args.x_stride;
      args.n = 1;
      args.y = one.data();
      ASSERT_EQ(cuda::gemv(args, nullptr), LaunchError::kNone);
      ASSERT_EQ(std::memcmp(one.data(), &got[(n - 1) * args.count], args.count * 4), 0);
    }
  }
}

TEST_P(CudaOps, Fp8GemvIsTheReference) {
  check_gemv(MatrixType::kFp8Block128);
}
TEST_P(CudaOps, Fp4GemvIsTheReference) {
  check_gemv(MatrixType::kFp4Group32);
}

// One value at a time, so that every code of a format and every scale is seen exactly.
TEST_P(CudaOps, EveryCodeAndScaleUnpacksExactly) {
  for (const auto type : {MatrixType::kFp8Block128, MatrixType::kFp4Group32}) {
    std::mt19937 random(3);
    auto w = random_weights(random, type, 128, 128);
    std::vector<float> x(128, 0.0F), y(128), expected(128);
    GemmArgs args;
    args.w = &w.matrix;
    args.count = 8;
    args.x = x.data();
    args.x_stride = 128;
    args.n = 1;
    args.y_stride = 128;
    // Every code at scales that keep its product finite, then every scale of 1.0.
    const auto one = static_cast<std::uint8_t>(type == MatrixType::kFp8Block128 ? 0x38 : 0x22);
    for (int turn = 0; turn < 512; ++turn) {
      const int byte = turn % 256;
      const bool codes = turn < 256;
      for (auto& data : w.data) data = std::byte(codes ? byte : one);
      for (auto& scale : w.scales) scale = static_cast<std::uint8_t>(codes ? 64 + byte / 2 : byte);
      const int column = byte % 128;
      x.assign(128, 0.0F);
      x[column] = 1.0F;
      args.y = expected.data();
      gemm_reference(args);
      args.y = y.data();
      ASSERT_EQ(cuda::gemv(args, nullptr), LaunchError::kNone);
      for (int r = 0; r < 8; ++r) {
        const bool same = y[r] == expected[r] || (std::isnan(y[r]) && std::isnan(expected[r]));
        ASSERT_TRUE(same) << "differs from the reference: byte " << byte << ": " << y[r] << " for "
                          << expected[r];
      }
    }
  }
}

TEST_P(CudaOps, ShapesThatNoKernelServesAreRefused) {
  std::mt19937 random(4);
  const auto w = random_weights(random, MatrixType::kFp8Block128, 128, 128);
  std::vector<float> x(132), y(128);
  GemmArgs args;
  args.w = &w.matrix;
  args.count = 128;
  args.x = x.data() + 1;  // not aligned
  args.x_stride = 128;
  args.n = 1;
  args.y = y.data();
  args.y_stride = 128;
  EXPECT_EQ(cuda::gemv(args, nullptr), LaunchError::kShape);
  args.x = x.data();
  args.first = 1;  // beyond the last row
  EXPECT_EQ(cuda::gemv(args, nullptr), LaunchError::kShape);
  Matrix other = w.matrix;
  other.type = MatrixType::kBf16;
  args.first = 0;
  args.w = &other;
  EXPECT_EQ(cuda::gemv(args, nullptr), LaunchError::kUnsupported);
}

INSTANTIATE_TEST_SUITE_P(Orders, CudaOps, ::testing::ValuesIn(testing::thread_orders()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace ambit::inference::ops
