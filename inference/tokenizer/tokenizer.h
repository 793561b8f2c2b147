// Text <-> token ids for byte-level BPE vocabularies (DeepSeek-V4's and ambit-nano's).
// Immutable after loading, so all functions may be called from any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "inference/request.h"

namespace ambit::inference {

// Ids of the tokens that Ambit's prompts use; -1 where a vocabulary has none.
struct SpecialTokens {
  TokenId bos = -1, eos = -1, pad = -1;
  TokenId fim_begin = -1, fim_hole = -1, fim_end = -1;
  TokenId user = -1, assistant = -1, think = -1, end_think = -1, dsml = -1;
};

class Tokenizer {
 public:
  // A tokenizer.json of the Hugging Face tokenizers library.
  [[nodiscard]] static Result<std::shared_ptr<const Tokenizer>> load(
      const std::filesystem::path& tokenizer_json);
  // The same from memory.
  [[nodiscard]] static Result<std::shared_ptr<const Tokenizer>> parse(std::string_view json);
  // From the arrays of a GGUF file: tokenizer.ggml.tokens, .merges, .token_type (may be empty) and
  // .pre (deepseek-v3 or joyai-llm).
  [[nodiscard]] static Result<std::shared_ptr<const Tokenizer>> from_gguf(
      const std::vector<std::string>& tokens, const std::vector<std::string>& merges,
      const std::vector<std::int32_t>& types, std::string_view pre);
  // One token a byte (ids 0…255) and V4's special tokens from 256: for the scripted backend and
  // tests.
  [[nodiscard]] static std::shared_ptr<const Tokenizer> bytes();

  virtual ~Tokenizer() = default;

  [[nodiscard]] virtual std::int32_t vocab_size() const = 0;
  [[nodiscard]] virtual const SpecialTokens& special() const = 0;
  // The id of a token by its exact content (added tokens included).
  [[nodiscard]] virtual std::optional<TokenId> find(std::string_view content) const = 0;

  // Plain text: the text of special tokens in it is encoded as ordinary characters, so repository
  // text cannot forge markup.
  [[nodiscard]] virtual std::vector<TokenId> encode(std::string_view text) const = 0;
  // Prompt text made by us: special-token text becomes its id.
  [[nodiscard]] virtual std::vector<TokenId> encode_with_special(std::string_view text) const = 0;
  // Number of ids that encode(text) gives.
  [[nodiscard]] virtual std::size_t count(std::string_view text) const = 0;

  // The exact bytes, special tokens as their text; unknown ids give nothing.
  [[nodiscard]] virtual std::string decode(std::span<const TokenId> ids) const = 0;
  // The exact bytes of one token; empty for unknown ids.
  [[nodiscard]] virtual std::string_view token_bytes(TokenId id) const = 0;
  [[nodiscard]] virtual bool is_special(TokenId id) const = 0;
};

// Decodes token by token and gives text only at character boundaries: a UTF-8 sequence that is
// split over tokens is held back until it is whole (or known to be broken, then U+FFFD).
class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special = true)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}
  [[nodiscard]] std::string push(TokenId id);
  [[nodiscard]] std::string finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_;
  std::string pending_;
};

}  // namespace ambit::inference
