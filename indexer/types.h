// The words of the index: ids, spans, symbols, references. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ambit::indexer {

// Content identity as git has it: SHA-1 of "blob <size>\0<bytes>" (20 bytes, the rest zero) or
// SHA-256 in repositories of that format (32 bytes).
struct BlobId {
  std::array<std::uint8_t, 32> bytes{};
  friend bool operator==(const BlobId&, const BlobId&) = default;
  friend auto operator<=>(const BlobId&, const BlobId&) = default;
  [[nodiscard]] std::string hex() const;  // 40 digits, 64 when any of the last 12 bytes is set
};

enum class Language : std::uint8_t;  // indexer/syntax/languages.h lists them

// Bytes [begin, end) of a file.
struct ByteSpan {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend bool operator==(const ByteSpan&, const ByteSpan&) = default;
  friend auto operator<=>(const ByteSpan&, const ByteSpan&) = default;
  [[nodiscard]] std::uint32_t size() const { return end - begin; }
};

enum class SymbolKind : std::uint8_t {
  kFunction,
  kMethod,
  kClass,
  kStruct,
  kInterface,
  kEnum,
  kEnumerator,
  kField,
  kProperty,
  kVariable,
  kConstant,
  kTypeAlias,
  kMacro,
  kNamespace,
  kModule,
  kConstructor,
  kTrait,
  kUnion,
  kLabel,
  kSection,
};
[[nodiscard]] std::string_view to_string(SymbolKind kind);

enum class ReferenceKind : std::uint8_t { kCall, kType, kImport, kInherit, kRead, kWrite, kOther };
[[nodiscard]] std::string_view to_string(ReferenceKind kind);

// A definition. Lines are 0-based inside the index; the command line and editors convert.
struct Symbol {
  std::string path;  // relative to the root, '/' separated, bytes as the file system has them
  std::string name;
  std::string scope;      // enclosing names joined by the language's separator, "" at file level
  std::string signature;  // one line, without the body
  std::string doc;        // first sentence or line of the doc comment, without comment marks
  SymbolKind kind = SymbolKind::kFunction;
  ByteSpan span;  // the whole definition, body and doc comment included
  ByteSpan name_span;
  std::uint32_t line = 0;         // of the name
  std::uint32_t column = 0;       // of the name, UTF-8 bytes
  std::uint32_t end_line = 0;     // last line of span
  bool declaration_only = false;  // announces what is defined elsewhere: a prototype, an extern
  bool exported = true;  // false: visible in its own file or class only, as far as syntax tells
};

struct Reference {
  std::string path;
  std::string name;
  ReferenceKind kind = ReferenceKind::kOther;
  ByteSpan span;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

}  // namespace ambit::indexer
