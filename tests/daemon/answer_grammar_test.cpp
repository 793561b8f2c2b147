// The grammars of answers against their readers: whatever a grammar lets through can be read, and
// what must not be said cannot be.
#include "daemon/assists/answer_grammar.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "daemon/assists/refactor/edit_format.h"
#include "daemon/assists/refactor/edit_grammar.h"
#include "daemon/assists/review/findings_grammar.h"
#include "daemon/assists/review/model_findings.h"
#include "inference/engine/grammar.h"
#include "tests/indexer/temp_repo.h"

namespace ambit::daemon {
namespace {

using inference::Grammar;
using inference::GrammarMatcher;

bool matches(const std::string& grammar, std::string_view answer) {
  const auto parsed = Grammar::parse(grammar);
  EXPECT_TRUE(parsed) << parsed.error().message << "\n" << grammar;
  if (!parsed) return false;
  GrammarMatcher matcher(*parsed);
  return matcher.accept(answer) && matcher.can_end();
}

// A walk through the grammar at random: any byte that may come next, the end where it may be.
std::string drawn(const Grammar& grammar, std::mt19937& rng) {
  GrammarMatcher matcher(std::shared_ptr<const Grammar>(&grammar, [](const Grammar*) {}));
  std::string out;
  while (out.size() < 20'000) {
    if (matcher.can_end() && (rng() % 4 == 0 || out.size() > 1000)) break;
    const auto first = rng() % 256;
    // Bytes that close something come often, so that walks end.
    const char closing = "\n\"@ "[rng() % 4];
    bool moved =
        (out.size() > 200 || rng() % 2 == 0) && matcher.accept(std::string_view(&closing, 1));
    if (moved) out += closing;
    for (std::uint32_t i = 0; !moved && i < 256; ++i) {
      const char c = static_cast<char>((first + i) % 256);
      if (!matcher.accept(std::string_view(&c, 1))) continue;
      out += c;
      moved = true;
    }
    if (!moved) break;
  }
  return matcher.can_end() ? out : "";
}

const std::vector<OfferedFile> kOffered{
    {"src/a.py", "def f(x):\n    return \"x\\n\" # \xC3\xA9\n\n@@ old\n\tlast", false},
    {"b \"odd\".py", "one\n[\xE2\x80\xA6]\nthree\n", true}};

TEST(AnswerGrammar, NamesOfferedFilesAndQuotesTheirLinesAlone) {
  const auto g = steps_grammar(kOffered);
  const auto edit = [](const std::string& path, const std::string& old_text,
                       const std::string& new_text) {
    return "step: s\nedit: " + path + "\n@@ old\n" + old_text + "@@ new\n" + new_text + "@@ end\n";
  };
  EXPECT_TRUE(matches(g, edit("src/a.py", "def f(x):\n", "def f(y):\n@ x\n@@x\n")));
  EXPECT_TRUE(matches(g, edit("src/a.py", "def f(x):\n    return \"x\\n\" # \xC3\xA9\n", "")));
  EXPECT_TRUE(matches(g, edit("src/a.py", "\tlast\n", "x\n") + "step: t\nindex: rename f to g\n"));
  EXPECT_TRUE(matches(g, "step: s\ncreate: src/new.py\n@@ new\nx = 1\n@@ end\n"));
  EXPECT_FALSE(matches(g, edit("src/b.py", "def f(x):\n", "x\n")));
  EXPECT_FALSE(matches(g, edit("src/a.py", "def g(x):\n", "x\n")));
  EXPECT_FALSE(matches(g, edit("src/a.py", "one\n", "x\n"))) << "a line of another file";
  EXPECT_FALSE(matches(g, edit("src/a.py", "", "x\n")));
  EXPECT_FALSE(matches(g, edit("b \"odd\".py", "one\nthree\n", "x\n")))
      << "not one after the other";
  EXPECT_FALSE(matches(g, edit("src/a.py", "def f(x):\n", "@@ new\n")));
  EXPECT_FALSE(matches(g, "step: s\nindex: rm -rf /\n"));
  EXPECT_FALSE(matches(g, "step: s\ncreate: ../x\n@@ new\n@@ end\n"));
  EXPECT_FALSE(matches(g, "step: s\ncreate: .git/x\n@@ new\n@@ end\n"));
  EXPECT_FALSE(matches(g, "Here it is.\n" + edit("src/a.py", "def f(x):\n", "x\n")));
}

TEST(AnswerGrammar, WhatItLetsThroughCanBeRead) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "line " + std::to_string(i) + "\n";
  auto offered = kOffered;
  offered.push_back({"long.py", many, false});
  const auto steps = Grammar::parse(steps_grammar(offered));
  const auto replacement = Grammar::parse(replacement_grammar());
  ASSERT_TRUE(steps) << steps.error().message;
  ASSERT_TRUE(replacement) << replacement.error().message;
  std::mt19937 rng(7);
  int whole = 0, edits = 0;
  for (int i = 0; i < 400; ++i) {
    if (const auto answer = drawn(**replacement, rng); !answer.empty()) {
      ASSERT_TRUE(read_replacement(answer)) << answer;
    }
    const auto answer = drawn(**steps, rng);
    if (answer.empty()) continue;
    ++whole;
    const auto read = read_model_steps(answer);
    ASSERT_TRUE(read.problems.empty()) << read.problems[0] << "\n" << answer;
    for (const auto& s : read.steps) {
      for (const auto& e : s.edits) {
        ++edits;
        if (e.create) continue;
        const auto file = std::find_if(offered.begin(), offered.end(),
                                       [&](const OfferedFile& f) { return f.path == e.path; });
        ASSERT_NE(file, offered.end()) << e.path;
        if (e.path != "long.py") {
          EXPECT_NE((file->text + "\n").find(e.old_text), std::string::npos) << e.old_text;
        }
      }
    }
  }
  EXPECT_GT(whole, 100);
  EXPECT_GT(edits, 50);
}

class FindingsGrammar : public ::testing::Test {
 protected:
  FindingsGrammar() {
    repo.write("a.c", "int one;\nint two;\n");
    repo.commit("one");
    repo.write("a.c",
               "int one;\nint three;\n\nchar* s = \"\\\"\xC3\xA9\";\n}\n"
               "const char* k = \"AKIAIOSFODNN7EXAMPL2\";\nint two;\n");
    repo.write("hidden.pem", "x\ny\n");
    repo.git("add -A");
    review::Source source;
    source.repository = repo.path();
    change = review::load_change(source).value();
    grammar = review::findings_grammar(
        change, 2, [](const review::ChangedFile& f) { return f.path != "hidden.pem"; });
  }
  static std::string finding(const std::string& path, int line, const std::string& quote) {
    return nlohmann::json(path).dump().insert(0, "{\"path\": ") +
           ", \"line\": " + std::to_string(line) + ", \"quote\": " + nlohmann::json(quote).dump() +
           R"(, "message": "wrong", "why": "so", "confidence": 0.9})";
  }
  static std::string list(const std::string& items) { return "{\"findings\": [" + items + "]}"; }

  indexer::TempRepo repo;
  review::ChangeSet change;
  std::string grammar;
};

TEST_F(FindingsGrammar, CitesAddedLinesAlone) {
  EXPECT_TRUE(matches(grammar, list("")));
  EXPECT_TRUE(matches(grammar, list(finding("a.c", 2, "int three;"))));
  EXPECT_TRUE(matches(grammar, list(finding("a.c", 4, "char* s = \"\\\"\xC3\xA9\";"))));
  EXPECT_FALSE(matches(grammar, list(finding("a.c", 1, "int one;")))) << "not added";
  EXPECT_FALSE(matches(grammar, list(finding("a.c", 2, "int four;")))) << "not what stands there";
  EXPECT_FALSE(matches(grammar, list(finding("b.c", 2, "int three;"))));
  EXPECT_FALSE(matches(grammar, list(finding("hidden.pem", 1, "x"))));
  EXPECT_FALSE(matches(grammar, list(finding("a.c", 5, "}")))) << "too little to be certain";
  const auto one = finding("a.c", 2, "int three;");
  EXPECT_TRUE(matches(grammar, list(one + ", " + one)));
  EXPECT_FALSE(matches(grammar, list(one + ", " + one + ", " + one))) << "more than are read";
  EXPECT_EQ(grammar.find("AKIAIOSFODNN7EXAMPL2"), std::string::npos) << "secrets are replaced";
}

TEST_F(FindingsGrammar, CitesTheLineBesideWhatIsGone) {
  repo.git("commit -qm two");
  repo.write("a.c", "int one;\nint three;\nint two;\n");
  repo.git("add -A");
  review::Source source;
  source.repository = repo.path();
  const auto gone = review::load_change(source).value();
  const auto g = review::findings_grammar(gone, 2, [](const auto&) { return true; });
  for (const auto& [line, text, may] :
       {std::tuple(1, "int one;", false), {2, "int three;", true}, {3, "int two;", true}}) {
    const auto answer = list(finding("a.c", line, text));
    EXPECT_EQ(matches(g, answer), may) << text;
    EXPECT_EQ(review::read_model_findings(answer, gone, {}).findings.size(), may ? 1U : 0U);
  }
}

TEST_F(FindingsGrammar, WhatItLetsThroughIsAFinding) {
  const auto parsed = Grammar::parse(grammar);
  ASSERT_TRUE(parsed) << parsed.error().message;
  std::mt19937 rng(11);
  std::size_t findings = 0, listed = 0;
  review::ModelLimits all;
  all.confidence_floor = 0;
  all.per_100_lines = 1000;
  for (int i = 0; i < 400; ++i) {
    const auto answer = drawn(**parsed, rng);
    if (answer.empty()) continue;
    const auto read = review::read_model_findings(answer, change, {}, all);
    ASSERT_EQ(read.problem, "") << answer;
    findings += read.findings.size();
    listed += nlohmann::json::parse(answer)["findings"].size();
  }
  // Dropped are second findings on one line, and messages of blanks alone.
  EXPECT_GT(listed, 50U);
  EXPECT_GT(findings * 2, listed);
}

}  // namespace
}  // namespace ambit::daemon
