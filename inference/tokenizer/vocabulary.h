// What a byte-level BPE vocabulary is, whatever file it came from, and how a tokenizer is made of
// it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "inference/request.h"
#include "inference/tokenizer/pre_tokenizer.h"

namespace ambit::inference {

class Tokenizer;

struct Merge {
  TokenId left = 0;
  TokenId right = 0;
  TokenId result = 0;
};

// A token that is found in the text before pieces are cut.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;
  bool normalized = false;  // looked for only in what the others leave
};

struct Vocabulary {
  std::vector<std::string> tokens;  // by id, exact bytes; empty where an id has no token
  std::vector<Merge> merges;        // by rank
  std::vector<AddedToken> added;
  PreTokenizer pre_tokenizer = PreTokenizer::kDeepSeek;
};

// Bounds on every vocabulary, far above any in use.
inline constexpr std::size_t kMaxTokens = std::size_t{1} << 22;
inline constexpr std::size_t kMaxTokenBytes = std::size_t{1} << 16;

// Byte-level files write each byte as a printable character: '!'…'~', U+00A1…U+00AC, U+00AE…U+00FF
// as themselves, the other 68 from U+0100 on. Back to bytes; a text with any other character stands
// for itself (added tokens are written so).
[[nodiscard]] std::string byte_level_to_bytes(std::string_view text);

// kCorrupt when ids are out of range, merges join what is not their result, or a byte has no token.
[[nodiscard]] Result<std::shared_ptr<const Tokenizer>> make_tokenizer(Vocabulary vocabulary);

// From the text of a tokenizer.json; kUnsupported names what it uses that we do not do.
[[nodiscard]] Result<Vocabulary> parse_tokenizer_json(std::string_view json);

// From the arrays of a GGUF file: tokenizer.ggml.tokens, .merges ("left right"), .token_type (3:
// control, 4: user-defined; may be empty) and .pre.
[[nodiscard]] Result<Vocabulary> vocabulary_from_gguf(const std::vector<std::string>& tokens,
                                                      const std::vector<std::string>& merges,
                                                      const std::vector<std::int32_t>& types,
                                                      std::string_view pre);

}  // namespace ambit::inference
