// Plans from anybody: whatever a plan file says, only the files that it names change, all of them
// below the root, and nothing is run.
#include <gtest/gtest.h>

#include <random>

#include "daemon/assists/refactor/plan.h"
#include "tests/daemon/refactor/tree.h"

namespace ambit::daemon {
namespace {

// What a plan that means well looks like; the attacks are made of its parts.
const std::vector<std::string>& pieces() {
  static const std::vector<std::string> kPieces{
      "version = 1\n",
      "id = \"p1\"\n",
      "id = \"../../p1\"\n",
      "instruction = \"x\"\n",
      "verify = \"touch canary\"\n",
      "\n[[step]]\ntitle = \"t\"\n",
      "by = \"model\"\n",
      "run = [\"sh\", \"-c\", \"touch canary\"]\n",
      "old = \"name\"\nnew = \"other\"\n",
      "old = \"\"\nnew = \"x\"\n",
      "comments = true\nstrings = true\n",
      "\n[[step.file]]\n",
      "path = \"a.c\"\n",
      "path = \"sub/b.c\"\n",
      "path = \"../outside.txt\"\n",
      "path = \"/tmp/outside.txt\"\n",
      "path = \"link/inside.txt\"\n",
      "path = \"to_file\"\n",
      "path = \"sub/../../outside.txt\"\n",
      "path = \"sub//b.c\"\n",
      "path = \".git/hooks/pre-commit\"\n",
      "path = \"new\\u0000.c\"\n",
      "path = \"..\\\\outside.txt\"\n",
      "path = \"sub/.GIT/config\"\n",
      "change = [\"1:5\"]\n",
      "change = [\"1:5\", \"1:5\"]\n",
      "change = [\"0:0\", \"4294967296:1\", \"-1:2\"]\n",
      "change = [\"99999:1\"]\n",
      "in_comments = [\"2:4 keep-key\"]\n",
      "create = \"int made(void);\\n\"\n",
      "remove = true\n",
      "\n[[step.file.edit]]\n",
      "at = \"1:1\"\n",
      "old = \"int\"\nnew = \"long\"\n",
      "old = \"int name\"\nnew = \"int {{{\"\n",
      "old = \"\"\"\n\"\"\"\nnew = \"\"\n",
      "new = \"$(touch canary) `touch canary`; touch canary\"\n",
      "\"\"\"",
      "\xFF\xFE",
      "]]]]",
      "= = =\n"};
  return kPieces;
}

// Files on disk for each; sanitizers get a fifth, which still is all kinds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kPlans = 20'000;
#else
constexpr std::size_t kPlans = 100'000;
#endif

TEST(HostilePlan, TouchesNothingButTheFilesThatItNames) {
  std::mt19937 random(20);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const Tree t;
  const auto reset = [&] {
    std::filesystem::remove_all(t.root());
    std::filesystem::create_directory(t.root());
    t.write("a.c", "int name;\n// name\n");
    t.write("sub/b.c", "int b;\n");
    t.write("untouched.c", "int c;\n");
    std::filesystem::create_directory_symlink("..", t.root() / "link");
    std::filesystem::create_symlink("../outside.txt", t.root() / "to_file");
    t.write("../outside.txt", "precious\n");
  };
  reset();
  const auto clean = t.picture();
  const auto beside = [&] {
    std::set<std::string> out;
    for (const auto& e : std::filesystem::directory_iterator(t.root().parent_path())) {
      out.insert(e.path().filename().string());
    }
    return out;
  };
  const std::set<std::string> expected{"outside.txt", "state", "tree"};
  // How far the answers got: the test is worth nothing when all are refused at the door.
  std::size_t parsed = 0, possible = 0, applied = 0;
  for (std::size_t round = 0; round < kPlans; ++round) {
    std::string text = "version = 1\n";
    if (pick(2) == 0) {
      // In order, so that much of it is a plan: a step, a path, what to do there.
      const auto one_of = [&](std::size_t from, std::size_t to) {
        text += pieces()[from + pick(to - from)];
      };
      if (pick(2) == 0) one_of(3, 5);
      text += pieces()[5];
      one_of(6, 11);
      text += pieces()[11];
      one_of(12, 24);
      if (pick(2) == 0) {
        one_of(24, 31);
      } else {
        text += pieces()[31];
        if (pick(3) == 0) text += pieces()[32];
        one_of(33, 37);
      }
    } else {
      if (pick(3) == 0) text.clear();
      for (std::size_t n = 1 + pick(7); n > 0; --n) text += pieces()[pick(pieces().size())];
    }
    if (pick(8) == 0) text.resize(pick(text.size() + 1));
    if (pick(8) == 0 && !text.empty()) text[pick(text.size())] = static_cast<char>(random());
    const auto plan = parse_plan(text);
    if (!plan) continue;
    ++parsed;
    auto journal = t.journal();
    const auto changes = plan_changes(*plan, t.current());
    if (!changes || changes->empty()) continue;
    ++possible;
    std::set<std::string> named;
    for (const auto& s : plan->steps) {
      for (const auto& f : s.files) named.insert(f.path);
    }
    ApplyRequest request;
    request.title = plan->instruction;
    const auto done = journal.apply(*changes, request);
    const auto now = t.picture();
    for (const auto& [path, bytes] : clean) {
      const auto it = now.find(path);
      if (it != now.end() && it->second == bytes) continue;
      ASSERT_TRUE(done && named.contains(path)) << path << "\n" << text;
    }
    for (const auto& [path, bytes] : now) {
      ASSERT_TRUE(clean.contains(path) || (done && named.contains(path))) << path << "\n" << text;
    }
    ASSERT_EQ(t.read("../outside.txt"), "precious\n") << text;
    ASSERT_EQ(beside(), expected) << text;
    applied += done ? 1 : 0;
    if (now != clean) reset();
    ASSERT_EQ(t.picture(), clean);
  }
  EXPECT_GT(parsed, kPlans / 20);
  EXPECT_GT(possible, kPlans / 1'000);
  EXPECT_GT(applied, kPlans / 1'000);
}

TEST(HostilePlan, SurvivesAnyBytes) {
  std::mt19937 random(21);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 200, ' ');
    for (auto& c : text) c = static_cast<char>(random());
    static_cast<void>(parse_plan(text));
  }
}

TEST(Plan, SurvivesItsFile) {
  Plan p;
  p.id = "p123";
  p.instruction = "rename \"a\" to b\nand more \\ \t";
  p.tree = "t";
  p.notes = {"one", "two \"quoted\""};
  PlanStep s;
  s.title = "rename a to b";
  s.old_name = "a";
  s.new_name = "b";
  s.with_comments = true;
  PlanFile f;
  f.path = "x y/ü.c";
  f.blob = "00ff";
  for (std::uint32_t i = 1; i < 25; ++i)
    f.change.push_back({i, 2 * i, i == 3 ? "keep-key" : "", ""});
  f.unsure = {{7, 1, "", "0.40 a member that many types have"}};
  f.comments = {{1, 1, "", ""}};
  s.files = {f};
  PlanStep e;
  e.title = "edit";
  e.author = PlanAuthor::kModel;
  e.dropped = true;
  e.reason = "it failed";
  PlanFile g;
  g.path = "b.c";
  g.edits = {{std::nullopt, "one\r\n\"\"\"two\\", "\n\nthree\x01"},
             {PlanSite{3, 4, "", ""}, "", "inserted"}};
  PlanFile made;
  made.path = "new.c";
  made.create = "\n\nint x;\n";
  e.files = {g, made};
  p.steps = {s, e};
  const auto again = parse_plan(to_toml(p));
  ASSERT_TRUE(again) << again.error().message << to_toml(p);
  EXPECT_EQ(*again, p) << to_toml(p);
}

TEST(Plan, RefusesAFileThatChangedSince) {
  Plan p;
  PlanStep s;
  PlanFile f;
  f.path = "a.c";
  f.blob = "0000000000000000000000000000000000000000";
  f.edits = {{std::nullopt, "int", "long"}};
  s.files = {f};
  p.steps = {s};
  const auto read = [](const std::string&) -> Result<std::optional<std::string>> {
    return std::optional<std::string>("int x;\r\n");
  };
  const auto refused = plan_changes(p, read);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("plan again"), std::string::npos);
  p.steps[0].files[0].blob.clear();
  EXPECT_EQ(plan_changes(p, read).value().at("a.c").after, "long x;\r\n");
}

}  // namespace
}  // namespace ambit::daemon
