#include "indexer/git/diff.h"

#include <gtest/gtest.h>

#include "temp_repo.h"

namespace ambit::indexer {
namespace {

TEST(Diff, ShowsWhatIsStagedNotTheWorkTree) {
  TempRepo repo;
  repo.write("a.c", "one\ntwo\nthree\n");
  repo.commit("one");
  repo.write("a.c", "one\n2\nthree\n");
  repo.git("add a.c");
  repo.write("a.c", "nothing of this\n");
  const auto d = diff_staged(repo.path(), "");
  ASSERT_TRUE(d) << d.error().message;
  ASSERT_EQ(d->files.size(), 1U);
  const auto& f = d->files[0];
  EXPECT_EQ(f.change, Change::kModified);
  EXPECT_EQ(f.added, 1U);
  EXPECT_EQ(f.removed, 1U);
  ASSERT_EQ(f.hunks.size(), 1U);
  EXPECT_EQ(f.hunks[0].lines[2].text, "2");
  EXPECT_EQ(f.hunks[0].lines[2].new_line, 1U);
  EXPECT_EQ(*staged_text(repo.path(), "", "a.c", 1000), "one\n2\nthree\n");
  EXPECT_EQ(*blob_text(repo.path(), f.old_blob, 1000), "one\ntwo\nthree\n");
  EXPECT_NE(to_unified(f).find("@@ -1,3 +1,3 @@"), std::string::npos);
  const auto w = diff_worktree(repo.path());
  ASSERT_TRUE(w);
  EXPECT_EQ(w->files.size(), 1U);
}

TEST(Diff, FindsRenamesRangesAndTheFirstCommit) {
  TempRepo repo;
  repo.write("a.c", "1\n2\n3\n4\n5\n6\n7\n8\n");
  repo.git("add -A");
  const auto unborn = diff_staged(repo.path(), "");
  ASSERT_TRUE(unborn) << unborn.error().message;
  ASSERT_EQ(unborn->files.size(), 1U);
  EXPECT_EQ(unborn->files[0].change, Change::kAdded);
  repo.commit("one");
  repo.git("mv a.c b.c");
  const auto d = diff_staged(repo.path(), repo.path() / ".git/index");
  ASSERT_TRUE(d);
  ASSERT_EQ(d->files.size(), 1U);
  EXPECT_EQ(d->files[0].change, Change::kRenamed);
  EXPECT_EQ(d->files[0].old_path, "a.c");
  repo.commit("two");
  const auto range = diff_range(repo.path(), "HEAD~1..HEAD");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->files.size(), 1U);
  EXPECT_EQ(diff_range(repo.path(), "nowhere..HEAD").error().code, Code::kNotFound);
  EXPECT_EQ(diff_staged(repo.path(), "/nonexistent").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace ambit::indexer
