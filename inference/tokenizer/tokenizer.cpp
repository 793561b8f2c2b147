#include "inference/tokenizer/tokenizer.h"

#include "daemon/support/file.h"
#include "inference/tokenizer/utf8.h"
#include "inference/tokenizer/vocabulary.h"

namespace ambit::inference {

Result<std::shared_ptr<const Tokenizer>> Tokenizer::load(const std::filesystem::path& path) {
  constexpr std::uint64_t kMaxFile = std::uint64_t{256} << 20;
  AMBIT_TRY(text, read_file(path, kMaxFile));
  auto tokenizer = parse(text);
  if (!tokenizer) {
    const Error& e = tokenizer.error();
    return make_error(e.code, path.string() + ": " + e.message);
  }
  return tokenizer;
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::parse(std::string_view json) {
  AMBIT_TRY(vocabulary, parse_tokenizer_json(json));
  return make_tokenizer(std::move(vocabulary));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_gguf(
    const std::vector<std::string>& tokens, const std::vector<std::string>& merges,
    const std::vector<std::int32_t>& types, std::string_view pre) {
  AMBIT_TRY(vocabulary, vocabulary_from_gguf(tokens, merges, types, pre));
  return make_tokenizer(std::move(vocabulary));
}

std::shared_ptr<const Tokenizer> Tokenizer::bytes() {
  static const std::shared_ptr<const Tokenizer> shared = [] {
    Vocabulary v;
    v.pre_tokenizer = PreTokenizer::kNone;
    for (int b = 0; b < 256; ++b) v.tokens.emplace_back(1, static_cast<char>(b));
    struct Entry {
      const char* content;
      bool special;  // as in V4's own tokenizer.json
    };
    constexpr Entry kAdded[] = {
        {"<｜begin▁of▁sentence｜>", true},
        {"<｜end▁of▁sentence｜>", true},
        {"<｜▁pad▁｜>", true},
        {"<｜fim▁begin｜>", false},
        {"<｜fim▁hole｜>", false},
        {"<｜fim▁end｜>", false},
        {"<｜User｜>", false},
        {"<｜Assistant｜>", false},
        {"<think>", false},
        {"</think>", false},
        {"｜DSML｜", false},
        {"<｜latest_reminder｜>", false},
    };
    for (const Entry& e : kAdded) {
      v.added.push_back({static_cast<TokenId>(256 + v.added.size()), e.content, e.special, false});
    }
    return make_tokenizer(std::move(v)).value();
  }();
  return shared;
}

std::string StreamDecoder::push(TokenId id) {
  if (skip_special_ && tokenizer_->is_special(id)) return {};
  pending_.append(tokenizer_->token_bytes(id));
  return take_certain_text(pending_, /*final=*/false);
}

std::string StreamDecoder::finish() {
  return take_certain_text(pending_, /*final=*/true);
}

}  // namespace ambit::inference
