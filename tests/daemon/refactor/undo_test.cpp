// What undo takes and what it spares.
#include <gtest/gtest.h>

#include <random>

#include "daemon/assists/refactor/journal_entry.h"
#include "daemon/assists/refactor/merge.h"
#include "tests/daemon/refactor/tree.h"

namespace ambit::daemon {
namespace {

// before -> after is ours, after -> current the user's; expected is what undo leaves.
void check(std::string_view before, std::string_view after, std::string_view current,
           std::string_view expected, std::size_t conflicts = 0) {
  const auto m = merge_back(after, before, current).value();
  EXPECT_EQ(m.text, expected);
  EXPECT_EQ(m.conflicts.size(), conflicts);
}

TEST(MergeBack, TakesOnlyOurs) {
  check("a\nb\nc\n", "a\nB\nc\n", "a\nB\nc\n", "a\nb\nc\n");
  check("a\nb\nc\n", "a\nB\nc\n", "a\nB\nc\nd\n", "a\nb\nc\nd\n");
  check("a\nb\nc\n", "a\nB\nc\n", "x\na\nB\nc\n", "x\na\nb\nc\n");
  check("a\nb\nc\n", "a\nB\nc\n", "a\nnew\nB\nnew\nc\n", "a\nnew\nb\nnew\nc\n");
  check("a\nc\n", "a\nb\nc\n", "a\nb\nc\nd\n", "a\nc\nd\n");
  check("a\nb", "a\nB", "a\nB\nend", "a\nb\nend");
}

TEST(MergeBack, ComparesWordsWhereTheUserTouchedTheLine) {
  check("x = old(1);\n", "x = new(1);\n", "x = new(2);\n", "x = old(2);\n");
  check("x = old(old);\n", "x = new(new);\n", "y = new(new); // why\n", "y = old(old); // why\n");
}

TEST(MergeBack, LeavesTheUsersTextWhereBothChangedTheSame) {
  check("x = old;\n", "x = new;\n", "x = newer;\n", "x = newer;\n", 1);
  check("a\nb\nc\n", "a\nB\nc\n", "a\nother\nc\n", "a\nother\nc\n", 1);
  check("a\nb\nc\nd\n", "A\nb\nc\nD\n", "mine\nb\nc\nD\n", "mine\nb\nc\nd\n", 1);
  check("a\nb\nc\n", "a\nB\nc\n", "", "", 1);
}

TEST(MergeBack, KnowsWhatIsGoneAlready) {
  const auto m = merge_back("a\nB\nc\nD\n", "a\nb\nc\nd\n", "a\nb\nc\nD\n").value();
  EXPECT_EQ(m.text, "a\nb\nc\nd\n");
  EXPECT_EQ(m.taken, 1U);
  EXPECT_EQ(m.already, 1U);
}

TEST(MergeBack, TakesSomeHunks) {
  const auto m =
      merge_back("A\nb\nC\nd\nE\n", "a\nb\nc\nd\ne\n", "A\nb\nC\nd\nE\n", [](std::size_t i) {
        return i == 1;
      }).value();
  EXPECT_EQ(m.text, "A\nb\nc\nd\nE\n");
}

// Ours and the user's edits on different lines of random files: undo gives what the user's edits
// alone would have given, byte for byte.
TEST(Undo, IsTheUsersWorkWithoutOurs) {
  std::mt19937 random(7);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (int round = 0; round < 200; ++round) {
    const Tree t;
    ChangeSet set;
    std::map<std::string, std::string> want;
    std::map<std::string, std::string> user;
    for (std::size_t file = 0; file < 4; ++file) {
      const std::string path = "d" + std::to_string(file % 2) + "/f" + std::to_string(file);
      const std::string end = pick(2) == 0 ? "\n" : "\r\n";
      const std::size_t n = 3 + pick(30);
      std::string before = pick(4) == 0 ? "\xEF\xBB\xBF" : "", after = before, current = before,
                  expected = before;
      for (std::size_t i = 0; i < n; ++i) {
        const bool last = i + 1 == n;
        const auto tail = last && file % 2 == 1 ? std::string() : end;
        const auto line = "line " + std::to_string(file) + "." + std::to_string(i) + " name";
        before += line + tail;
        switch (pick(last ? 2 : 6)) {
          case 0:  // ours
            after += line + "_renamed" + tail;
            current += line + "_renamed" + tail;
            expected += line + tail;
            break;
          case 1:
            after += line + tail;
            current += line + tail;
            expected += line + tail;
            break;
          case 2:  // the user changes a line
            after += line + tail;
            current += line + " by hand" + tail;
            expected += line + " by hand" + tail;
            break;
          case 3:  // the user removes a line
            after += line + tail;
            break;
          case 4:  // the user adds one behind ours
            after += line + "_renamed" + tail;
            current += line + "_renamed" + tail + "added " + std::to_string(i) + end;
            expected += line + tail + "added " + std::to_string(i) + end;
            break;
          default:  // both on one line, in different words
            after += line + "_renamed" + tail;
            current += "their " + line + "_renamed" + tail;
            expected += "their " + line + tail;
        }
      }
      t.write(path, before, pick(2) == 0 ? 0644 : 0755);
      add(set, path, before, after);
      user[path] = current;
      want[path] = expected;
    }
    const auto modes = t.picture();
    auto journal = t.journal();
    ApplyRequest request;
    request.title = "rename";
    if (!journal.apply(set, request)) continue;  // nothing of ours in this round
    for (const auto& [path, text] : user) {
      std::ofstream(t.root() / path, std::ios::binary) << text;
    }
    const auto u = undo(t, journal);
    EXPECT_TRUE(u.conflicts.empty()) << round;
    for (const auto& [path, text] : want) {
      EXPECT_EQ(t.read(path), text) << round << " " << path;
      EXPECT_EQ(t.picture().at(path).substr(0, 6), modes.at(path).substr(0, 6));
    }
  }
}

TEST(Undo, SparesFilesThatTheUserRemovedOrMade) {
  const Tree t;
  t.write("a", "a\n");
  t.write("b", "b\n");
  auto journal = t.journal();
  ChangeSet set;
  add(set, "a", "a\n", "A\n");
  add(set, "b", "b\n", std::nullopt);
  add(set, "c", std::nullopt, "c\n");
  ApplyRequest request;
  request.title = "x";
  ASSERT_TRUE(journal.apply(set, request));
  std::filesystem::remove(t.root() / "a");
  t.write("b", "again\n");
  t.write("c", "c\nand more\n");
  const auto u = undo(t, journal);
  EXPECT_EQ(u.conflicts.size(), 3U);
  EXPECT_FALSE(std::filesystem::exists(t.root() / "a"));
  EXPECT_EQ(t.read("b"), "again\n");
  EXPECT_EQ(t.read("c"), "c\nand more\n");
}

TEST(Undo, TakesOneHunkAndLaterTheRest) {
  const Tree t;
  t.write("a", "1\n2\n3\n4\n5\n");
  t.write("b", "x\n");
  const auto before = t.picture();
  auto journal = t.journal();
  ChangeSet set;
  add(set, "a", "1\n2\n3\n4\n5\n", "1\nII\n3\nIV\n5\n");
  add(set, "b", "x\n", "y\n");
  ApplyRequest request;
  request.title = "x";
  const auto id = journal.apply(set, request).value();
  const auto hunks = hunks_of(journal.entry(id).value()).value();
  ASSERT_EQ(hunks.size(), 3U);
  EXPECT_EQ(hunks[1].path, "a");
  EXPECT_EQ(hunks[1].line, 3U);
  EXPECT_EQ(hunks[1].removed, "4\n");
  EXPECT_EQ(hunks[1].added, "IV\n");
  const auto beyond = plan_undo(journal.entry(id).value(), t.current(), {4});
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().message, "there is no hunk 4; " + id + " has 3");
  undo(t, journal, id, {2});
  EXPECT_EQ(t.read("a"), "1\nII\n3\n4\n5\n");
  EXPECT_EQ(t.read("b"), "y\n");
  EXPECT_EQ(journal.entry("").value().id, id) << "two hunks of it are left";
  undo(t, journal);
  EXPECT_EQ(t.picture(), before);
  EXPECT_FALSE(journal.entry("")) << "nothing is left";
}

TEST(Undo, ChangesOfOneMillisecondKeepTheirOrder) {
  const Tree t;
  t.write("a", "0\n");
  auto journal = t.journal();
  std::vector<std::string> made;
  for (int i = 0; i < 60; ++i) {
    ChangeSet set;
    add(set, "a", std::to_string(i) + "\n", std::to_string(i + 1) + "\n");
    ApplyRequest request;
    request.title = "x";
    made.insert(made.begin(), journal.apply(set, request).value());
  }
  std::vector<std::string> listed;
  for (const auto& e : journal.list(60).value()) listed.push_back(e.id);
  EXPECT_EQ(listed, made);
  // A clock that was set back.
  EXPECT_EQ(new_entry_id("29991231-235959999-ffff"), "29991231-235960000-ffff");
}

}  // namespace
}  // namespace ambit::daemon
