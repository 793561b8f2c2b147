#include "inference/ops/thread_pool.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace ambit::inference::ops {
namespace {

// Short loops one after the other are where a worker comes late: it must join a loop that is open
// or none, and never take a piece twice.
TEST(ThreadPool, DoesEveryPieceOnceHoweverLateItsWorkersCome) {
  for (const unsigned threads : {1U, 2U, 5U}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.size(), threads);
    std::vector<int> done(64);
    for (std::size_t round = 0; round < 2000; ++round) {
      const std::size_t n = round % (done.size() + 1);
      done.assign(done.size(), 0);
      pool.parallel_workers(n, [&](std::size_t i, std::size_t worker) {
        ASSERT_LT(worker, pool.size());
        ++done[i];
      });
      for (std::size_t i = 0; i < done.size(); ++i) ASSERT_EQ(done[i], i < n ? 1 : 0);
    }
  }
}

TEST(ThreadPool, CutsARangeWithoutGapOrOverlap) {
  ThreadPool pool(3);
  for (const std::size_t n : {0U, 1U, 7U, 12U, 13U, 1000U}) {
    std::vector<int> done(n);
    pool.parallel_for(n, [&](std::size_t from, std::size_t to) {
      for (; from < to; ++from) ++done[from];
    });
    EXPECT_EQ(done, std::vector<int>(n, 1));
  }
}

}  // namespace
}  // namespace ambit::inference::ops
