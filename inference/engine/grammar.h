// Grammars that an answer must follow, in a subset of GBNF:
//
//   root   ::= "{" space pair ("," space pair)* "}"     # the rule `root` is the answer
//   pair   ::= string ":" space [0-9]+
//   string ::= "\"" [^"\\\n]* "\""
//   space  ::= " "?
//
// Literals in double quotes and classes in brackets take \n \r \t \\ \" \] \- \xHH; a class matches
// one byte, and a negated one any byte that is not listed, so text in UTF-8 passes. ( ) groups,
// | separates, * + ? repeat what stands before. A rule ends at the next `name ::=`.
//
// Matching is on bytes, so a token may end inside a literal. Threads: a Grammar is immutable, a
// GrammarMatcher belongs to one thread.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "inference/request.h"

namespace ambit::inference {

class Tokenizer;

class Grammar {
 public:
  // kInvalidArgument with the line that is wrong; kUnsupported for left recursion.
  [[nodiscard]] static Result<std::shared_ptr<const Grammar>> parse(std::string_view text);

  static constexpr std::size_t kLongestText = 1 << 20;

 private:
  friend class GrammarParser;
  friend class GrammarMatcher;
  // A sequence is a run of elements that ends with kEnd; a position is an index of an element.
  struct Element {
    enum Kind : std::uint8_t { kEnd, kBytes, kRule } kind = kEnd;
    std::uint32_t index = 0;  // of sets_ or rules_
  };
  std::vector<Element> elements_;
  std::vector<std::bitset<256>> sets_;
  std::vector<std::vector<std::uint32_t>> rules_;  // positions where its alternatives begin
  std::uint32_t root_ = 0;
};

// The tokens of a vocabulary in the order of their bytes, special ones left out.
class GrammarVocabulary {
 public:
  explicit GrammarVocabulary(const Tokenizer& tokenizer);

 private:
  friend class GrammarMatcher;
  struct Token {
    std::string_view bytes;  // the tokenizer's
    TokenId id;
    std::uint32_t shared;  // bytes that it begins with as the token before does
  };
  std::vector<Token> tokens_;
  std::size_t size_ = 0;
};

// Where an answer stands in its grammar.
class GrammarMatcher {
 public:
  explicit GrammarMatcher(std::shared_ptr<const Grammar> grammar);

  // Whether the answer may end here.
  [[nodiscard]] bool can_end() const { return states_[state_].can_end; }
  // Whatever comes next is allowed, for good: there is nothing left to watch.
  [[nodiscard]] bool allows_anything();
  // Goes on by these bytes; false, and nothing changed, when they do not fit.
  bool accept(std::string_view bytes);
  // The bytes that come next whatever is chosen; at most `most` of them.
  [[nodiscard]] std::string forced(std::size_t most);
  // One byte per id of the vocabulary: 1 where the token may come next. False when none may.
  bool allowed(const GrammarVocabulary& vocabulary, std::vector<std::uint8_t>& out);

 private:
  // All ways to have read the answer so far: what is left to match, innermost last. A state is made
  // once, and its successors when they are first asked for.
  using Stack = std::vector<std::uint32_t>;
  struct State {
    std::vector<Stack> stacks;
    bool can_end = false;
    std::array<std::int32_t, 256> next{};
  };
  static constexpr std::int32_t kUnknown = -2;
  static constexpr std::int32_t kDead = -1;
  static constexpr std::size_t kMostStates = 4096;
  static constexpr std::size_t kMostStacks = 512;
  static constexpr std::size_t kDeepest = 4096;

  void expand(Stack stack, std::vector<Stack>& out, bool& can_end) const;
  std::int32_t intern(std::vector<Stack> stacks, bool can_end);
  std::int32_t step(std::int32_t state, std::uint8_t byte);

  std::shared_ptr<const Grammar> grammar_;
  std::vector<State> states_;
  std::map<std::pair<std::vector<Stack>, bool>, std::int32_t> known_;
  std::size_t state_ = 0;
};

}  // namespace ambit::inference
