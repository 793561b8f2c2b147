#include "indexer/git/history.h"

#include <gtest/gtest.h>

#include "indexer/index.h"
#include "temp_repo.h"

namespace ambit::indexer {
namespace {

// What a history says of these paths, as text.
std::string dump(const History& h, const std::vector<std::string>& paths) {
  std::string out = h.tip() + " " + std::to_string(h.commits()) + "\n";
  for (const auto& p : paths) {
    const auto f = h.of(p);
    out += p + " " + std::to_string(f.commits) + " " + std::to_string(f.last_change) + " " +
           std::to_string(f.churn) + "\n";
    for (const auto& c : h.with(p, 10))
      out += "  " + c.path + " " + std::to_string(c.together) + " " + std::to_string(c.strength) +
             "\n";
  }
  return out;
}

void commit_at(const TempRepo& repo, int day) {
  const auto date =
      "2024-01-" + std::string(day < 10 ? "0" : "") + std::to_string(day) + "T00:00:00Z";
  setenv("GIT_COMMITTER_DATE", date.c_str(), 1);
  setenv("GIT_AUTHOR_DATE", date.c_str(), 1);
  repo.commit("day " + std::to_string(day));
  unsetenv("GIT_COMMITTER_DATE");
  unsetenv("GIT_AUTHOR_DATE");
}

TempRepo& example(TempRepo& repo) {
  repo.write("a.c", "1\n");
  repo.write("a.h", "1\n");
  repo.write("b.c", "1\n");
  commit_at(repo, 1);
  repo.write("a.c", "2\n");
  repo.write("a.h", "2\n");
  commit_at(repo, 2);
  repo.write("a.c", "3\n");
  repo.write("a.h", "3\n");
  commit_at(repo, 3);
  repo.write("b.c", "2\n");
  commit_at(repo, 4);
  return repo;
}

TEST(History, SaysWhatChangesOftenLatelyAndTogether) {
  TempRepo repo;
  HistoryWalker walker(example(repo).path(), {});
  const auto h = walker.walk();
  ASSERT_TRUE(h) << h.error().message;
  EXPECT_EQ((*h)->commits(), 4U);
  EXPECT_TRUE((*h)->complete());
  EXPECT_EQ((*h)->of("a.c").commits, 3U);
  EXPECT_EQ((*h)->of("a.c").seconds_before, 86'400);
  EXPECT_EQ((*h)->of("b.c").seconds_before, 0);
  EXPECT_EQ((*h)->of("missing").commits, 0U);
  EXPECT_GT((*h)->of("a.c").churn, (*h)->of("b.c").churn);
  const auto with = (*h)->with("a.c", 10);
  ASSERT_EQ(with.size(), 2U);
  EXPECT_EQ(with[0].path, "a.h");
  EXPECT_EQ(with[0].together, 3U);
  EXPECT_DOUBLE_EQ(with[0].strength, 1.0);
  EXPECT_EQ(with[1].path, "b.c");
  EXPECT_LT(with[1].strength, 0.5);
  EXPECT_EQ((*h)->recent(2), (std::vector<std::string>{"b.c", "a.c"}));
}

TEST(History, FollowsAFileThatWasRenamed) {
  TempRepo repo;
  example(repo);
  repo.git("mv a.c src.c");
  commit_at(repo, 5);
  repo.write("a.c", "somebody else\n");
  commit_at(repo, 6);
  HistoryWalker walker(repo.path(), {});
  const auto h = walker.walk();
  ASSERT_TRUE(h);
  EXPECT_EQ((*h)->of("src.c").commits, 4U);
  EXPECT_EQ((*h)->of("a.c").commits, 1U);
  EXPECT_EQ((*h)->with("src.c", 1)[0].path, "a.h");
}

TEST(History, ASecondWalkReadsOnlyNewCommitsAndSaysTheSame) {
  TempRepo repo, cache(false);
  example(repo);
  HistoryWalker living(repo.path(), {100, cache.path()});
  ASSERT_TRUE(living.walk());
  EXPECT_EQ(living.read_commits(), 4U);
  repo.git("checkout -q -b side");
  repo.git("mv b.c c.c");
  commit_at(repo, 7);
  repo.git("checkout -q main");
  repo.write("a.h", "4\n");
  commit_at(repo, 8);
  repo.git("merge -q side -m merged");
  const std::vector<std::string> paths{"a.c", "a.h", "b.c", "c.c"};
  const auto next = living.walk();
  ASSERT_TRUE(next);
  EXPECT_EQ(living.read_commits(), 3U);
  HistoryWalker fresh(repo.path(), {});
  EXPECT_EQ(dump(**next, paths), dump(**fresh.walk(), paths));
  // Another process, and another worktree, remember too.
  HistoryWalker later(repo.path(), {100, cache.path()});
  EXPECT_EQ(dump(**later.walk(), paths), dump(**next, paths));
  EXPECT_EQ(later.read_commits(), 0U);
  // A branch that was reset says what its own commits say.
  repo.git("reset -q --hard HEAD~2");
  HistoryWalker again(repo.path(), {});
  EXPECT_EQ(dump(**living.walk(), paths), dump(**again.walk(), paths));
}

TEST(History, ADamagedMemoryIsReadAgain) {
  TempRepo repo, cache(false);
  example(repo);
  ASSERT_TRUE(HistoryWalker(repo.path(), {100, cache.path()}).walk());
  for (const auto& e : std::filesystem::directory_iterator(cache.path())) {
    std::filesystem::resize_file(e.path(), std::filesystem::file_size(e.path()) - 3);
  }
  HistoryWalker walker(repo.path(), {100, cache.path()});
  const auto h = walker.walk();
  ASSERT_TRUE(h);
  EXPECT_EQ(walker.read_commits(), 4U);
  EXPECT_EQ((*h)->of("a.c").commits, 3U);
}

TEST(History, IsBoundedAndCanBeStopped) {
  TempRepo repo;
  example(repo);
  HistoryWalker two(repo.path(), {2, {}});
  const auto h = two.walk();
  ASSERT_TRUE(h);
  EXPECT_EQ((*h)->commits(), 2U);
  EXPECT_FALSE((*h)->complete());
  std::stop_source stop;
  stop.request_stop();
  HistoryWalker stopped(repo.path(), {});
  EXPECT_EQ(stopped.walk(stop.get_token()).error().code, Code::kCancelled);
  TempRepo unborn;
  EXPECT_EQ((*HistoryWalker(unborn.path(), {}).walk())->commits(), 0U);
  TempRepo plain(false);
  EXPECT_EQ((*HistoryWalker(plain.path(), {}).walk())->commits(), 0U);
}

TEST(History, IsPartOfTheSnapshot) {
  TempRepo repo;
  example(repo);
  auto index = RepoIndex::open(repo.path(), {});
  ASSERT_TRUE(index);
  ASSERT_TRUE((*index)->update());
  EXPECT_EQ((*index)->snapshot()->history()->commits(), 0U);
  ASSERT_TRUE((*index)->update_history());
  EXPECT_EQ((*index)->snapshot()->history()->commits(), 4U);
  EXPECT_EQ((*index)->snapshot()->with_buffers({})->history()->commits(), 4U);
}

TEST(Blame, NamesTheCommitOfEachLineAndWhatIsNew) {
  TempRepo repo;
  repo.write("a.txt", "one\ntwo\nthree\nfour\n");
  commit_at(repo, 1);
  repo.write("a.txt", "one\nTWO\nthree\nfour\n");
  commit_at(repo, 2);
  auto index = RepoIndex::open(repo.path(), {});
  ASSERT_TRUE(index);
  ASSERT_TRUE((*index)->update());
  const auto check = [&](const Snapshot& s, std::uint32_t line, std::uint32_t count,
                         const std::string& expected) {
    const auto hunks = s.blame("a.txt", line, count);
    ASSERT_TRUE(hunks) << hunks.error().message;
    std::string said;
    for (const auto& h : *hunks) {
      said += std::to_string(h.line) + "+" + std::to_string(h.lines) + " " + h.summary + ";";
    }
    EXPECT_EQ(said, expected);
  };
  const auto base = (*index)->snapshot();
  check(*base, 0, 4, "0+1 day 1;1+1 day 2;2+2 day 1;");
  check(*base, 1, 2, "1+1 day 2;2+1 day 1;");
  check(*base, 9, 2, "");
  const auto with = [&](const char* text) {
    return base->with_buffers({{"a.txt", std::make_shared<const std::string>(text)}});
  };
  check(*with("zero\none\nTWO\nthree\nfour\n"), 0, 3, "0+1 ;1+1 day 1;2+1 day 2;");
  check(*with("one\nthree\nnew\nfour\n"), 0, 9, "0+2 day 1;2+1 ;3+1 day 1;");
  check(*with("all\nnew\n"), 0, 2, "0+2 ;");
  EXPECT_EQ(base->blame("b.txt", 0, 1).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace ambit::indexer
