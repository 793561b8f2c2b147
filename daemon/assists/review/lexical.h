// What a text is, byte by byte: code, comment or string, by the habits of each language. Enough for
// rules that must not be fooled by a comment, and for counting arguments; never a parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/syntax/languages.h"

namespace ambit::daemon::review {

// The text with the bytes of comments, and of strings between their quotes, replaced by spaces
// (comments) and '_' (strings). Line ends stay, so offsets and lines are those of the text.
[[nodiscard]] std::string code_only(std::string_view text, indexer::Language language);

// How far brackets are from being balanced; branches of the preprocessor after the first are left
// out. Takes what code_only() made.
struct Balance {
  int round = 0, square = 0, curly = 0;
  [[nodiscard]] bool even() const { return round == 0 && square == 0 && curly == 0; }
};
[[nodiscard]] Balance balance(std::string_view code, indexer::Language language);

// What lies between the parenthesis at `open` and its partner, split at the commas of this level,
// white space around left out; nullopt when there is no partner near.
struct Pieces {
  std::vector<std::string_view> pieces;
  std::uint32_t close = 0;  // offset of the closing parenthesis
};
[[nodiscard]] std::optional<Pieces> split_list(std::string_view code, std::size_t open);

// Number of arguments between the parenthesis at `open` and its partner; nullopt when it cannot be
// told: no partner near, spread arguments, template brackets, macros. Not for Python, whose
// arguments have names: python_call.h.
struct Arguments {
  int count = 0;
  std::uint32_t close = 0;  // offset of the closing parenthesis
};
[[nodiscard]] std::optional<Arguments> count_arguments(std::string_view code, std::size_t open,
                                                       indexer::Language language);

// The parameters between the parenthesis at `open` of a definition: how many a call must give and
// how many it may; nullopt when it cannot be told (packs, variadic, patterns of types).
struct Arity {
  int least = 0, most = 0;
  friend bool operator==(const Arity&, const Arity&) = default;
};
[[nodiscard]] std::optional<Arity> count_parameters(std::string_view code, std::size_t open,
                                                    indexer::Language language);

[[nodiscard]] bool is_word(char c);
// The word that ends before `at`, or begins at it.
[[nodiscard]] std::string_view word_before(std::string_view code, std::size_t at);

}  // namespace ambit::daemon::review
