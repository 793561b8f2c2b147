// Products with matrices of every format, one and those of experts, against the reference.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "tests/cuda_emulation/ops_fixture.h"

namespace ambit::inference::ops::testing {
namespace {

using cuda::LaunchError;

// terms: of x as BF16 where it is not rounded; two leave 2^-17 of it out.
void check_linear(CudaOps& t, MatrixType type, bool round, std::size_t rows, std::size_t cols,
                  int terms = 3) {
  // A card's matrix units cut where the emulation rounds: 1.02e-6 was seen on an H200.
  const double limit = 2e-6 + (terms == 2 ? 0x1p-17 : 0);
  const Weights w = t.weights(type, rows, cols);
  for (const std::size_t n : {1U, 9U, 33U, 150U}) {
    Forms x(n, cols);
    t.fill(x, n, cols, round);
    cuda::LinearArgs a;
    a.jobs[0].w = w.matrix;
    a.jobs[0].round = round;
    a.n_jobs = 1;
    a.x = x.activation;
    a.x.terms = terms;
    a.n = n;
    Floats got(n * rows, NAN), expected(n * rows), one(rows, NAN);
    a.jobs[0].y = got.data();
    ASSERT_EQ(run(api().linear, a), LaunchError::kNone);
    GemmArgs g;
    g.w = &w.matrix;
    g.count = rows;
    g.x = x.f32.data();
    g.x_stride = cols;
    g.n = n;
    g.y = expected.data();
    g.y_stride = rows;
    gemm_reference(g);
    Floats row(cols);
    for (std::size_t i = 0; i < got.size(); ++i) {
      unpack_row(w.matrix, i % rows, row.data());
      double size = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        size += std::fabs(static_cast<double>(row[c]) * x.f32[i / rows * cols + c]);
      }
      ASSERT_NEAR(got[i], expected[i], limit * size)
          << "differs from the reference: " << rows << " x " << cols << ", " << n << " rows, " << i;
    }
    // A row's bits do not depend on how many rows a call has, nor on which tile serves it.
    Forms last(1, cols);
    last.take(x, n - 1);
    a.x = last.activation;
    a.x.terms = terms;
    a.n = 1;
    a.jobs[0].y = one.data();
    ASSERT_EQ(run(api().linear, a), LaunchError::kNone);
    ASSERT_EQ(std::memcmp(one.data(), &got[(n - 1) * rows], rows * 4), 0)
        << "differs from the reference: a row alone";
  }
}

TEST_P(CudaOps, LinearIsTheReference) {
  check_linear(*this, MatrixType::kF32, false, 19, 36);
  check_linear(*this, MatrixType::kBf16, false, 19, 96);
  check_linear(*this, MatrixType::kFp8Block128, false, 140, 192);
  check_linear(*this, MatrixType::kFp8Block128, true, 19, 640);
  check_linear(*this, MatrixType::kFp4Group32, false, 19, 128);
  check_linear(*this, MatrixType::kFp4Group32, true, 33, 1280);
  // Rows that the tile of many tokens serves, the last block with fewer than it has room for.
  check_linear(*this, MatrixType::kBf16, false, 288, 96);
  check_linear(*this, MatrixType::kBf16, false, 32, 544, 2);
  check_linear(*this, MatrixType::kFp8Block128, false, 32, 192);
  check_linear(*this, MatrixType::kFp8Block128, false, 288, 128, 2);
  check_linear(*this, MatrixType::kFp8Block128, true, 288, 1152);
}

// Rows are sent to experts in turn, one expert gets none; a matrix beside, as the shared expert's.
void check_experts(CudaOps& t, MatrixType type, std::size_t rows, std::size_t n) {
  const std::size_t experts = 5, k = 2, cols = 256;
  const bool round = type == MatrixType::kFp4Group32;
  std::vector<Weights> w;
  for (std::size_t e = 0; e < 2 * experts; ++e) w.push_back(t.weights(type, rows, cols));
  Mapped<const std::byte*> data[2];
  Mapped<const std::uint8_t*> scales[2];
  for (std::size_t e = 0; e < 2 * experts; ++e) {
    data[e % 2].push_back(w[e].matrix.data);
    scales[e % 2].push_back(w[e].matrix.scales);
  }
  // Expert 3 has no rows, expert 0 twice as many as others.
  Ints begin, row, active, n_active = {4};
  for (std::size_t e = 0; e < experts; ++e) {
    begin.push_back(static_cast<std::int32_t>(row.size()));
    if (e != 3) active.push_back(static_cast<std::int32_t>(e));
    for (std::size_t r = 0; r < n; ++r) {
      if (e == 0 ? r % 4 != 0 : e != 3 && (r % 4 == e || (r % 4 == 0 && e == 4))) {
        row.push_back(static_cast<std::int32_t>(r));
      }
    }
  }
  begin.push_back(static_cast<std::int32_t>(row.size()));
  Forms x(n, cols);
  t.fill(x, n, cols, round);
  const Weights beside = t.weights(MatrixType::kFp8Block128, 48, cols);
  Floats y[2] = {Floats(n * k * rows, NAN), Floats(n * k * rows, NAN)}, beside_y(n * 48, NAN);
  cuda::ExpertLinearArgs a;
  for (std::size_t i = 0; i < 2; ++i) {
    a.w[i] = {type, rows, cols, data[i].data(), scales[i].data()};
    a.y[i] = y[i].data();
  }
  a.n_w = 2;
  a.assignment.begin = begin.data();
  a.assignment.row = row.data();
  a.assignment.active = active.data();
  a.assignment.n_active = n_active.data();
  a.round = round;
  a.x = x.activation;
  a.rows = n;
  a.k = k;
  a.experts = experts;
  a.beside.w = beside.matrix;
  a.beside.y = beside_y.data();
  a.beside_x = x.activation;
  ASSERT_EQ(run(api().expert_linear, a), LaunchError::kNone);
  // Each row alone, by the dense kernel: the same bits.
  const auto check = [&](const Matrix& m, bool rounds, std::size_t r, const float* got) {
    Forms one(1, cols);
    one.take(x, r);
    Floats want(m.rows, NAN);
    cuda::LinearArgs l;
    l.jobs[0].w = m;
    l.jobs[0].y = want.data();
    l.jobs[0].round = rounds;
    l.n_jobs = 1;
    l.x = one.activation;
    l.n = 1;
    ASSERT_EQ(run(api().linear, l), LaunchError::kNone);
    ASSERT_EQ(std::memcmp(want.data(), got, m.rows * 4), 0)
        << "differs from the reference: row " << r;
  };
  for (std::size_t e = 0; e < experts; ++e) {
    for (auto entry = static_cast<std::size_t>(begin[e]);
         entry < static_cast<std::size_t>(begin[e + 1]); entry += 1 + entry % 7) {
      for (std::size_t i = 0; i < 2; ++i) {
        check(w[2 * e + i].matrix, round, static_cast<std::size_t>(row[entry]),
              &y[i][entry * rows]);
      }
    }
  }
  for (std::size_t r = 0; r < n; r += 5) check(beside.matrix, false, r, &beside_y[r * 48]);
}

TEST_P(CudaOps, ExpertsAreTheirMatrices) {
  check_experts(*this, MatrixType::kFp4Group32, 32, 6);  // streams, the matrix beside in one launch
  check_experts(*this, MatrixType::kFp4Group32, 160, 110);  // tiles of 64 and 32 tokens
  check_experts(*this, MatrixType::kFp4Group32, 32, 60);    // of 48 and 16
  check_experts(*this, MatrixType::kFp8Block128, 32, 90);
}

// One value at a time, so that every code of a format and every scale is seen exactly.
TEST_P(CudaOps, EveryCodeAndScaleUnpacksExactly) {
  for (const auto type : {MatrixType::kFp8Block128, MatrixType::kFp4Group32}) {
    Weights w = weights(type, 16, 128);
    const auto one = static_cast<std::uint8_t>(type == MatrixType::kFp8Block128 ? 0x38 : 0x22);
    for (int turn = 0; turn < 512; turn += 1 + turn % 3) {
      const int byte = turn % 256;
      const bool codes = turn < 256;
      if (codes && type == MatrixType::kFp8Block128 && (byte & 0x7F) == 0x7F) continue;  // NaN
      if (!codes && byte < 40) continue;  // so small that it may round to zero
      for (auto& data : w.data) data = std::byte(codes ? byte : one);
      for (auto& scale : w.scales) scale = static_cast<std::uint8_t>(codes ? 64 + byte / 4 : byte);
      Forms x(1, 128);
      x.set(static_cast<std::size_t>(byte) % 128, 1.0F);
      Floats got(16, NAN), row(128);
      cuda::LinearArgs a;
      a.jobs[0].w = w.matrix;
      a.jobs[0].y = got.data();
      a.jobs[0].round = true;
      a.n_jobs = 1;
      a.x = x.activation;
      a.n = 1;
      ASSERT_EQ(run(api().linear, a), LaunchError::kNone);
      for (std::size_t r = 0; r < 16; ++r) {
        if (!codes && byte > 127 + 21) {
          ASSERT_TRUE(std::isnan(got[r])) << "differs from the reference: a scale out of range";
          continue;
        }
        unpack_row(w.matrix, r, row.data());
        ASSERT_EQ(got[r], row[static_cast<std::size_t>(byte) % 128])
            << "differs from the reference: turn " << turn;
      }
    }
  }
}

}  // namespace
}  // namespace ambit::inference::ops::testing
