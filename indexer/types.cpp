#include "indexer/types.h"

#include <algorithm>

namespace ambit::indexer {

std::string BlobId::hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  const bool sha256 =
      std::any_of(bytes.begin() + 20, bytes.end(), [](std::uint8_t b) { return b != 0; });
  std::string out;
  for (std::size_t i = 0; i < (sha256 ? 32U : 20U); ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

std::string_view to_string(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::kFunction:
      return "function";
    case SymbolKind::kMethod:
      return "method";
    case SymbolKind::kClass:
      return "class";
    case SymbolKind::kStruct:
      return "struct";
    case SymbolKind::kInterface:
      return "interface";
    case SymbolKind::kEnum:
      return "enum";
    case SymbolKind::kEnumerator:
      return "enumerator";
    case SymbolKind::kField:
      return "field";
    case SymbolKind::kProperty:
      return "property";
    case SymbolKind::kVariable:
      return "variable";
    case SymbolKind::kConstant:
      return "constant";
    case SymbolKind::kTypeAlias:
      return "type";
    case SymbolKind::kMacro:
      return "macro";
    case SymbolKind::kNamespace:
      return "namespace";
    case SymbolKind::kModule:
      return "module";
    case SymbolKind::kConstructor:
      return "constructor";
    case SymbolKind::kTrait:
      return "trait";
    case SymbolKind::kUnion:
      return "union";
    case SymbolKind::kLabel:
      return "label";
    case SymbolKind::kSection:
      return "section";
  }
  return "symbol";
}

std::string_view to_string(ReferenceKind kind) {
  switch (kind) {
    case ReferenceKind::kCall:
      return "call";
    case ReferenceKind::kType:
      return "type";
    case ReferenceKind::kImport:
      return "import";
    case ReferenceKind::kInherit:
      return "inherit";
    case ReferenceKind::kRead:
      return "read";
    case ReferenceKind::kWrite:
      return "write";
    case ReferenceKind::kOther:
      return "other";
  }
  return "other";
}

}  // namespace ambit::indexer
