// What the card lends to the CPU and takes back, against plain loops.
#include <algorithm>

#include "tests/cuda_emulation/ops_fixture.h"

namespace ambit::inference::ops::testing {
namespace {

using cuda::LaunchError;
using cuda::LentForm;

struct Case {
  std::size_t rows, k, experts, cols;
  int lent;  // of 8 experts
};

TEST_P(CudaOps, LentRows) {
  for (const Case& c : {Case{1, 3, 8, 64, 4}, Case{1, 16, 200, 1028, 4}, Case{9, 2, 6, 256, 0},
                        Case{37, 6, 70, 36, 3}, Case{5, 4, 33, 128, 8}}) {
    for (const LentForm form : {LentForm::kF32, LentForm::kSplit, LentForm::kRounded}) {
      const std::size_t n = c.rows * c.k;
      Forms x(c.rows, c.cols);
      fill(x, c.rows, c.cols, form == LentForm::kRounded);
      Mapped<std::uint8_t> lent(c.experts);
      for (auto& l : lent) l = static_cast<int>(random_() % 8) < c.lent ? 1 : 0;
      // A routing as route() gives it.
      Ints ids(n), begin(c.experts + 1), row(n), entries(n), active(c.experts), n_active(1);
      Floats weight = floats(n);
      std::vector<std::pair<std::int32_t, std::size_t>> sorted;
      for (std::size_t r = 0; r < c.rows; ++r) {
        std::vector<std::int32_t> all(c.experts);
        for (std::size_t e = 0; e < c.experts; ++e) all[e] = static_cast<std::int32_t>(e);
        std::shuffle(all.begin(), all.end(), random_);
        std::sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(c.k));
        for (std::size_t i = 0; i < c.k; ++i) {
          ids[r * c.k + i] = all[i];
          sorted.emplace_back(all[i], r * c.k + i);
        }
      }
      std::sort(sorted.begin(), sorted.end());
      std::vector<std::int32_t> own;
      for (std::size_t entry = 0; entry < n; ++entry) {
        const auto [e, at] = sorted[entry];
        entries[at] = static_cast<std::int32_t>(entry);
        row[entry] = static_cast<std::int32_t>(at / c.k);
        for (std::size_t i = static_cast<std::size_t>(e) + 1; i <= c.experts; ++i) ++begin[i];
        if (n_active[0] == 0 || active[static_cast<std::size_t>(n_active[0]) - 1] != e) {
          active[static_cast<std::size_t>(n_active[0]++)] = e;
          if (lent[static_cast<std::size_t>(e)] == 0) own.push_back(e);
        }
      }

      Ints to_begin(c.experts + 1, -1), to_row(n, -1), rows_lent(c.rows, -1);
      Floats to_weight(n, -1.0F), to_x(c.rows * c.cols, -1.0F), out(n * c.cols, 7.0F);
      cuda::LendArgs a;
      a.assignment = {begin.data(),   row.data(),    weight.data(),
                      entries.data(), active.data(), n_active.data()};
      a.ids = ids.data();
      a.lent = lent.data();
      a.rows = c.rows;
      a.k = static_cast<int>(c.k);
      a.experts = static_cast<int>(c.experts);
      a.x = x.activation;
      a.form = form;
      a.to = {to_begin.data(), to_row.data(), to_weight.data(), to_x.data()};
      a.out = out.data();
      a.rows_lent = rows_lent.data();
      ASSERT_EQ(run(api().lend, a), LaunchError::kNone);

      const char* const differs = "differs from the reference";
      EXPECT_EQ(to_begin, begin) << differs;
      ASSERT_EQ(static_cast<std::size_t>(n_active[0]), own.size()) << differs;
      EXPECT_TRUE(std::equal(own.begin(), own.end(), active.begin())) << differs;
      for (std::size_t r = 0; r < c.rows; ++r) {
        bool any = false;
        for (std::size_t i = r * c.k; i < (r + 1) * c.k; ++i) {
          const auto entry = static_cast<std::size_t>(entries[i]);
          const bool is_lent = lent[static_cast<std::size_t>(ids[i])] != 0;
          any = any || is_lent;
          EXPECT_EQ(to_row[entry], is_lent ? static_cast<std::int32_t>(r) : -1) << differs;
          EXPECT_EQ(to_weight[entry], is_lent ? weight[entry] : -1.0F) << differs;
          const auto* at = &out[entry * c.cols];
          EXPECT_TRUE(std::all_of(at, at + c.cols, [&](float v) {
            return v == (is_lent ? 0.0F : 7.0F);
          })) << differs;
        }
        EXPECT_EQ(rows_lent[r], any ? 1 : 0) << differs;
        for (std::size_t i = r * c.cols; i < (r + 1) * c.cols; ++i) {
          ASSERT_EQ(to_x[i], any ? x.f32[i] : -1.0F) << differs << ", row " << r;
        }
      }

      const Floats before = floats(c.rows * c.cols), sums = floats(c.rows * c.cols);
      Floats y = before;
      cuda::TakeBackArgs back;
      back.rows_lent = rows_lent.data();
      back.sums = sums.data();
      back.y = y.data();
      back.rows = c.rows;
      back.dim = c.cols;
      ASSERT_EQ(run(api().take_back, back), LaunchError::kNone);
      for (std::size_t i = 0; i < y.size(); ++i) {
        ASSERT_EQ(y[i], rows_lent[i / c.cols] != 0 ? before[i] + sums[i] : before[i]) << differs;
      }
    }
  }
}

}  // namespace
}  // namespace ambit::inference::ops::testing
