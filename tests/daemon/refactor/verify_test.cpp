// Trying a change in a copy: the user's command, what failed before, and steps that are dropped.
#include "daemon/assists/refactor/verify.h"

#include <gtest/gtest.h>

#include "tests/daemon/refactor/tree.h"

namespace ambit::daemon {
namespace {

Plan two_steps() {
  Plan p;
  p.id = "p1";
  for (const auto* name : {"good", "bad"}) {
    PlanStep s;
    s.title = name;
    s.author = PlanAuthor::kModel;
    PlanFile f;
    f.path = std::string(name) + ".txt";
    f.edits = {{std::nullopt, "old", "new"}};
    s.files = {f};
    p.steps.push_back(s);
  }
  return p;
}

struct Shop {
  Shop() {
    tree.write("good.txt", "old\n");
    tree.write("bad.txt", "old\n");
    tree.write("check.sh", "#!/bin/sh\ngrep -q old bad.txt || { echo error: bad.txt; exit 1; }\n",
               0755);
    std::filesystem::create_symlink("good.txt", tree.root() / "link");
  }
  [[nodiscard]] Scratch scratch() const {
    return Scratch::prepare(tree.root(), tree.state() / "cache").value();
  }
  Tree tree;
};

TEST(Verify, DropsTheStepThatFails) {
  const Shop s;
  std::filesystem::create_directories(s.tree.state());
  const auto before = s.tree.picture();
  auto scratch = s.scratch();
  auto plan = two_steps();
  const auto v = verify_plan(plan, s.tree.current(), scratch, {"./check.sh"}, 60).value();
  EXPECT_TRUE(v.passed) << v.summary;
  EXPECT_FALSE(plan.steps[0].dropped);
  EXPECT_TRUE(plan.steps[1].dropped);
  EXPECT_NE(plan.steps[1].reason.find("bad.txt"), std::string::npos) << plan.steps[1].reason;
  EXPECT_EQ(s.tree.picture(), before) << "the work tree is not touched";
  EXPECT_TRUE(std::filesystem::is_symlink(scratch.tree() / "link"));
}

TEST(Verify, OldFailuresAreNotOurs) {
  const Shop s;
  std::filesystem::create_directories(s.tree.state());
  s.tree.write("check.sh", "#!/bin/sh\necho error: always on line 12\nexit 1\n", 0755);
  auto scratch = s.scratch();
  auto plan = two_steps();
  auto v = verify_plan(plan, s.tree.current(), scratch, {"./check.sh"}, 60).value();
  EXPECT_TRUE(v.passed) << v.summary;
  EXPECT_FALSE(v.baseline_cached);
  v = verify_plan(plan, s.tree.current(), scratch, {"./check.sh"}, 60).value();
  EXPECT_TRUE(v.baseline_cached);
}

TEST(Command, RunsWithoutAShell) {
  const Tree t;
  t.write("x", "");
  EXPECT_EQ(split_command("a 'b c' \"d \\\" e\" f\\ g").value(),
            (std::vector<std::string>{"a", "b c", "d \" e", "f g"}));
  EXPECT_FALSE(split_command("a 'b"));
  EXPECT_FALSE(split_command("  "));
  const auto run = run_command({"echo", "$HOME;", "ls"}, t.root(), 60).value();
  EXPECT_EQ(run.output, "$HOME; ls\n");
  EXPECT_EQ(run_command({"false"}, t.root(), 60).value().exit_code, 1);
  EXPECT_EQ(run_command({"no-such-program-here"}, t.root(), 60).error().code, Code::kNotFound);
}

TEST(Command, EndsWithItsWholeGroup) {
  const Tree t;
  t.write("x", "");
  std::stop_source stop;
  stop.request_stop();
  const auto run = run_command({"sleep", "1000"}, t.root(), 60, stop.get_token());
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace ambit::daemon
