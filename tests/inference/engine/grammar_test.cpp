// Grammars: what they let through, and answers of a model that follow one whatever the seed.
#include "inference/engine/grammar.h"

#include "gtest/gtest.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

constexpr std::string_view kJson = R"(
root   ::= object
object ::= "{" ws (pair ("," ws pair)*)? "}" ws
pair   ::= string ":" ws value
value  ::= object | array | string | number | ("true" | "false" | "null") ws
array  ::= "[" ws (value ("," ws value)*)? "]" ws
string ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\/bfnrt])* "\"" ws   # no \u escapes
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ws
ws     ::= [ \t\n]*
)";

// Whether the whole text is an answer of the grammar.
bool matches(std::string_view grammar, std::string_view text) {
  auto parsed = Grammar::parse(grammar);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().message;
    return false;
  }
  GrammarMatcher matcher(std::move(*parsed));
  return matcher.accept(text) && matcher.can_end();
}

std::string problem(std::string_view grammar) {
  const auto parsed = Grammar::parse(grammar);
  return parsed ? "" : parsed.error().message;
}

TEST(Grammar, LetsThroughWhatItSaysAndNothingElse) {
  EXPECT_TRUE(matches(kJson, R"({"a": [1, -2.50, {"b": null}], "ü": "x\"y"})"));
  EXPECT_TRUE(matches(kJson, "{}"));
  EXPECT_FALSE(matches(kJson, R"({"a": 01})"));
  EXPECT_FALSE(matches(kJson, R"({"a": 1)"));
  EXPECT_FALSE(matches(kJson, R"({"a" 1})"));
  EXPECT_FALSE(matches(kJson, "{}x"));
  EXPECT_TRUE(matches("root ::= (\"ab\" | \"a\")+ \"c\"?", "aabaac"));
  EXPECT_FALSE(matches("root ::= (\"ab\" | \"a\")+ \"c\"?", "b"));
  EXPECT_TRUE(matches("root ::= x\nx ::= \"(\" x \")\" | \"\"", "((()))"));
  EXPECT_FALSE(matches("root ::= x\nx ::= \"(\" x \")\" | \"\"", "(()"));
}

TEST(Grammar, KnowsWhenNothingIsLeftToWatch) {
  const auto anything_after = [](std::string_view grammar, std::string_view text) {
    GrammarMatcher matcher(*Grammar::parse(grammar));
    EXPECT_TRUE(matcher.accept(text)) << text;
    return matcher.allows_anything();
  };
  constexpr std::string_view kBeginning = "root ::= \"re\" [\\x00-\\xff]*";
  EXPECT_FALSE(anything_after(kBeginning, "r"));
  EXPECT_TRUE(anything_after(kBeginning, "re"));
  EXPECT_TRUE(anything_after(kBeginning, "return\xff"));
  EXPECT_FALSE(anything_after("root ::= [a-z]*", "abc"));
  EXPECT_FALSE(anything_after("root ::= [\\x00-\\xff]* \"end\"", "abc"));
}

TEST(Grammar, SaysInOneLineWhatIsWrong) {
  EXPECT_NE(problem("root ::= x").find("x is used but not there"), std::string::npos);
  EXPECT_NE(problem("a ::= \"b\"").find("no rule named root"), std::string::npos);
  EXPECT_NE(problem("root ::= \"b").find("is missing"), std::string::npos);
  EXPECT_NE(problem("root ::= \"a\"\nroot ::= \"b\"").find("line 2"), std::string::npos);
  EXPECT_NE(problem("root ::= [z-a]").find("backwards"), std::string::npos);
  EXPECT_NE(problem("root ::= root \"a\" | \"b\"").find("begins with itself"), std::string::npos);
  EXPECT_NE(problem("root ::= (\"a\"*)*").find("begins with itself"), std::string::npos);
  EXPECT_NE(problem("root ::= " + std::string(5000, '(')).find("too deeply"), std::string::npos);
}

TEST(Grammar, AMaskAgreesWithTryingEveryToken) {
  const auto tokenizer = Tokenizer::bytes();
  const GrammarVocabulary vocabulary(*tokenizer);
  const auto grammar = Grammar::parse(kJson).value();
  GrammarMatcher matcher(grammar);
  std::string text;
  for (const char c : std::string_view(R"({"key": [true, "v"]})")) {
    std::vector<std::uint8_t> allowed;
    ASSERT_TRUE(matcher.allowed(vocabulary, allowed));
    for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
      GrammarMatcher fresh(grammar);
      ASSERT_TRUE(fresh.accept(text));
      const bool fits = !tokenizer->is_special(id) && fresh.accept(tokenizer->token_bytes(id));
      EXPECT_EQ(allowed[static_cast<std::size_t>(id)] != 0, fits) << text << " " << id;
    }
    ASSERT_TRUE(matcher.accept({&c, 1}));
    text += c;
  }
  EXPECT_TRUE(matcher.can_end());
}

}  // namespace
}  // namespace ambit::inference
