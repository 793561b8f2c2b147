// The choice of tokens on the card: the same token and the same sum, bit for bit, as on the CPU.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "inference/ops/sample.h"
#include "tests/cuda_emulation/ops_fixture.h"

namespace ambit::inference::ops {
namespace {

using namespace testing;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows of every way to choose, over logits that have ties, a few giants, NaN and infinities.
void check_choices(CudaOps& t, std::size_t vocab, float spread, int strange) {
  SCOPED_TRACE("vocabulary of " + std::to_string(vocab) + ", strange " + std::to_string(strange));
  std::vector<SampleRow> wanted;
  for (const float temperature : {0.0F, 0.3F, 1.0F, 7.0F}) {
    for (const std::int32_t top_k : {0, 1, 5, 4000}) {
      for (const float top_p : {1.0F, 0.9F, 0.2F, 0.0F}) {
        const float min_p = t.random_() % 3 == 0 ? 0.05F : 0.0F;
        SampleRow row{.temperature = temperature, .top_p = top_p, .min_p = min_p, .top_k = top_k};
        row.random = random_at(3, wanted.size());
        if (wanted.size() % 7 == 1) row.random = ~std::uint64_t{0};
        if (wanted.size() % 7 == 2) row.random = 0;
        row.mask = static_cast<std::int32_t>(t.random_() % 4) - 1;
        if (wanted.size() % 11 == 10) row.given = static_cast<std::int32_t>(vocab - 1);
        wanted.push_back(row);
      }
    }
  }
  const std::size_t n = wanted.size(), words = mask_words(vocab);
  // Masks: nearly all, few, none.
  Mapped<std::uint32_t> masks(3 * words);
  for (std::size_t w = 0; w < words; ++w) {
    masks[w] = static_cast<std::uint32_t>(t.random_() | t.random_());
    masks[words + w] = static_cast<std::uint32_t>(t.random_() & t.random_() & t.random_());
  }
  Floats logits = t.floats(n * vocab);
  for (float& x : logits) x *= spread;
  for (std::size_t i = 0; i < logits.size(); i += 3) logits[i] = std::round(logits[i]);
  if (strange > 0) {
    for (std::size_t i = 0; i < logits.size(); i += 1 + t.random_() % 40) {
      const float values[] = {NAN, -kInfinity, 0.0F, -0.0F, strange > 1 ? kInfinity : 90.0F};
      logits[i] = values[t.random_() % 5];
    }
  }
  Mapped<SampleRow> rows(wanted.begin(), wanted.end());
  Mapped<Sampled> got(n);
  ASSERT_EQ(run(api().sample,
                cuda::SampleArgs{logits.data(), n, vocab, rows.data(), masks.data(), got.data()}),
            cuda::LaunchError::kNone);
  RowSampler reference;
  for (std::size_t r = 0; r < n; ++r) {
    const auto mask = static_cast<std::size_t>(rows[r].mask < 0 ? 0 : rows[r].mask);
    const Sampled want = reference.sample(
        {&logits[r * vocab], vocab}, rows[r],
        rows[r].mask < 0 ? std::span<const std::uint32_t>()
                         : std::span<const std::uint32_t>(&masks[mask * words], words));
    ASSERT_EQ(got[r].id, want.id) << "differs from the reference: row " << r;
    ASSERT_EQ(got[r].sum, want.sum) << "differs from the reference: row " << r;
    ASSERT_EQ(got[r].largest, want.largest) << "differs from the reference: row " << r;
    if (want.id < 0) {
      ASSERT_EQ(rows[r].given, -1);
      continue;
    }
    const float logit = logits[r * vocab + static_cast<std::size_t>(want.id)];
    ASSERT_TRUE(got[r].logit == logit || (std::isnan(logit) && std::isnan(got[r].logit)))
        << "differs from the reference: row " << r;
  }
}

TEST_P(CudaOps, ChoicesAreTheReferencesBitForBit) {
  check_choices(*this, 1, 3, 0);
  check_choices(*this, 33, 3, 0);
  check_choices(*this, 33, 3, 1);
  check_choices(*this, 1025, 2, 2);
  check_choices(*this, 2049, 5, 0);
}

TEST_P(CudaOps, VocabulariesThatNoKernelServesAreRefused) {
  cuda::SampleArgs a;
  a.n = 1;
  EXPECT_EQ(run(api().sample, a), cuda::LaunchError::kShape);
  a.vocab = (1U << 20U) + 1;
  EXPECT_EQ(run(api().sample, a), cuda::LaunchError::kShape);
}

}  // namespace
}  // namespace ambit::inference::ops
