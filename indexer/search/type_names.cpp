#include "indexer/search/type_names.h"

#include <algorithm>
#include <array>

#include "indexer/search/words.h"

namespace ambit::indexer {
namespace {

// Types that only hold another one.
constexpr std::array kHolders = std::to_array<std::string_view>(
    {"Arc",         "Awaitable", "Box",        "ClassVar", "Cow",        "Final",   "MutexGuard",
     "NonNullable", "Option",    "Optional",   "Partial",  "Pin",        "Promise", "Rc",
     "Readonly",    "Ref",       "RefCell",    "Required", "Result",     "Self",    "Task",
     "Type",        "ValueTask", "shared_ptr", "type",     "unique_ptr", "weak_ptr"});
constexpr std::array kQualifiers = std::to_array<std::string_view>(
    {"abstract", "await",   "async",   "class",   "const",    "constexpr", "dyn",       "enum",
     "export",   "extern",  "final",   "impl",    "in",       "inline",    "internal",  "let",
     "mut",      "mutable", "new",     "out",     "override", "private",   "protected", "public",
     "readonly", "ref",     "return",  "static",  "struct",   "typedef",   "typename",  "union",
     "unsigned", "val",     "virtual", "volatile"});

}  // namespace

bool is_type(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::kClass:
    case SymbolKind::kStruct:
    case SymbolKind::kInterface:
    case SymbolKind::kTrait:
    case SymbolKind::kEnum:
    case SymbolKind::kUnion:
    case SymbolKind::kTypeAlias:
      return true;
    default:
      return false;
  }
}

bool has_dollar_names(Language l) {
  return l == Language::kJavaScript || l == Language::kTypeScript || l == Language::kTsx ||
         l == Language::kJava;
}

bool has_implicit_this(Language l) {
  return l == Language::kJava || l == Language::kCSharp || l == Language::kCpp ||
         l == Language::kCuda || l == Language::kKotlin || l == Language::kScala ||
         l == Language::kSwift;
}

bool is_scope_of(std::string_view scope, std::string_view type) {
  return scope.ends_with(type) &&
         (scope.size() == type.size() || !is_name_byte(scope[scope.size() - type.size() - 1]));
}

std::string simple_type(std::string_view type) {
  std::string last;
  for (std::size_t at = 0; at < type.size();) {
    const char c = type[at];
    if (c == '\'' || c == '"') {  // 'a of Rust, a forward reference of Python
      if (c == '\'' && at + 1 < type.size() && is_name_byte(type[at + 1]) &&
          type.find('\'', at + 1) == std::string_view::npos) {
        at += 1 + name_at(type, at + 1).size();
        continue;
      }
      ++at;
      continue;
    }
    if (is_name_byte(c)) {
      const auto w = name_at(type, at);
      at += w.size();
      if (std::binary_search(kQualifiers.begin(), kQualifiers.end(), w)) continue;
      if (w == "None" || w == "null" || w == "undefined" || w == "nil") {
        if (!last.empty()) break;
        continue;
      }
      const bool path = !last.empty() && at > w.size() &&
                        (type[at - w.size() - 1] == '.' || type[at - w.size() - 1] == ':');
      if (!last.empty() && !path) break;
      last = w;
      continue;
    }
    if (c == '<' || c == '[') {
      if (std::binary_search(kHolders.begin(), kHolders.end(), last)) {
        last.clear();
        ++at;
        continue;
      }
      break;
    }
    if (c == '{' || c == '(' || c == '=' || c == ';' || c == ',') {
      if (!last.empty() || c != '(') break;
    }
    if (c == '|' && !last.empty()) break;
    ++at;
  }
  return last;
}

}  // namespace ambit::indexer
