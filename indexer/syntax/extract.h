// One text in, its facts out: what it defines, whom it mentions, what it imports. Tolerates any
// bytes and any errors. Knows nothing of files, repositories or the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/syntax/languages.h"
#include "indexer/types.h"

struct TSTree;

namespace ambit::indexer {

struct Grammar;

// All positions are byte offsets into the text that was parsed; lines and columns are 0-based.
struct Definition {
  ByteSpan name;
  ByteSpan span;  // wrappers (decorators, template<>, export) and doc comment included
  std::uint32_t declaration = 0;       // where the signature begins, >= span.begin
  std::uint32_t signature_end = 0;     // where the body begins, else span.end
  ByteSpan doc;                        // comment or doc string, empty when there is none
  std::uint32_t line = 0, column = 0;  // of the name
  std::uint32_t end_line = 0;
  std::int32_t parent = -1;  // index of the enclosing definition
  SymbolKind kind = SymbolKind::kFunction;
  bool exported = true;
  bool declaration_only = false;  // announces what is defined elsewhere: a prototype, an extern
  std::string owner;  // names between the parent and this one: a C++ qualifier, a receiver, an impl
  friend bool operator==(const Definition&, const Definition&) = default;
};

struct Mention {
  ByteSpan span;
  std::uint32_t line = 0, column = 0;
  ReferenceKind kind = ReferenceKind::kOther;
  friend bool operator==(const Mention&, const Mention&) = default;
};

struct Import {
  ByteSpan module;     // quotes and brackets included
  ByteSpan statement;  // names imported by it are mentions of kind kImport inside
  friend bool operator==(const Import&, const Import&) = default;
};

// A variable or parameter and the function, block or lambda that it lives in.
struct Local {
  ByteSpan name;
  ByteSpan within;
  std::uint32_t line = 0, column = 0;
  friend bool operator==(const Local&, const Local&) = default;
};

struct Facts {
  std::vector<Definition> definitions;  // by position of the name
  std::vector<Mention> mentions;        // by position; names of definitions are not among them
  std::vector<Import> imports;
  std::vector<Local> locals;
  std::vector<ByteSpan> errors;  // ranges that the grammar did not understand, outermost only
  friend bool operator==(const Facts&, const Facts&) = default;
};

struct ExtractLimits {
  std::chrono::milliseconds time{10'000};  // of this thread's processor; kTimeout after it
  std::size_t max_bytes = std::size_t{32} << 20;
  std::stop_token stop;  // kCancelled soon after it
  // Items of small nodes are listed to this depth.
  std::uint8_t item_depth = 1;
};

// Whether an outline is less work than the whole: for C and its kin.
[[nodiscard]] constexpr bool has_outline(Language language) {
  return language == Language::kC || language == Language::kCpp || language == Language::kCuda;
}

// Immutable.
using KeptTree = std::shared_ptr<TSTree>;
// The tree of old_text, told that [begin, old_end) became [begin, new_end) of text; null of null.
[[nodiscard]] KeptTree edited(const KeptTree& tree, std::string_view old_text,
                              std::string_view text, std::uint32_t begin, std::uint32_t old_end,
                              std::uint32_t new_end);

// Not thread-safe: one per thread. Keeps the parser warm between texts.
class Extractor {
 public:
  Extractor();
  Extractor(Extractor&&) noexcept;
  Extractor& operator=(Extractor&&) noexcept;
  ~Extractor();
  // kUnsupported for a language without a grammar, kTimeout, kCancelled, kResourceExhausted.
  [[nodiscard]] Result<Facts> extract(Language language, std::string_view text,
                                      const ExtractLimits& limits = {}) {
    return extract(language, text, limits, nullptr);
  }
  // What a file defines and imports, and which words it mentions: mentions are in no order, without
  // line and column, and locals are among them. Several times faster where has_outline().
  [[nodiscard]] Result<Facts> outline(Language language, std::string_view text,
                                      const ExtractLimits& limits = {}) {
    return outline(language, text, limits, nullptr);
  }

  // Every place that the grammar does not understand, bodies included, which Facts::errors leaves
  // out where has_outline(): for comparing two states of a text, as macros may look like mistakes.
  [[nodiscard]] Result<std::vector<ByteSpan>> grammar_errors(Language language,
                                                             std::string_view text,
                                                             const ExtractLimits& limits = {});

  // Nodes as they lie in the text, for parsing one of them again alone: the children of the root
  // and, below, those of large nodes. In preorder; nodes without text are left out.
  struct Item {
    ByteSpan span;
    std::uint16_t type = 0;
    std::uint8_t depth = 0;  // 0: a child of the root
    bool named = false;
    bool error = false;  // in it or below it
    bool extra = false;  // may stand anywhere: a comment
    friend bool operator==(const Item&, const Item&) = default;
  };
  // `tree`: a tree of an earlier text with its edits, or null, becomes that of this text, where the
  // text is parsed as it is; what lies outside of the edits is then not parsed again.
  [[nodiscard]] Result<Facts> extract(Language language, std::string_view text,
                                      const ExtractLimits& limits, std::vector<Item>* items,
                                      KeptTree* tree = nullptr);
  // Without mentions when `items` are asked for.
  [[nodiscard]] Result<Facts> outline(Language language, std::string_view text,
                                      const ExtractLimits& limits, std::vector<Item>* items);

 private:
  struct State;
  [[nodiscard]] static Result<const Grammar*> usable(Language language, std::string_view text,
                                                     const ExtractLimits& limits);
  std::unique_ptr<State> state_;
};

// Definitions as the index hands them out.
[[nodiscard]] Symbol make_symbol(std::string_view path, std::string_view text, Language language,
                                 const std::vector<Definition>& all, std::size_t index);
[[nodiscard]] std::string scope_of(std::string_view text, Language language,
                                   const std::vector<Definition>& all, std::size_t index);
// One line, at most 240 bytes, white space folded.
[[nodiscard]] std::string signature_of(std::string_view text, const Definition& d);
[[nodiscard]] std::string doc_line_of(std::string_view text, const Definition& d);

}  // namespace ambit::indexer
