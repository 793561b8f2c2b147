// What a scripted model proposes, and what becomes of it.
#include "daemon/assists/refactor/model_plan.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "daemon/assists/ask.h"
#include "daemon/assists/rewrite/rewrite.h"
#include "inference/engine/grammar.h"
#include "inference/scripted/scripted_backend.h"
#include "tests/indexer/temp_repo.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

class Model : public ::testing::Test {
 protected:
  Model() : repo(false) {
    repo.write("shop/price.py", "RATE = 2\n\n\ndef gross_price(net):\n    return net * RATE\n");
    repo.write("shop/cart.py",
               "from shop.price import gross_price\n\n\ndef total_of(items):\n    total = 0\n"
               "    for i in items:\n        total += gross_price(i)\n    return total\n");
    repo.write("other.py", "def elsewhere():\n    return 1\n");
    repo.write(".env", "TOKEN=abc\n");
    index = indexer::RepoIndex::open(repo.path(), {}).value();
    static_cast<void>(index->update().value());
    context.snapshot = index->snapshot();
    context.tokens = std::make_shared<TokenCache>();
  }
  // `answers`: one per request in turn.
  void model(const std::vector<std::string>& answers) {
    const json script{{"default", {{"answers", answers}, {"tokens_per_step", 4096}}}};
    context.scheduler =
        std::make_shared<Scheduler>(inference::ScriptedBackend::parse(script.dump()).value());
  }
  [[nodiscard]] Result<Plan> plan(const std::string& instruction) const {
    RefactorRequest request;
    request.instruction = instruction;
    return plan_by_model(context, request);
  }
  [[nodiscard]] std::string after(const Plan& p, const std::string& path) const {
    return plan_changes(p, reader_of(*context.snapshot)).value().at(path).after.value();
  }
  [[nodiscard]] RewriteRequest at(const std::string& path, const std::string& words) const {
    RewriteRequest out;
    out.path = path;
    out.text = context.snapshot->text(path).value();
    const auto begin = static_cast<std::uint32_t>(out.text.find(words));
    out.span = lines_of(path, out.text, {begin, begin});
    return out;
  }

  indexer::TempRepo repo;
  std::unique_ptr<indexer::RepoIndex> index;
  AssistContext context;
};

constexpr const char* kGuard =
    "step: refuse negative prices\nedit: shop/price.py\n@@ old\n    return net * RATE\n@@ new\n"
    "    if net < 0:\n        raise ValueError(net)\n    return net * RATE\n@@ end\n";

TEST_F(Model, ProposesStepsAndTheIndexDoesWhatItCanDoExactly) {
  model({std::string("Here it is.\n") + kGuard +
         "step: a clearer name\nindex: rename total_of to sum_of\n"});
  const auto p = plan("make gross_price refuse negative numbers");
  ASSERT_TRUE(p) << p.error().message;
  ASSERT_EQ(p->steps.size(), 2U);
  EXPECT_EQ(p->steps[0].author, PlanAuthor::kModel);
  EXPECT_EQ(p->steps[1].author, PlanAuthor::kIndex);
  EXPECT_NE(after(*p, "shop/price.py").find("raise ValueError(net)"), std::string::npos);
  EXPECT_NE(after(*p, "shop/cart.py").find("def sum_of(items)"), std::string::npos);
  EXPECT_EQ(parse_plan(to_toml(*p)).value().steps, p->steps) << "a plan survives its file";
}

TEST_F(Model, IsHeldToTheFormatByAGrammar) {
  const auto record = repo.path() / "asked.jsonl";
  const json script{{"record", record.string()},
                    {"default", {{"answer", kGuard}, {"tokens_per_step", 4096}}}};
  context.scheduler =
      std::make_shared<Scheduler>(inference::ScriptedBackend::parse(script.dump()).value());
  ASSERT_TRUE(plan("change gross_price"));
  std::string line;
  std::ifstream lines(record);
  ASSERT_TRUE(std::getline(lines, line));
  const auto grammar = inference::Grammar::parse(json::parse(line)["grammar"].get<std::string>());
  ASSERT_TRUE(grammar) << grammar.error().message;
  EXPECT_TRUE(inference::GrammarMatcher(*grammar).accept(kGuard));
}

TEST_F(Model, GetsOneChanceToRepairAStep) {
  const std::string wrong =
      "step: s\nedit: shop/price.py\n@@ old\n    return net*RATE\n@@ new\n    return 0\n@@ end\n";
  const std::string broken =
      "step: s\nedit: shop/price.py\n@@ old\n    return net * RATE\n@@ new\n    return (\n@@ end\n";
  model({wrong, kGuard});
  EXPECT_FALSE(plan("change gross_price").value().steps[0].dropped);
  model({broken, kGuard});
  EXPECT_FALSE(plan("change gross_price").value().steps[0].dropped);
  model({std::string(kGuard) + wrong, wrong});
  const auto p = plan("change gross_price");
  ASSERT_TRUE(p) << p.error().message;
  ASSERT_EQ(p->steps.size(), 2U);
  EXPECT_TRUE(p->steps[1].dropped);
  EXPECT_NE(p->steps[1].reason.find("does not hold the quoted lines"), std::string::npos);
  model({wrong});
  EXPECT_EQ(plan("change gross_price").error().code, Code::kInvalidArgument);
  model({"I cannot do that."});
  EXPECT_EQ(plan("change gross_price").error().code, Code::kInvalidArgument);
}

TEST_F(Model, MayChangeOnlyWhatWasOffered) {
  for (const std::string path : {"other.py", "../x.py", "/etc/passwd", ".env", ".git/config"}) {
    model({"step: s\nedit: " + path + "\n@@ old\ndef elsewhere():\n@@ new\ndef gone():\n@@ end\n"});
    EXPECT_FALSE(plan("change gross_price")) << path;
    model({"step: s\ncreate: " + path + "\n@@ new\nx = 1\n@@ end\n"});
    EXPECT_FALSE(plan("change gross_price")) << path;
  }
  model({"step: s\ncreate: shop/tax.py\n@@ new\nTAX = 1\n@@ end\n"});
  EXPECT_EQ(after(plan("change gross_price").value(), "shop/tax.py"), "TAX = 1\n");
}

TEST_F(Model, IsNotAskedWhenTheIndexFindsNothing) {
  model({kGuard});
  EXPECT_EQ(plan("make it all nicer").error().code, Code::kNotFound);
  RefactorRequest request;
  request.instruction = "look at .env and other.py";
  const auto offered = offered_files(*context.snapshot, request, {}, 1 << 20);
  ASSERT_EQ(offered.size(), 1U) << "secret files are never offered";
  EXPECT_EQ(offered[0].path, "other.py");
}

TEST_F(Model, ThatIsTooSmallIsNamedWithWhatToDo) {
  inference::BackendInfo nano;
  nano.name = "ambit-nano";
  nano.weights_bytes = 4U << 20;
  const auto able = can_judge(nano, "rewrites");
  ASSERT_FALSE(able);
  EXPECT_NE(able.error().message.find("ambit-nano is too small to judge code: rewrites want "
                                      "DeepSeek-V4"),
            std::string::npos)
      << able.error().message;
}

TEST_F(Model, RewritesNothingOutsideOfTheLines) {
  model({"@@ new\ndef gross_price(net):\n    return net * RATE  # was: net\n@@ end\n"});
  auto request = at("shop/price.py", "return net");
  request.instruction = "say it";
  const auto edit = rewrite_by_model(context, request);
  ASSERT_TRUE(edit) << edit.error().message;
  std::vector<TextEdit> edits{*edit};
  EXPECT_EQ(apply_edits(request.text, edits).value(),
            "RATE = 2\n\n\ndef gross_price(net):\n    return net * RATE  # was: net\n");
  for (const char* bad : {"no format", "@@ new\nx", "@@ new\ndef f(:\n@@ end\n",
                          "@@ new\ndef gross_price(net):\n    return net * RATE\n@@ end\n",
                          "@@ new\na = 1\n@@ end\n@@ new\nb = 1\n@@ end\n"}) {
    model({bad});
    EXPECT_FALSE(rewrite_by_model(context, request)) << bad;
  }
}

TEST_F(Model, DocumentsWithoutChangingCode) {
  auto request = at("shop/price.py", "def gross");
  request.kind = RewriteRequest::kDocument;
  model(
      {"@@ new\ndef gross_price(net):\n    \"\"\"With tax.\"\"\"\n    return net * RATE\n@@ "
       "end\n"});
  EXPECT_TRUE(rewrite_by_model(context, request));
  model(
      {"@@ new\ndef gross_price(net):\n    \"\"\"With tax.\"\"\"\n    return net + RATE\n@@ "
       "end\n"});
  const auto refused = rewrite_by_model(context, request);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("changes code"), std::string::npos);
  using indexer::Language;
  EXPECT_FALSE(same_code(Language::kPython, "if a:\n    b()\n    c()\n", "if a:\n    b()\nc()\n"));
  EXPECT_FALSE(same_code(Language::kPython, "x = 'a  b'\n", "x = 'a b'\n"));
  EXPECT_TRUE(same_code(Language::kCpp, "int f() { return 1; }\n",
                        "// One.\nint f() {\n  return 1; /* 1 */\n}\n"));
}

TEST_F(Model, WritesTestsWhereTestsBelong) {
  model(
      {"@@ new\nfrom shop.price import gross_price\n\n\ndef test_doubles():\n"
       "    assert gross_price(1) == 2\n@@ end\n"});
  const auto made = test_by_model(context, at("shop/price.py", "def gross"));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->path, "shop/test_price.py");
  EXPECT_FALSE(made->before);
  repo.write("tests/test_price.py", "def test_it():\n    pass\n");
  static_cast<void>(index->update().value());
  context.snapshot = index->snapshot();
  const auto longer = test_by_model(context, at("shop/price.py", "def gross"));
  ASSERT_TRUE(longer) << longer.error().message;
  EXPECT_EQ(longer->path, "tests/test_price.py");
  EXPECT_TRUE(longer->after->starts_with(*longer->before));
}

TEST_F(Model, HundredThousandHostileAnswersStayInsideOfThePlan) {
  const std::vector<std::string> pieces{"step: s\n",
                                        "step:\n",
                                        "edit: shop/price.py\n",
                                        "edit: shop/cart.py\n",
                                        "edit: other.py\n",
                                        "edit: ../../etc/passwd\n",
                                        "edit: \n",
                                        "create: new.py\n",
                                        "create: .git/hooks/x\n",
                                        "create: shop/../../x\n",
                                        "create: shop/price.py\n",
                                        "@@ old\n",
                                        "@@ new\n",
                                        "@@ end\n",
                                        "    return net * RATE\n",
                                        "RATE = 2\n",
                                        "def gross_price(net):\n",
                                        "x = (\n",
                                        "\n",
                                        "$(touch canary)\n",
                                        "index: rename gross_price to rm\n",
                                        "index: ; touch canary\n",
                                        "index: rename elsewhere to nowhere\n",
                                        "\xFF\xFE\n",
                                        std::string("\0\n", 2),
                                        "@@ old",
                                        "text"};
  RefactorRequest request;
  request.instruction = "change gross_price";
  const auto offered = offered_files(*context.snapshot, request, {}, 1 << 20);
  const std::set<std::string> may{"shop/price.py", "shop/cart.py", "new.py", "other.py"};
  std::mt19937 random(7);
  std::size_t changed = 0, edited_other = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string answer;
    for (auto n = random() % 14; n > 0; --n) answer += pieces[random() % pieces.size()];
    if (random() % 8 == 0) answer.resize(answer.size() / 2);
    for (const auto& step : read_model_steps(answer).steps) {
      // What the index does is tested beside it, and slow.
      if (!step.instruction.empty() && round % 500 != 0) continue;
      std::vector<std::string> notes;
      const auto made = checked_step(*context.snapshot, request, step, offered, notes);
      if (!made) continue;
      Plan p;
      p.steps = *made;
      const auto changes = plan_changes(p, reader_of(*context.snapshot));
      if (!changes) continue;
      for (const auto& [path, c] : *changes) {
        ++changed;
        EXPECT_TRUE(may.contains(path)) << path << "\n" << answer;
        if (path == "other.py" && step.instruction.empty()) ++edited_other;
      }
    }
  }
  EXPECT_GT(changed, 100U) << "the attacks must get that far";
  EXPECT_EQ(edited_other, 0U) << "it was not offered";
  EXPECT_FALSE(std::filesystem::exists("canary"));
}

}  // namespace
}  // namespace ambit::daemon
