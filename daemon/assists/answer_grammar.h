// Pieces of the grammars that answers must follow (inference/engine/grammar.h). A grammar saves a
// model from answers that could not be used; whoever reads the answer checks it all the same.
#pragma once

#include <string>
#include <string_view>

namespace ambit::daemon {

// A quoted literal that matches exactly these bytes.
[[nodiscard]] std::string grammar_literal(std::string_view text);

// Rules for others to use: `char`, one character of valid UTF-8 that is no control character;
// `json-string`, quoted and escaped.
[[nodiscard]] std::string_view text_rules();

// More alternatives than this cannot be told apart at one place of a grammar.
inline constexpr std::size_t kMaxAlternatives = 400;

}  // namespace ambit::daemon
