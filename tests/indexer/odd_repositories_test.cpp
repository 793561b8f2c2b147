// What is no ordinary repository: links, submodules, sparse and damaged ones, odd names and bytes.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "index_of.h"
#include "temp_repo.h"

namespace ambit::indexer {
namespace {

TEST(RepoIndex, RefusesTheRootHomeAndLinksOut) {
  const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "/";
  for (const auto& place : {std::string("/"), std::string("/usr/.."), home}) {
    const auto refused = RepoIndex::open(place, {});
    ASSERT_FALSE(refused) << place;
    EXPECT_NE(refused.error().message.find("open a folder below it"), std::string::npos);
  }
  TempRepo repo, elsewhere(false);
  elsewhere.write("far.c", "int far_away;\n");
  repo.write("a.c", "int x;\n");
  repo.write("folder/b.c", "int y;\n");
  std::filesystem::create_symlink("/etc/passwd", repo.path() / "link.c");
  std::filesystem::create_symlink(elsewhere.path(), repo.path() / "linked");
  std::filesystem::create_symlink("..", repo.path() / "loop");
  repo.commit("one");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  for (const char* name : {"link.c", "linked", "loop"}) {
    EXPECT_EQ(index->snapshot()->file(name)->skipped, "symlink") << name;
    EXPECT_EQ(index->snapshot()->text(name).error().code, Code::kPermission) << name;
  }
  // A folder that becomes a link after it was listed.
  std::filesystem::remove_all(repo.path() / "folder");
  std::filesystem::create_symlink(elsewhere.path(), repo.path() / "folder");
  std::ofstream(elsewhere.path() / "b.c") << "int far_away;\n";
  (void)index->update_paths({"folder/b.c", "linked/far.c", "loop/a.c"});
  EXPECT_TRUE(index->snapshot()->definitions("far_away").empty());
  ASSERT_TRUE(index->update());
  EXPECT_TRUE(index->snapshot()->definitions("far_away").empty());
}

TEST(RepoIndex, WorksWithoutARepositoryUnbornBareAndInAWorktree) {
  TempRepo plain(false);
  plain.write("d/a.c", "int f0(void) { return 1; }\n");
  auto index = index_of(plain.path());
  ASSERT_TRUE(index->update());
  EXPECT_EQ(index->snapshot()->definitions("f0").size(), 1U);

  TempRepo repo;
  repo.write("a.c", "int f0(void) { return 1; }\n");
  index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  EXPECT_EQ(index->snapshot()->definitions("f0").size(), 1U);
  EXPECT_EQ(index->snapshot()->tree_name(), "(unborn) main");
  repo.commit("one");
  TempRepo other(false), cache(false);
  ASSERT_TRUE(repo.git("clone -q --bare . '" + (other.path() / "bare.git").string() + "'"));
  index = index_of(other.path() / "bare.git");
  ASSERT_TRUE(index->update());
  EXPECT_EQ(index->snapshot()->definitions("f0").size(), 1U);
  index = index_of(repo.path(), cache.path());
  ASSERT_TRUE(index->update());
  ASSERT_TRUE(repo.git("worktree add -q '" + (other.path() / "wt").string() + "' -b side"));
  index = index_of(other.path() / "wt", cache.path());
  const auto report = index->update();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->reused_files, 1U);
}

std::set<std::string> paths_of(const Snapshot& s) {
  std::set<std::string> out;
  for (const auto& f : s.files())
    out.insert(f.path + (f.skipped.empty() ? "" : ": ") + std::string(f.skipped));
  return out;
}

TEST(RepoIndex, SeesSubmodulesThroughTheirOwnRepository) {
  TempRepo inner, repo;
  inner.write("s.c", "int in_sub(void) { return 1; }\n");
  inner.commit("one");
  repo.write("a.c", "int f0(void) { return in_sub(); }\n");
  ASSERT_TRUE(
      repo.git("-c protocol.file.allow=always submodule add '" + inner.path().string() + "' dep"));
  repo.commit("one");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  const auto found = index->snapshot()->definitions("in_sub");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "dep/s.c");
  // Not checked out: named, and that is all.
  ASSERT_TRUE(repo.git("submodule deinit -f dep"));
  ASSERT_TRUE(index->update());
  EXPECT_EQ(paths_of(*index->snapshot()),
            (std::set<std::string>{".gitmodules", "a.c", "dep: submodule"}));
}

TEST(RepoIndex, ASparseCheckoutHasWhatItsCommitHas) {
  for (const char* how : {"--no-sparse-index", "--sparse-index"}) {
    TempRepo repo;
    for (const char* name : {"in/a.c", "out/b.c", "in/gone.c"})
      repo.write(name, "int in_" + std::string(1, name[std::string(name).size() - 3]) + ";\n");
    repo.write(".gitignore", "*.o\n");
    repo.commit("one");
    if (!repo.git(std::string("sparse-checkout set --cone ") + how + " in"))
      GTEST_SKIP() << "this git has no sparse index";
    ASSERT_FALSE(std::filesystem::exists(repo.path() / "out"));
    repo.write("in/new.c", "int in_new;\n");
    repo.write("in/new.o", "int in_object;\n");
    std::filesystem::remove(repo.path() / "in/gone.c");
    auto index = index_of(repo.path());
    const auto report = index->update();
    ASSERT_TRUE(report) << how << ": " << report.error().message;
    EXPECT_EQ(paths_of(*index->snapshot()),
              (std::set<std::string>{".gitignore", "in/a.c", "in/new.c", "out/b.c"}))
        << how;
    EXPECT_EQ(index->snapshot()->definitions("in_b").size(), 1U) << how;
    const auto text = index->snapshot()->text("out/b.c");
    ASSERT_TRUE(text) << how;
    EXPECT_EQ(*text, "int in_b;\n");
  }
}

TEST(RepoIndex, NamesTheTreeOfADetachedHead) {
  TempRepo repo;
  repo.write("a.c", "int f0;\n");
  repo.commit("one");
  ASSERT_TRUE(repo.git("checkout -q --detach"));
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  EXPECT_TRUE(index->snapshot()->tree_name().ends_with(" (detached)"));
  EXPECT_EQ(index->snapshot()->definitions("f0").size(), 1U);
}

TEST(RepoIndex, TakesPathsAndContentsAsBytes) {
  TempRepo repo;
  const std::string latin = "caf\xE9.c";
  repo.write(latin, "// na\xEFve\nint f0; /* \xFF\xFE */\n");
  repo.write("new\nline.c", "int f1;\n");
  repo.write("Case.c", "int f2;\n");
  repo.write("case.c", "int f3;\n");
  repo.write("nul.c", std::string("int f4;\0", 8));
  repo.write("model.c", "version https://git-lfs.github.com/spec/v1\noid sha256:" +
                            std::string(64, 'a') + "\nsize 12345\n");
  repo.commit("one");
  ASSERT_TRUE(repo.git("config core.ignorecase true"));
  repo.write("case.c", "int f3, f5;\n");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  const auto s = index->snapshot();
  EXPECT_EQ(paths_of(*s), (std::set<std::string>{latin, "new\nline.c", "Case.c", "case.c",
                                                 "nul.c: binary", "model.c: LFS pointer"}));
  const auto place = [&](const char* name) {
    const auto found = s->definitions(name);
    return found.size() == 1 ? found[0].path : "";
  };
  EXPECT_EQ(place("f0"), latin);
  EXPECT_EQ(place("f1"), "new\nline.c");
  EXPECT_EQ(place("f2"), "Case.c");
  EXPECT_EQ(place("f5"), "case.c");
  repo.write(latin, "int f6;\n");
  ASSERT_TRUE(index->update_paths({latin}));
  EXPECT_EQ(index->snapshot()->definitions("f6").size(), 1U);
}

TEST(RepoIndex, ADamagedRepositoryIsReadAsFarAsItGoes) {
  TempRepo repo;
  repo.write("a.c", "int f0;\n");
  repo.write("b/.gitignore", "*.log.c\n");
  repo.commit("one");
  repo.write("b/x.log.c", "int f1;\n");
  for (const char* broken : {".git/index", ".git/HEAD"}) {
    repo.write(broken, "garbage\n");
    auto index = index_of(repo.path());
    const auto report = index->update();
    ASSERT_TRUE(report) << broken << ": " << report.error().message;
    EXPECT_EQ(paths_of(*index->snapshot()), (std::set<std::string>{"a.c", "b/.gitignore"}))
        << broken;
    EXPECT_EQ(index->snapshot()->definitions("f0").size(), 1U) << broken;
  }
}

TEST(RepoIndex, SaysThatARepositoryIsOfAnotherKind) {
  TempRepo repo(false);
  if (!repo.git("init -q --object-format=sha256")) GTEST_SKIP() << "this git knows SHA-1 only";
  repo.write("made/a.c", "int f0;\n");
  repo.write("b.c", "int f1;\n");
  repo.write(".gitignore", "made/\n");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  EXPECT_TRUE(index->snapshot()->tree_name().starts_with("(not read as git: "))
      << index->snapshot()->tree_name();
  EXPECT_EQ(paths_of(*index->snapshot()),
            (std::set<std::string>{".gitignore", "b.c", "made/a.c: ignored"}));
}

TEST(RepoIndex, AFileThatCannotBeReadStopsNothing) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  TempRepo repo;
  repo.write("a.c", "int f0;\n");
  repo.write("b.c", "int f1;\n");
  repo.commit("one");
  repo.write("b.c", "int f2;\n");
  std::filesystem::permissions(repo.path() / "b.c", std::filesystem::perms::none);
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  EXPECT_EQ(paths_of(*index->snapshot()), (std::set<std::string>{"a.c", "b.c: unreadable"}));
}

TEST(RepoIndex, HeedsAttributesAndReadsUtf16) {
  TempRepo repo;
  repo.write(".gitattributes", "made/** linguist-generated\n*.blob binary\n");
  repo.write("made/a.c", "int f0(void) { return 1; }\n");
  repo.write("x.blob", "int f1(void) { return 1; }\n");
  std::string wide = "\xFF\xFE";
  for (const char c : std::string("def wide_name():\n  return 1\n")) wide += {c, '\0'};
  repo.write("w.py", wide);
  // So long ago that parts of it are read where that is enough.
  std::filesystem::last_write_time(
      repo.path() / "w.py", std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  repo.commit("one");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  auto s = index->snapshot();
  EXPECT_EQ(s->file("x.blob")->skipped, "binary");
  EXPECT_EQ(s->definitions("f0").size(), 1U);
  const auto found = s->definitions("wide_name");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].signature, "def wide_name():");
  EXPECT_EQ(s->search("return 1", false, 10)->size(), 2U);
  // Other attributes: other files count, also when only that file is named.
  const auto before = s->content_id();
  repo.write(".gitattributes", "");
  ASSERT_TRUE(index->update_paths({".gitattributes"}));
  s = index->snapshot();
  EXPECT_EQ(s->file("x.blob")->skipped, "");
  EXPECT_NE(s->content_id(), before);
}

}  // namespace
}  // namespace ambit::indexer
