// kill -9 of the program in the midst of its renames: the tree becomes whole without anybody
// starting anything.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <chrono>
#include <thread>

#include "daemon/assists/refactor/journal_guard.h"
#include "tests/daemon/refactor/tree.h"

namespace ambit::daemon {
namespace {

constexpr std::size_t kFiles = 400;

std::string name_of(std::size_t i) {
  const auto digits = std::to_string(i);
  return "f" + std::string(4 - digits.size(), '0') + digits + ".txt";
}

class Guard : public ::testing::Test {
 protected:
  Guard() {
    for (std::size_t i = 0; i < kFiles; ++i) {
      tree_.write(name_of(i), "old\n");
      add(changes_, name_of(i), "old\n", "new\n");
    }
  }
  // How many files are as after; every other one is as before.
  std::size_t after() {
    std::size_t out = 0;
    for (std::size_t i = 0; i < kFiles; ++i) {
      const auto text = tree_.read(name_of(i));
      EXPECT_TRUE(text == "old\n" || text == "new\n") << name_of(i) << ": " << text;
      out += text == "new\n" ? 1 : 0;
    }
    return out;
  }
  std::size_t temporaries() {
    std::size_t out = 0;
    for (const auto& e : std::filesystem::directory_iterator(tree_.root()))
      out += e.path().filename().string().starts_with(".ambit-") ? 1 : 0;
    return out;
  }
  // A process that applies, and dies with SIGKILL at the n-th rename.
  void apply_and_die(std::size_t n, bool guarded) {
    const auto child = ::fork();
    if (child == 0) {
      std::size_t renames = 0;
      auto journal = tree_.journal([&](std::string_view what) -> Result<void> {
        if (what == "rename" && ++renames == n) ::kill(::getpid(), SIGKILL);
        return {};
      });
      if (guarded) journal.guard_with(AMBIT_PROGRAM);
      ApplyRequest request;
      request.title = "all";
      static_cast<void>(journal.apply(changes_, request));
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it was not killed at rename " << n;
  }
  // Waits until the tree is whole; false after a long while.
  bool whole() {
    for (int i = 0; i < 2000; ++i) {
      const auto n = after();
      if ((n == 0 || n == kFiles) && temporaries() == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  Tree tree_;
  ChangeSet changes_;
};

TEST_F(Guard, FinishesWhatAKilledProcessBegan) {
  apply_and_die(kFiles / 2, true);
  ASSERT_TRUE(whole());
  EXPECT_EQ(after(), kFiles);
  auto journal = tree_.journal();
  EXPECT_TRUE(journal.recover().value().empty()) << "nothing was left to do";
  undo(tree_, journal);
  EXPECT_EQ(after(), 0U);
}

TEST_F(Guard, TakesBackWhatHadNotBegun) {
  apply_and_die(1, true);
  ASSERT_TRUE(whole());
}

// So that the first test shows something.
TEST_F(Guard, WithoutItTheTreeStaysBetweenUntilTheNextCommand) {
  apply_and_die(kFiles / 2, false);
  EXPECT_GT(after(), 0U);
  EXPECT_LT(after(), kFiles);
  EXPECT_EQ(tree_.journal().recover().value().size(), 1U);
  EXPECT_EQ(after(), kFiles);
}

TEST_F(Guard, LeavesAloneWhatWentWell) {
  auto journal = tree_.journal();
  journal.guard_with(AMBIT_PROGRAM);
  ApplyRequest request;
  request.title = "all";
  ASSERT_TRUE(journal.apply(changes_, request));
  EXPECT_EQ(after(), kFiles);
  journal.guard_with("/no/such/program");
  EXPECT_TRUE(undo(tree_, journal).conflicts.empty());
  EXPECT_EQ(after(), 0U);
}

}  // namespace
}  // namespace ambit::daemon
