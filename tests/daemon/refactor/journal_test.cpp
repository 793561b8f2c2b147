// Apply and undo: whole or not at all, wherever the process dies; and only our part goes back.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/daemon/refactor/tree.h"

namespace ambit::daemon {
namespace {

void fill(const Tree& t) {
  t.write("a.txt", "one\ntwo\nthree\n");
  t.write("bin/run.sh", "#!/bin/sh\necho two\n", 0755);
  t.write("win.txt", "\xEF\xBB\xBFone\r\ntwo\r\n");
  t.write("bare.txt", "no line end, two");
  t.write("gone.txt", "will go\n", 0600);
  std::filesystem::create_symlink("a.txt", t.root() / "link");
}

ChangeSet changes() {
  ChangeSet out;
  add(out, "a.txt", "one\ntwo\nthree\n", "one\n2\nthree\n");
  add(out, "bin/run.sh", "#!/bin/sh\necho two\n", "#!/bin/sh\necho 2\n");
  add(out, "win.txt", "\xEF\xBB\xBFone\r\ntwo\r\n", "\xEF\xBB\xBFone\r\n2\r\n");
  add(out, "bare.txt", "no line end, two", "no line end, 2");
  add(out, "gone.txt", "will go\n", std::nullopt);
  add(out, "new/deep/made.txt", std::nullopt, "made\n");
  return out;
}

ApplyRequest titled(std::string title) {
  ApplyRequest r;
  r.title = std::move(title);
  return r;
}

TEST(Journal, AppliesAndTakesBackToTheSameBytes) {
  const Tree t;
  fill(t);
  const auto before = t.picture();
  auto journal = t.journal();
  ASSERT_TRUE(journal.apply(changes(), titled("two")));
  EXPECT_EQ(t.read("a.txt"), "one\n2\nthree\n");
  EXPECT_EQ(t.read("win.txt"), "\xEF\xBB\xBFone\r\n2\r\n");
  EXPECT_FALSE(std::filesystem::exists(t.root() / "gone.txt"));
  EXPECT_EQ(t.picture().at("bin/run.sh").substr(0, 5), before.at("bin/run.sh").substr(0, 5));
  auto later = t.journal();  // as after a restart
  const auto u = undo(t, later);
  EXPECT_TRUE(u.conflicts.empty());
  EXPECT_EQ(t.picture(), before);
  // And once more: there is nothing left to undo.
  EXPECT_FALSE(later.entry(""));
}

TEST(Journal, IsForTheOwnerOnly) {
  const Tree t;
  fill(t);
  auto journal = t.journal();
  const auto id = journal.apply(changes(), titled("two")).value();
  for (const auto& e : std::filesystem::recursive_directory_iterator(t.state())) {
    struct stat st {};
    ASSERT_EQ(::stat(e.path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 077U, 0U) << e.path();
  }
}

TEST(Journal, RefusesWhatChangedLinksAndPathsOutside) {
  const Tree t;
  fill(t);
  std::filesystem::create_directory_symlink("/tmp", t.root() / "out");
  const auto before = t.picture();
  auto journal = t.journal();
  const auto refused = [&](const std::string& path, std::optional<std::string> old, Code code) {
    ChangeSet set = changes();
    add(set, path, std::move(old), "x\n");
    const auto r = journal.apply(set, titled("x"));
    ASSERT_FALSE(r) << path;
    EXPECT_EQ(r.error().code, code) << r.error().message;
    EXPECT_EQ(t.picture(), before) << path;
  };
  refused("a.txt", "other\n", Code::kInvalidArgument);
  refused("missing.txt", "x", Code::kInvalidArgument);
  refused("link", "one\ntwo\nthree\n", Code::kPermission);
  refused("out/escaped.txt", std::nullopt, Code::kPermission);
  refused("../escaped.txt", std::nullopt, Code::kPermission);
  refused("/tmp/escaped.txt", std::nullopt, Code::kPermission);
  refused("bin/../../x", std::nullopt, Code::kPermission);
  refused(".git/config", std::nullopt, Code::kPermission);
  refused("sub/.GIT/hooks/pre-commit", std::nullopt, Code::kPermission);
}

// Runs an apply in a child that dies at the n-th point; false when it lived to the end.
bool dies_at(const Tree& t, std::size_t n, const std::function<void(Journal&)>& work) {
  const auto child = ::fork();
  if (child == 0) {
    std::size_t seen = 0;
    auto journal = t.journal([&](std::string_view) -> Result<void> {
      if (++seen == n) ::kill(::getpid(), SIGKILL);
      return {};
    });
    work(journal);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST(Journal, DyingAnywhereLeavesTheTreeBeforeOrAfter) {
  Picture before, after;
  {
    const Tree t;
    fill(t);
    before = t.picture();
    ASSERT_TRUE(t.journal().apply(changes(), titled("two")));
    after = t.picture();
  }
  std::size_t points = 0, at_before = 0, at_after = 0;
  for (std::size_t n = 1;; ++n) {
    const Tree t;
    fill(t);
    const bool died =
        dies_at(t, n, [](Journal& j) { static_cast<void>(j.apply(changes(), titled("two"))); });
    auto journal = t.journal();
    const auto said = journal.recover();
    ASSERT_TRUE(said);
    const auto now = t.picture();
    ASSERT_TRUE(now == before || now == after) << "point " << n;
    (now == before ? at_before : at_after) += 1;
    ASSERT_TRUE(journal.recover().value().empty());
    if (now == after) undo(t, journal);
    ASSERT_EQ(t.picture(), before) << "undo after point " << n;
    if (!died) break;
    ++points;
  }
  EXPECT_GT(points, 40U);
  EXPECT_GT(at_before, 20U);
  EXPECT_GT(at_after, 5U);
}

// The promise of journal.h to whoever reads the tree while it is being changed.
TEST(Journal, AReaderMeanwhileSeesEachFileWholeAndNoneGoesBack) {
  const Tree t;
  fill(t);
  const auto set = changes();
  std::map<std::string, bool> done;  // as after, at the last look
  std::size_t looks = 0, mixed = 0;
  auto journal = t.journal([&](std::string_view what) -> Result<void> {
    ++looks;
    std::size_t after = 0;
    bool earlier_is_before = false;
    for (const auto& [path, change] : set) {
      const bool exists = std::filesystem::exists(t.root() / path);
      const auto now = exists ? std::optional(t.read(path)) : std::nullopt;
      EXPECT_TRUE(now == change.before || now == change.after) << path << " at " << what;
      const bool is_after = now == change.after;
      EXPECT_FALSE(done[path] && !is_after) << path << " went back at " << what;
      EXPECT_FALSE(earlier_is_before && is_after) << path << " is out of order at " << what;
      earlier_is_before = earlier_is_before || !is_after;
      done[path] = is_after;
      after += is_after ? 1 : 0;
    }
    for (const auto& [path, bytes] : t.picture()) {
      const auto name = path.substr(path.rfind('/') + 1);
      const bool temporary = name.starts_with(".ambit-") && name.ends_with(".tmp");
      EXPECT_TRUE(temporary || set.contains(path) || path == "bin" || path == "link" ||
                  path == "new" || path == "new/deep")
          << path << " at " << what;
    }
    mixed += after > 0 && after < set.size() ? 1 : 0;
    return {};
  });
  ASSERT_TRUE(journal.apply(set, titled("two")));
  EXPECT_GT(looks, 40U);
  EXPECT_GT(mixed, set.size() - 2) << "every step between the renames was looked at";
}

TEST(Journal, DyingInTheRecoveryIsRecoveredToo) {
  Picture before, after;
  {
    const Tree t;
    fill(t);
    before = t.picture();
    ASSERT_TRUE(t.journal().apply(changes(), titled("two")));
    after = t.picture();
  }
  for (std::size_t n = 1; n < 60; n += 3) {
    for (std::size_t m = 1;; m += 2) {
      const Tree t;
      fill(t);
      dies_at(t, n, [](Journal& j) { static_cast<void>(j.apply(changes(), titled("two"))); });
      const bool died = dies_at(t, m, [](Journal& j) { static_cast<void>(j.recover()); });
      auto journal = t.journal();
      ASSERT_TRUE(journal.recover());
      const auto now = t.picture();
      ASSERT_TRUE(now == before || now == after) << n << " " << m;
      if (!died) break;
    }
  }
}

TEST(Journal, ADiskThatRefusesAnywhereChangesNothing) {
  for (std::size_t n = 1;; ++n) {
    const Tree t;
    fill(t);
    const auto before = t.picture();
    std::size_t seen = 0;
    bool hit = false;
    auto journal = t.journal([&](std::string_view what) -> Result<void> {
      if (++seen != n) return {};
      hit = true;
      return make_error(Code::kResourceExhausted, "disk full at " + std::string(what));
    });
    const auto r = journal.apply(changes(), titled("two"));
    if (!hit) break;
    const auto now = t.picture();
    if (r) {
      EXPECT_NE(now, before);
    } else {
      EXPECT_EQ(now, before) << "point " << n << ": " << r.error().message;
    }
  }
}

TEST(Journal, ARecoveryKeepsWhatTheUserWroteAfterTheCrash) {
  for (std::size_t n = 1;; ++n) {
    const Tree t;
    fill(t);
    const auto before = t.picture();
    const bool died =
        dies_at(t, n, [](Journal& j) { static_cast<void>(j.apply(changes(), titled("two"))); });
    if (!died) break;
    const auto text = t.read("a.txt");
    t.write("a.txt", text + "four, by hand\n");
    auto journal = t.journal();
    ASSERT_TRUE(journal.recover());
    const auto now = t.read("a.txt");
    EXPECT_TRUE(now.ends_with("four, by hand\n")) << n;
    const bool all_after = now.find("\n2\n") != std::string::npos;
    EXPECT_EQ(t.read("bare.txt"), all_after ? "no line end, 2" : "no line end, two") << n;
    EXPECT_EQ(std::filesystem::exists(t.root() / "new/deep/made.txt"), all_after) << n;
  }
}

TEST(Journal, TheEditorIsAskedLastAndMayRefuse) {
  const Tree t;
  fill(t);
  const auto before = t.picture();
  auto journal = t.journal();
  auto request = titled("two");
  request.in_editor = {"a.txt"};
  request.editor = [](const std::vector<FileChange>& c) -> Result<void> {
    EXPECT_EQ(c.size(), 1U);
    return make_error(Code::kInvalidArgument, "the editor refused");
  };
  auto set = changes();
  set["a.txt"].before = "unsaved\ntwo\n";  // not what the disk holds, and need not be
  set["a.txt"].after = "unsaved\n2\n";
  EXPECT_FALSE(journal.apply(set, request));
  EXPECT_EQ(t.picture(), before);
  request.editor = [](const std::vector<FileChange>&) -> Result<void> { return {}; };
  ASSERT_TRUE(journal.apply(set, request));
  EXPECT_EQ(t.read("a.txt"), "one\ntwo\nthree\n");  // the editor saves when it likes
  EXPECT_EQ(t.read("bare.txt"), "no line end, 2");
}

}  // namespace
}  // namespace ambit::daemon
