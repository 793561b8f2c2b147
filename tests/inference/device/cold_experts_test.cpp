// What the CPU makes of the rows that a card lends it. The card is a table of plain functions here;
// the real kernels and streams are in tests/cuda_emulation.
#include "inference/device/cold_experts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>

#include "inference/ops/gemm.h"

namespace ambit::inference {
namespace {

namespace cuda = ops::cuda;

constexpr std::size_t kDim = 64, kInner = 32, kExperts = 4, kTop = 2, kRows = 11;

bool nonsense = false;

cuda::LaunchError lend(const cuda::LendArgs& a, cuda::Stream) {
  std::copy_n(a.assignment.begin, a.experts + 1, a.to.begin);
  const std::size_t n = a.rows * static_cast<std::size_t>(a.k);
  std::copy_n(a.assignment.row, n, a.to.row);
  std::copy_n(a.assignment.weight, n, a.to.weight);
  std::copy_n(a.x.f32, a.rows * kDim, a.to.x);
  if (nonsense) std::fill_n(a.to.row, n, static_cast<std::int32_t>(a.rows));
  return cuda::LaunchError::kNone;
}
cuda::LaunchError take_back(const cuda::TakeBackArgs& a, cuda::Stream) {
  for (std::size_t i = 0; i < a.rows * a.dim; ++i) a.y[i] += a.sums[i];
  return cuda::LaunchError::kNone;
}

const cuda::Api& api() {
  static const cuda::Api table = [] {
    cuda::Api a{};
    a.use = [](int) { return true; };
    a.allocate = a.allocate_host = [](std::size_t n) { return std::calloc(n, 1); };
    a.release = a.release_host = [](void* p) { std::free(p); };
    a.make_stream = []() -> cuda::Stream {
      static int one;
      return reinterpret_cast<cuda::Stream>(&one);
    };
    a.end_stream = [](cuda::Stream) {};
    a.copy = [](void* to, const void* from, std::size_t n, cuda::Stream) {
      std::memcpy(to, from, n);
      return true;
    };
    a.wait = [](cuda::Stream) -> const char* { return nullptr; };
    a.make_event = []() -> void* {
      static int one;
      return &one;
    };
    a.end_event = [](void*) {};
    a.record_event = a.await_event = [](void*, cuda::Stream) { return true; };
    a.call_host = [](void (*f)(void*), void* context, cuda::Stream) {
      f(context);
      return true;
    };
    a.lend = lend;
    a.take_back = take_back;
    return a;
  }();
  return table;
}

class ColdExpertsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    nonsense = false;
    config_.hidden_size = kDim;
    config_.moe_intermediate_size = kInner;
    config_.n_routed_experts = kExperts;
    config_.num_experts_per_tok = kTop;
    config_.swiglu_limit = 0.5F;
    std::mt19937 random(5);
    std::normal_distribution<float> normal(0.0F, 0.3F);
    const auto matrix = [&](std::size_t rows, std::size_t cols) {
      auto& values = values_.emplace_back(rows * cols);
      for (float& v : values) v = normal(random);
      ops::Matrix m;
      m.rows = rows;
      m.cols = cols;
      m.data = reinterpret_cast<const std::byte*>(values.data());
      return m;
    };
    for (std::size_t e = 0; e < kExperts; ++e) {
      experts_.push_back({matrix(kInner, kDim), matrix(kInner, kDim), matrix(kDim, kInner)});
    }
    x_.resize(kRows * kDim);
    for (float& v : x_) v = normal(random);
    // Row r chose experts r % 4 and (r + 1) % 4.
    for (std::size_t e = 0; e < kExperts; ++e) {
      begin_.push_back(static_cast<std::int32_t>(row_.size()));
      for (std::size_t r = 0; r < kRows; ++r) {
        if (r % kExperts != e && (r + 1) % kExperts != e) continue;
        row_.push_back(static_cast<std::int32_t>(r));
        weight_.push_back(0.1F + normal(random));
      }
    }
    begin_.push_back(static_cast<std::int32_t>(row_.size()));
  }
  ColdExperts::Rows rows(std::size_t block) {
    ColdExperts::Rows r;
    r.block = block;
    r.rows = kRows;
    r.k = kTop;
    r.assignment.begin = begin_.data();
    r.assignment.row = row_.data();
    r.assignment.weight = weight_.data();
    r.x.f32 = x_.data();
    r.x.cols = kDim;
    return r;
  }
  std::unique_ptr<ColdExperts> make(const ExpertBinding& binding) {
    const std::vector<const std::vector<ExpertWeights>*> blocks = {&experts_, &experts_};
    return std::make_unique<ColdExperts>(device_, config_, Numerics::kPlain, blocks, nullptr,
                                         binding, 2);
  }

  Device device_{api(), 0};
  ModelConfig config_;
  std::deque<std::vector<float>> values_;
  std::vector<ExpertWeights> experts_;
  std::vector<float> x_;
  std::vector<std::int32_t> begin_, row_;
  std::vector<float> weight_;
};

TEST_F(ColdExpertsTest, SumsTheExpertsThatAreItsOwn) {
  const ExpertBinding binding{2, kExperts, {0, 1, 0, 1, 0, 0, 0, 0}};
  const auto cold = make(binding);
  std::vector<float> y(kRows * kDim, 1.0F);
  cold->lend(rows(0));
  cold->take_back(rows(0), y.data());
  cold->end();
  ASSERT_TRUE(device_.wait()) << device_.problem();
  std::vector<double> want(kRows * kDim, 1.0);
  for (const std::size_t e : {1U, 3U}) {
    for (std::int32_t i = begin_[e]; i < begin_[e + 1]; ++i) {
      const auto r = static_cast<std::size_t>(row_[static_cast<std::size_t>(i)]);
      const auto dot = [](const ops::Matrix& m, std::size_t row, const auto& x) {
        const auto* w = reinterpret_cast<const float*>(m.data) + row * m.cols;
        double sum = 0;
        for (std::size_t c = 0; c < m.cols; ++c) sum += static_cast<double>(w[c]) * x(c);
        return sum;
      };
      std::vector<double> middle(kInner);
      const auto x = [&](std::size_t c) { return static_cast<double>(x_[r * kDim + c]); };
      for (std::size_t j = 0; j < kInner; ++j) {
        const double limit = config_.swiglu_limit;
        const double g = std::min(dot(experts_[e].w1, j, x), limit);
        const double u = std::clamp(dot(experts_[e].w3, j, x), -limit, limit);
        middle[j] =
            g / (1 + std::exp(-g)) * u * static_cast<double>(weight_[static_cast<std::size_t>(i)]);
      }
      for (std::size_t d = 0; d < kDim; ++d) {
        want[r * kDim + d] += dot(experts_[e].w2, d, [&](std::size_t c) { return middle[c]; });
      }
    }
  }
  for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], want[i], 1e-4) << i;

  // A block without experts of the CPU's is left alone.
  std::fill(y.begin(), y.end(), 1.0F);
  cold->lend(rows(1));
  cold->take_back(rows(1), y.data());
  EXPECT_THAT(y, ::testing::Each(1.0F));
}

TEST_F(ColdExpertsTest, RowsThatAreNotThereAreTheDevicesProblem) {
  const auto cold = make({2, kExperts, {1, 1, 1, 1, 1, 1, 1, 1}});
  nonsense = true;
  cold->lend(rows(0));
  cold->end();
  EXPECT_FALSE(device_.wait());
  EXPECT_EQ(device_.problem(), "the CUDA device gave the CPU rows that are not there");
}

}  // namespace
}  // namespace ambit::inference
