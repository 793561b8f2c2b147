// Any text is a grammar or a clear refusal; what a grammar calls for it also takes, and its mask
// says of every token what trying it says. Input: the grammar, a zero byte, an answer.
#include "inference/engine/grammar.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/fuzz/plain_main.h"
#include "tests/fuzz/readers.h"

using namespace ambit;
using namespace ambit::inference;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data),
                              std::min<std::size_t>(size, 4096));
  const std::size_t cut = text.find('\0');
  const auto grammar = Grammar::parse(text.substr(0, cut));
  if (!grammar) {
    fuzz::require_clear(grammar.error());
    return 0;
  }
  static const auto tokenizer = Tokenizer::bytes();
  static const GrammarVocabulary vocabulary(*tokenizer);
  std::string_view answer = cut == std::string_view::npos ? "" : text.substr(cut + 1);
  answer = answer.substr(0, 64);
  GrammarMatcher matcher(*grammar);
  std::vector<std::uint8_t> mask;
  for (const char byte : answer) {
    const bool may = matcher.allowed(vocabulary, mask);
    const auto token = tokenizer->encode({&byte, 1});
    GrammarMatcher trial = matcher;
    const bool took = trial.accept({&byte, 1});
    if (token.size() == 1) {
      fuzz::require((may && mask[static_cast<std::size_t>(token[0])] != 0) == took,
                    "the mask agrees with trying");
    }
    if (!took) break;
    matcher = std::move(trial);
  }
  const std::string forced = matcher.forced(16);
  fuzz::require(forced.empty() || matcher.accept(forced), "what is forced is taken");
  (void)matcher.allows_anything();
  return 0;
}

std::vector<std::string> ambit::fuzz::seeds() {
  using namespace std::string_literals;
  return {
      "root ::= \"{\" s p (\",\" s p)* \"}\" # all\np ::= t \":\" s [0-9]+\nt ::= \"\\\"\" "
      "[^\"\\\\\\n]* \"\\\"\"\ns ::= \" \"?\0"
      "{\"a\":1, \"b\": 22}"s,
      "root ::= x\nx ::= \"(\" x \")\" | \"\"\0((()))"s,
      "root ::= \"re\" [\\x00-\\xff]*\0return"s,
      "root ::= (\"ab\" | \"a\")+ \"c\"?\0aabaac"s,
      "root ::= root \"a\" | \"b\""s,
  };
}
