#include "inference/ops/thread_pool.h"

#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

#include "inference/ops/processors.h"

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

// The processors that the threads of a pool may run on, by worker, as the system sees them.
std::vector<cpu_set_t> seen_by(ThreadPool& pool) {
  std::vector<cpu_set_t> seen(pool.size());
  std::vector<char> asked(pool.size());
  const auto all = [&] { return std::count(asked.begin(), asked.end(), 1) == std::ssize(asked); };
  while (!all()) {
    pool.parallel_workers(pool.size(), [&](std::size_t, std::size_t worker) {
      CPU_ZERO(&seen[worker]);
      EXPECT_EQ(sched_getaffinity(0, sizeof(cpu_set_t), &seen[worker]), 0);
      asked[worker] = 1;
      std::this_thread::yield();  // to the others, where all share one processor
    });
  }
  return seen;
}

TEST(ThreadPool, WorkersThatFillTheCoresAreBoundToOneEach) {
  const std::vector<int> cores = physical_cores();
  ASSERT_FALSE(cores.empty());
  if (cores.size() < 2) GTEST_SKIP() << "one core: there are no workers";
  ThreadPool pool(static_cast<unsigned>(cores.size()));
  const auto seen = seen_by(pool);
  for (std::size_t w = 1; w < seen.size(); ++w) {
    EXPECT_EQ(CPU_COUNT(&seen[w]), 1);
    EXPECT_TRUE(CPU_ISSET(cores[w], &seen[w]));
  }
}

TEST(ThreadPool, KeepsToTheAffinityMaskThatItIsGiven) {
  std::thread([] {
    const int only = physical_cores().back();
    ASSERT_TRUE(bind_to(only));
    EXPECT_EQ(ThreadPool(0).size(), 1U);
    ThreadPool more(3);
    for (const cpu_set_t& set : seen_by(more)) {
      EXPECT_EQ(CPU_COUNT(&set), 1);
      EXPECT_TRUE(CPU_ISSET(only, &set));
    }
  }).join();
}

TEST(ThreadPool, ATeamThatDoesNotFillTheCoresIsNotBound) {
  EXPECT_TRUE(places(2, {0, 1, 2, 3}).empty());
  EXPECT_TRUE(places(5, {0, 1, 2, 3}).empty());
  EXPECT_EQ(places(3, {1, 4, 6}), (std::vector<int>{1, 4, 6}));
}

TEST(ThreadPool, MemoryIsSpreadWhereItIsAsked) {
  const auto nodes = memory_nodes(physical_cores());
  if (nodes.empty()) GTEST_SKIP() << "the system names no memory nodes";
  std::thread([&] {
    if (!spread_memory(nodes)) GTEST_SKIP() << "the system does not let a thread choose";
    int policy = -1;
    ASSERT_EQ(::syscall(SYS_get_mempolicy, &policy, nullptr, 0, nullptr, 0), 0);
    EXPECT_EQ(policy, MPOL_INTERLEAVE);
  }).join();
}

}  // namespace
}  // namespace ambit::inference::ops
