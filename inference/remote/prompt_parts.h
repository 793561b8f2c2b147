// A prompt in token ids, taken apart into the pieces that a server without token ids wants.
//
// Text of the repository can hold the words of special tokens. A server that reads them in text
// would take them for markup, so in every piece that goes out as text "<｜" is sent as "<|" (and
// <think> with a space in it): the model sees nearly the same, and nobody can forge a turn.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/request.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference::remote {

struct Turn {
  std::string role;       // "system", "user", "assistant"
  std::string content;    // without markup
  std::string reasoning;  // of an assistant's earlier turn
};

struct PromptParts {
  enum class Kind { kPlain, kFim, kConversation };
  Kind kind = Kind::kPlain;
  std::string markup;  // all of it with the special tokens as text, without a BOS at the start
  bool bos = false;    // there was one
  // kFim
  std::string context;  // before the fill-in-the-middle markup
  std::string prefix, suffix;
  // kConversation
  std::vector<Turn> turns;
  bool thinking = false;  // the answer begins inside the reasoning
};

[[nodiscard]] PromptParts take_apart(const Tokenizer& tokenizer, std::span<const TokenId> ids);

// The text as it is sent; see above.
[[nodiscard]] std::string without_markup(std::string_view text);

}  // namespace ambit::inference::remote
