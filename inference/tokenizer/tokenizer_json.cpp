#include <nlohmann/json.hpp>
#include <unordered_map>

#include "inference/tokenizer/utf8.h"
#include "inference/tokenizer/vocabulary.h"

namespace ambit::inference {
namespace {

using Json = nlohmann::json;

Error corrupt(std::string what) {
  return make_error(Code::kCorrupt, "tokenizer.json: " + std::move(what));
}
Error unsupported(std::string what) {
  return make_error(Code::kUnsupported, "tokenizer.json: " + std::move(what) +
                                            "; only DeepSeek's byte-level BPE is supported");
}

// The member, or null when it is absent or object is no object.
const Json& member(const Json& object, const char* key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto it = object.find(key);
  return it == object.end() ? null : *it;
}

std::string_view text_of(const Json& value) {
  return value.is_string() ? std::string_view(value.get_ref<const std::string&>())
                           : std::string_view();
}

bool is_true(const Json& value) {
  return value.is_boolean() && value.get<bool>();
}

// Something that changes how text is split or joined and that we do not have.
bool is_set(const Json& value) {
  return !value.is_null() && !(value.is_boolean() && !value.get<bool>()) &&
         !(value.is_string() && text_of(value).empty()) &&
         !(value.is_number() && value.get<double>() == 0.0);
}

Result<PreTokenizer> parse_pre_tokenizer(const Json& pre) {
  const Json& parts = member(pre, "pretokenizers");
  if (text_of(member(pre, "type")) != "Sequence" || !parts.is_array() || parts.size() != 4) {
    return unsupported("pre_tokenizer is not DeepSeek's sequence of three splits and ByteLevel");
  }
  constexpr std::string_view kPatterns[] = {kDeepSeekDigits, kDeepSeekCjk, kDeepSeekMain};
  for (std::size_t i = 0; i < 3; ++i) {
    const Json& part = parts[i];
    if (text_of(member(part, "type")) != "Split" ||
        text_of(member(part, "behavior")) != "Isolated" || is_true(member(part, "invert")) ||
        text_of(member(member(part, "pattern"), "Regex")) != kPatterns[i]) {
      return unsupported("split " + std::to_string(i + 1) + " of pre_tokenizer is unknown");
    }
  }
  if (text_of(member(parts[3], "type")) != "ByteLevel" ||
      is_true(member(parts[3], "add_prefix_space")) || is_true(member(parts[3], "use_regex"))) {
    return unsupported("the last part of pre_tokenizer is not a plain ByteLevel");
  }
  return PreTokenizer::kDeepSeek;
}

Result<void> parse_added(const Json& added, Vocabulary& out) {
  if (added.is_null()) return {};
  if (!added.is_array() || added.size() > kMaxTokens) return corrupt("added_tokens is no list");
  for (const Json& entry : added) {
    const Json& id = member(entry, "id");
    const std::string_view content = text_of(member(entry, "content"));
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMaxTokens || content.empty() ||
        content.size() > kMaxTokenBytes) {
      return corrupt("an entry of added_tokens has no valid id and content");
    }
    for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
      if (is_true(member(entry, flag))) {
        return unsupported(std::string("an added token has the flag ") + flag);
      }
    }
    out.added.push_back({id.get<TokenId>(), std::string(content), is_true(member(entry, "special")),
                         is_true(member(entry, "normalized"))});
  }
  return {};
}

using Ids = std::unordered_map<std::string_view, TokenId>;  // by the text in the file

Result<Merge> make_merge(const Ids& ids, std::string_view left, std::string_view right) {
  const auto l = ids.find(left);
  const auto r = ids.find(right);
  std::string joined(left);
  joined.append(right);
  const auto both = ids.find(joined);
  if (l == ids.end() || r == ids.end() || both == ids.end()) {
    return corrupt("a merge names a token that is not in the vocabulary");
  }
  return Merge{l->second, r->second, both->second};
}

Result<Merge> split_merge(const Ids& ids, std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
    return corrupt("a merge is not of the form 'left right'");
  }
  return make_merge(ids, text.substr(0, space), text.substr(space + 1));
}

Result<void> check_model(const Json& model) {
  if (text_of(member(model, "type")) != "BPE") return unsupported("the model is not of type BPE");
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix",
                          "byte_fallback", "ignore_merges"}) {
    if (is_set(member(model, key))) return unsupported(std::string("model.") + key + " is set");
  }
  return {};
}

Result<void> parse_model(const Json& model, Vocabulary& out) {
  AMBIT_CHECK_OK(check_model(model));
  const Json& vocab = member(model, "vocab");
  const Json& merges = member(model, "merges");
  if (!vocab.is_object() || vocab.empty() || vocab.size() > kMaxTokens) {
    return corrupt("model.vocab is missing or empty");
  }
  if (!merges.is_array() || merges.size() > kMaxTokens) return corrupt("model.merges is no list");
  Ids ids;
  ids.reserve(vocab.size());
  for (const auto& [text, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMaxTokens ||
        text.size() > kMaxTokenBytes) {
      return corrupt("an entry of model.vocab has no valid id");
    }
    const auto index = id.get<std::size_t>();
    if (out.tokens.size() <= index) out.tokens.resize(index + 1);
    if (!out.tokens[index].empty()) {
      return corrupt("id " + std::to_string(index) + " is given to two tokens");
    }
    out.tokens[index] = byte_level_to_bytes(text);
    ids.emplace(text, id.get<TokenId>());
  }
  out.merges.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_array() && merge.size() == 2) {
      AMBIT_TRY(m, make_merge(ids, text_of(merge[0]), text_of(merge[1])));
      out.merges.push_back(m);
    } else {
      AMBIT_TRY(m, split_merge(ids, text_of(merge)));
      out.merges.push_back(m);
    }
  }
  return {};
}

}  // namespace

Result<Vocabulary> parse_tokenizer_json(std::string_view text) {
  const Json root = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object()) return corrupt("it is not valid JSON");
  const Json& normalizer = member(root, "normalizer");
  const Json& normalizers = member(normalizer, "normalizers");
  if (!normalizer.is_null() && !(normalizers.is_array() && normalizers.empty())) {
    return unsupported("a normalizer is set");
  }
  Vocabulary out;
  AMBIT_TRY(pre, parse_pre_tokenizer(member(root, "pre_tokenizer")));
  out.pre_tokenizer = pre;
  AMBIT_CHECK_OK(parse_model(member(root, "model"), out));
  AMBIT_CHECK_OK(parse_added(member(root, "added_tokens"), out));
  return out;
}

Result<Vocabulary> vocabulary_from_gguf(const std::vector<std::string>& tokens,
                                        const std::vector<std::string>& merges,
                                        const std::vector<std::int32_t>& types,
                                        std::string_view pre) {
  if (pre != "deepseek-v3" && pre != "joyai-llm") {
    return make_error(Code::kUnsupported, "GGUF: tokenizer.ggml.pre is '" + std::string(pre) +
                                              "'; only deepseek-v3 and joyai-llm are supported");
  }
  if (tokens.empty() || tokens.size() > kMaxTokens || merges.size() > kMaxTokens ||
      (!types.empty() && types.size() != tokens.size())) {
    return make_error(Code::kCorrupt,
                      "GGUF: tokenizer.ggml.tokens, merges and token_type disagree");
  }
  Vocabulary out;
  Ids ids;
  ids.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].size() > kMaxTokenBytes) {
      return make_error(Code::kCorrupt, "GGUF: token " + std::to_string(i) + " is too long");
    }
    const auto id = static_cast<TokenId>(i);
    constexpr std::int32_t kControl = 3;
    constexpr std::int32_t kUserDefined = 4;
    const bool added = !types.empty() && (types[i] == kControl || types[i] == kUserDefined);
    if (added && !tokens[i].empty()) {
      out.added.push_back({id, tokens[i], types[i] == kControl, false});
    }
    out.tokens.push_back(added ? tokens[i] : byte_level_to_bytes(tokens[i]));
    ids.emplace(tokens[i], id);
  }
  out.merges.reserve(merges.size());
  for (const std::string& merge : merges) {
    AMBIT_TRY(m, split_merge(ids, merge));
    out.merges.push_back(m);
  }
  return out;
}

}  // namespace ambit::inference
