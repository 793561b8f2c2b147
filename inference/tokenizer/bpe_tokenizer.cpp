// The one implementation of Tokenizer. Pieces repeat: each thread keeps the ids of those it has
// met in a table of fixed size, so that most text costs a hash and a comparison per piece.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "inference/tokenizer/added_tokens.h"
#include "inference/tokenizer/bpe.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/tokenizer/utf8.h"
#include "inference/tokenizer/vocabulary.h"

namespace ambit::inference {
namespace {

// One cache line per entry; a newcomer replaces what is there.
struct CacheEntry {
  static constexpr std::size_t kMaxBytes = 22;
  static constexpr std::size_t kMaxIds = 9;
  std::uint32_t owner = 0;  // serial number of the tokenizer; 0: empty
  std::uint8_t bytes = 0;
  std::uint8_t ids = 0;
  char text[kMaxBytes] = {};
  TokenId id[kMaxIds] = {};
};
static_assert(sizeof(CacheEntry) == 64);
constexpr std::size_t kCacheEntries = std::size_t{1} << 14;  // 1 MiB a thread

CacheEntry* thread_cache() {
  thread_local const auto cache = std::make_unique<CacheEntry[]>(kCacheEntries);
  return cache.get();
}

std::uint64_t hash_of(std::string_view s) {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t c = 0;
  const std::size_t n = s.size();  // at most 22
  if (n >= 8) {
    std::memcpy(&a, s.data(), 8);
    std::memcpy(&b, s.data() + n - 8, 8);
    if (n > 16) std::memcpy(&c, s.data() + 8, 8);
  } else {
    std::memcpy(&a, s.data(), n);
  }
  std::uint64_t h = (a ^ n) * 0x9E3779B97F4A7C15ULL;
  h = (h ^ (h >> 32) ^ b) * 0xC2B2AE3D27D4EB4FULL;
  h = (h ^ (h >> 29) ^ c) * 0x165667B19E3779F9ULL;
  return h ^ (h >> 32);
}

std::uint32_t next_serial() {
  static std::atomic<std::uint32_t> serial{0};
  return ++serial;
}

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(Vocabulary vocabulary, const std::array<TokenId, 256>& bytes)
      : pre_tokenizer_(vocabulary.pre_tokenizer),
        tokens_(std::move(vocabulary.tokens)),
        bpe_(bytes, vocabulary.merges),
        serial_(next_serial()) {
    flags_.resize(tokens_.size());
    for (AddedToken& added : vocabulary.added) {
      const auto index = static_cast<std::size_t>(added.id);
      (added.normalized ? late_ : early_).add(added.content, added.id);
      if (added.special) flags_[index] = true;
      tokens_[index] = std::move(added.content);
    }
    ids_.reserve(tokens_.size());
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!tokens_[i].empty()) ids_.emplace(tokens_[i], static_cast<TokenId>(i));
    }
    fill_special();
  }

  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(tokens_.size()); }
  const SpecialTokens& special() const override { return special_; }

  std::optional<TokenId> find(std::string_view content) const override {
    const auto it = ids_.find(content);
    return it == ids_.end() ? std::nullopt : std::optional(it->second);
  }

  std::vector<TokenId> encode(std::string_view text) const override {
    std::vector<TokenId> out;
    out.reserve(text.size() / 4 + 4);
    encode_plain(text, out);
    return out;
  }

  std::vector<TokenId> encode_with_special(std::string_view text) const override {
    std::vector<TokenId> out;
    out.reserve(text.size() / 4 + 4);
    // Tokens marked `normalized` are looked for in what the others leave, as the reference does.
    cut(early_, text, out, [&](std::string_view rest) {
      cut(late_, rest, out, [&](std::string_view plain) { encode_plain(plain, out); });
    });
    return out;
  }

  std::size_t count(std::string_view text) const override {
    // Piece by piece into one small buffer, so that counting a repository allocates nothing.
    std::size_t n = 0;
    std::vector<TokenId> ids;
    PieceScanner scanner(pre_tokenizer_, text);
    for (std::string_view piece = scanner.next(); !piece.empty(); piece = scanner.next()) {
      ids.clear();
      encode_piece(piece, ids);
      n += ids.size();
    }
    return n;
  }

  std::string decode(std::span<const TokenId> ids) const override {
    std::string out;
    for (const TokenId id : ids) out.append(token_bytes(id));
    return out;
  }

  std::string_view token_bytes(TokenId id) const override {
    if (id < 0 || static_cast<std::size_t>(id) >= tokens_.size()) return {};
    return tokens_[static_cast<std::size_t>(id)];
  }

  bool is_special(TokenId id) const override {
    return id >= 0 && static_cast<std::size_t>(id) < flags_.size() &&
           flags_[static_cast<std::size_t>(id)];
  }

 private:
  template <class Plain>
  static void cut(const TokenTrie& trie, std::string_view text, std::vector<TokenId>& out,
                  const Plain& plain) {
    std::size_t pos = 0;
    if (!trie.empty()) {
      while (const auto found = trie.search(text, pos)) {
        if (found->position > pos) plain(text.substr(pos, found->position - pos));
        out.push_back(found->id);
        pos = found->position + found->length;
      }
    }
    if (pos < text.size()) plain(text.substr(pos));
  }

  void encode_plain(std::string_view text, std::vector<TokenId>& out) const {
    PieceScanner scanner(pre_tokenizer_, text);
    for (std::string_view piece = scanner.next(); !piece.empty(); piece = scanner.next()) {
      encode_piece(piece, out);
    }
  }

  void encode_piece(std::string_view piece, std::vector<TokenId>& out) const {
    if (piece.size() < 2 || piece.size() > CacheEntry::kMaxBytes) {
      bpe_.encode(piece, out);
      return;
    }
    CacheEntry& entry = thread_cache()[hash_of(piece) & (kCacheEntries - 1)];
    if (entry.owner == serial_ && entry.bytes == piece.size() &&
        std::memcmp(entry.text, piece.data(), piece.size()) == 0) {
      out.insert(out.end(), entry.id, entry.id + entry.ids);
      return;
    }
    const std::size_t before = out.size();
    bpe_.encode(piece, out);
    const std::size_t n = out.size() - before;
    if (n > CacheEntry::kMaxIds) return;
    entry.owner = serial_;
    entry.bytes = static_cast<std::uint8_t>(piece.size());
    entry.ids = static_cast<std::uint8_t>(n);
    std::memcpy(entry.text, piece.data(), piece.size());
    std::copy(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(), entry.id);
  }

  void fill_special() {
    const auto id = [&](std::string_view content) { return find(content).value_or(-1); };
    special_.bos = id("<｜begin▁of▁sentence｜>");
    special_.eos = id("<｜end▁of▁sentence｜>");
    special_.pad = id("<｜▁pad▁｜>");
    special_.fim_begin = id("<｜fim▁begin｜>");
    special_.fim_hole = id("<｜fim▁hole｜>");
    special_.fim_end = id("<｜fim▁end｜>");
    special_.user = id("<｜User｜>");
    special_.assistant = id("<｜Assistant｜>");
    special_.think = id("<think>");
    special_.end_think = id("</think>");
    special_.dsml = id("｜DSML｜");
  }

  PreTokenizer pre_tokenizer_;
  std::vector<std::string> tokens_;
  std::vector<bool> flags_;  // special
  std::unordered_map<std::string_view, TokenId> ids_;
  TokenTrie early_;
  TokenTrie late_;
  Bpe bpe_;
  SpecialTokens special_;
  std::uint32_t serial_;
};

}  // namespace

std::string byte_level_to_bytes(std::string_view text) {
  // The 68 bytes that are not printable, in order, are written as U+0100, U+0101, …
  static const auto table = [] {
    std::array<std::int16_t, 0x144> t{};
    t.fill(-1);
    std::size_t extra = 0x100;
    for (std::int16_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      t[printable ? static_cast<std::size_t>(b) : extra++] = b;
    }
    return t;
  }();
  std::string out;
  out.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Char c = decode_utf8(rest);
    if (c.state != Utf8Char::State::kValid || c.code_point >= table.size() ||
        table[c.code_point] < 0) {
      return std::string(text);
    }
    out.push_back(static_cast<char>(table[c.code_point]));
    rest.remove_prefix(c.length);
  }
  return out;
}

Result<std::shared_ptr<const Tokenizer>> make_tokenizer(Vocabulary vocabulary) {
  const auto corrupt = [](std::string what) {
    return make_error(Code::kCorrupt, "tokenizer: " + std::move(what));
  };
  for (const AddedToken& added : vocabulary.added) {
    const auto index = static_cast<std::size_t>(added.id);
    if (added.id < 0 || index >= kMaxTokens) return corrupt("an added token's id is out of range");
    if (vocabulary.tokens.size() <= index) vocabulary.tokens.resize(index + 1);
    const std::string& token = vocabulary.tokens[index];
    if (!token.empty() && token != added.content) {
      return corrupt("an added token has the id of another token");
    }
  }
  if (vocabulary.tokens.size() > kMaxTokens) return corrupt("more tokens than any model has");
  std::array<TokenId, 256> bytes;
  bytes.fill(-1);
  for (std::size_t i = vocabulary.tokens.size(); i-- > 0;) {
    const std::string& token = vocabulary.tokens[i];
    if (token.size() == 1) bytes[static_cast<std::uint8_t>(token[0])] = static_cast<TokenId>(i);
  }
  const auto missing = std::find(bytes.begin(), bytes.end(), -1);
  if (missing != bytes.end()) {
    return corrupt("byte " + std::to_string(missing - bytes.begin()) + " has no token");
  }
  const auto size = vocabulary.tokens.size();
  for (const Merge& m : vocabulary.merges) {
    const auto ok = [size](TokenId id) { return id >= 0 && static_cast<std::size_t>(id) < size; };
    if (!ok(m.left) || !ok(m.right) || !ok(m.result)) return corrupt("a merge is out of range");
    const std::string& left = vocabulary.tokens[static_cast<std::size_t>(m.left)];
    const std::string& right = vocabulary.tokens[static_cast<std::size_t>(m.right)];
    const std::string& result = vocabulary.tokens[static_cast<std::size_t>(m.result)];
    // Decoding would not give back the text otherwise.
    if (result.size() != left.size() + right.size() || !result.starts_with(left) ||
        !result.ends_with(right)) {
      return corrupt("a merge does not give the token of its two parts");
    }
  }
  return std::static_pointer_cast<const Tokenizer>(
      std::make_shared<BpeTokenizer>(std::move(vocabulary), bytes));
}

}  // namespace ambit::inference
