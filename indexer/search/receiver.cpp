#include "indexer/search/receiver.h"

#include <algorithm>
#include <array>

namespace ambit::indexer {
namespace {

constexpr int kMaxDepth = 4;
constexpr std::size_t kMaxBack = 2000;  // bytes that an expression may reach back
constexpr std::size_t kMaxBases = 12;

bool word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}
bool space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
std::size_t skip(std::string_view s, std::size_t at) {
  while (at < s.size() && space(s[at])) ++at;
  return at;
}
std::string_view word_at(std::string_view s, std::size_t at) {
  auto end = at;
  while (end < s.size() && word(s[end])) ++end;
  return s.substr(at, end - at);
}

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

bool colon_types(Language l) {
  switch (l) {
    case Language::kPython:
    case Language::kTypeScript:
    case Language::kTsx:
    case Language::kJavaScript:
    case Language::kRust:
    case Language::kKotlin:
    case Language::kSwift:
    case Language::kScala:
      return true;
    default:
      return false;
  }
}

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

}  // namespace

bool has_implicit_this(Language l) {
  return l == Language::kJava || l == Language::kCSharp || l == Language::kCpp ||
         l == Language::kCuda || l == Language::kKotlin || l == Language::kScala ||
         l == Language::kSwift;
}

bool is_scope_of(std::string_view scope, std::string_view type) {
  return scope.ends_with(type) &&
         (scope.size() == type.size() || !word(scope[scope.size() - type.size() - 1]));
}

std::string simple_type(std::string_view type) {
  std::string last;
  for (std::size_t at = 0; at < type.size();) {
    const char c = type[at];
    if (c == '\'' || c == '"') {  // 'a of Rust, a forward reference of Python
      if (c == '\'' && at + 1 < type.size() && word(type[at + 1]) &&
          type.find('\'', at + 1) == std::string_view::npos) {
        at += 1 + word_at(type, at + 1).size();
        continue;
      }
      ++at;
      continue;
    }
    if (word(c)) {
      const auto w = word_at(type, at);
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

const Local* Receivers::local(std::string_view name, std::size_t begin, std::size_t end) const {
  // Where every variable is declared, one in a block hides those before it: the latest counts.
  // Where assignment declares, the first one does.
  const bool declares = parsed_.language != Language::kPython &&
                        parsed_.language != Language::kRuby && parsed_.language != Language::kPhp &&
                        parsed_.language != Language::kLua && parsed_.language != Language::kBash;
  const Local* best = nullptr;
  for (const auto& l : parsed_.facts().locals) {
    if (l.within.begin > begin || l.within.end < end) continue;
    if (text_.substr(l.name.begin, l.name.size()) != name) continue;
    const bool after = l.name.begin > begin;
    if (best == nullptr || l.within.size() < best->within.size()) {
      best = &l;
    } else if (l.within == best->within && !after &&
               (best->name.begin > begin || (declares && l.name.begin > best->name.begin))) {
      best = &l;
    }
  }
  return best;
}

std::string Receivers::enclosing_class(std::uint32_t at) const {
  auto all = enclosing_classes(at);
  return all.empty() ? std::string() : std::move(all.front());
}

std::vector<std::string> Receivers::enclosing_classes(std::uint32_t at) const {
  std::vector<std::pair<std::uint32_t, std::string>> found;  // size, name
  for (const auto& d : parsed_.facts().definitions) {
    if (d.span.begin > at || at >= d.span.end) continue;
    if (is_type(d.kind) && d.kind != SymbolKind::kTypeAlias) {
      found.emplace_back(d.span.size(), text_.substr(d.name.begin, d.name.size()));
    } else if (!d.owner.empty()) {  // a method written outside of its class
      const auto cut = d.owner.rfind('\x1f');
      found.emplace_back(d.span.size(),
                         cut == std::string::npos ? d.owner : d.owner.substr(cut + 1));
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> out;
  for (auto& [size, name] : found) {
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
  }
  return out;
}

std::uint32_t Receivers::key_of_literal(std::uint32_t brace, std::string_view key) const {
  int depth = 0;
  bool fresh = false;
  for (std::size_t at = brace; at < text_.size() && at < brace + 8000U; ++at) {
    const char c = text_[at];
    if (c == '{' || c == '(' || c == '[') {
      ++depth;
      fresh = depth == 1;
    } else if (c == '}' || c == ')' || c == ']') {
      if (--depth == 0) return 0;
    } else if (c == ',' || c == ';' || c == '\n') {
      fresh = depth == 1;
    } else if (c == '/' && at + 1 < text_.size() && text_[at + 1] == '/') {
      at = std::min(text_.find('\n', at), text_.size()) - 1;
    } else if (word(c)) {
      const auto w = word_at(text_, at);
      if (w == "readonly") {
        at += w.size() - 1;
        continue;
      }
      if (fresh && w == key) return static_cast<std::uint32_t>(at);
      fresh = false;
      at += w.size() - 1;
    } else if (!space(c)) {
      fresh = false;
    }
  }
  return 0;
}

std::set<std::string> Receivers::keys_around(std::size_t at) const {
  std::set<std::string> out;
  // A key stands behind { or , and before : or , or }.
  const auto end = skip(text_, at + word_at(text_, at).size());
  if (end >= text_.size() || std::string_view(":,}?").find(text_[end]) == std::string_view::npos)
    return out;
  auto open = at;
  int depth = 0;
  bool first = true;
  for (; open > 0 && at - open < kMaxBack; --open) {
    const char c = text_[open - 1];
    if (first && !space(c)) {
      if (c != '{' && c != ',') return out;
      first = false;
    }
    if (c == '}' || c == ')' || c == ']') ++depth;
    if ((c == '{' || c == '(' || c == '[') && depth-- == 0) break;
  }
  if (open == 0 || text_[open - 1] != '{') return out;
  // `${name}` in a text and `import { name }` are no literals.
  if (open > 1 && text_[open - 2] == '$') return out;
  auto line = text_.substr(0, open - 1);
  if (const auto begin = line.find_last_of(";\n"); begin != std::string_view::npos) {
    line.remove_prefix(begin + 1);
  }
  while (!line.empty() && space(line.front())) line.remove_prefix(1);
  while (!line.empty() && space(line.back())) line.remove_suffix(1);
  if (line.starts_with("import") || line == "export" || line == "export type") return out;
  depth = 0;
  bool fresh = true;
  for (auto i = open; i < text_.size() && i < open + kMaxBack; ++i) {
    const char c = text_[i];
    if (c == '{' || c == '(' || c == '[') ++depth;
    if ((c == '}' || c == ')' || c == ']') && depth-- == 0) break;
    if (c == ',' && depth == 0) {
      fresh = true;
    } else if (word(c)) {
      const auto w = word_at(text_, i);
      if (fresh && depth == 0) out.emplace(w);
      fresh = false;
      i += w.size() - 1;
    } else if (!space(c)) {
      fresh = false;
    }
  }
  return out;
}

// `name: Type = made`, `Type name = made`, `name := made`, `name Type`.
Receivers::Type Receivers::declared(std::string_view text, std::size_t name_begin,
                                    std::size_t name_end, Language language, int depth,
                                    bool own_text) const {
  auto at = skip(text, name_end);
  if (at < text.size() && (text[at] == '?' || text[at] == '!')) at = skip(text, at + 1);
  if (colon_types(language)) {
    if (at < text.size() && text[at] == ':' && (at + 1 >= text.size() || text[at + 1] != '=')) {
      const auto begin = skip(text, at + 1);
      if (begin < text.size() && text[begin] == '{' && own_text)
        return {"", false, static_cast<std::uint32_t>(begin)};
      return {simple_type(text.substr(begin, 200)), false, 0};
    }
  } else if (language == Language::kGo) {
    if (at < text.size() && (word(text[at]) || text[at] == '*' || text[at] == '['))
      return {simple_type(text.substr(at, 200)), false, 0};
  } else {
    // The words before the name, back to what ends a statement or a parameter.
    auto begin = name_begin;
    int nested = 0;
    while (begin > 0 && name_begin - begin < 300) {
      const char c = text[begin - 1];
      if (c == '>' && (begin < 2 || text[begin - 2] != '-')) ++nested;
      if (c == '<') --nested;
      if (nested <= 0 && (c == ';' || c == '{' || c == '}' || c == '(' || c == ',' || c == ')' ||
                          c == '=' || c == '"')) {
        break;
      }
      --begin;
    }
    auto type = simple_type(text.substr(begin, name_begin - begin));
    if (!type.empty() && type != "auto" && type != "var" && type != "let") return {type, false, 0};
  }
  if (at + 1 < text.size() && text[at] == ':' && text[at + 1] == '=') ++at;
  if (at < text.size() && text[at] == '=' && (at + 1 >= text.size() || text[at + 1] != '=')) {
    const auto value = skip(text, at + 1);
    if (value < text.size() && text[value] == '{' && own_text)
      return {"", false, static_cast<std::uint32_t>(value)};
    return made_by(text, value, depth);
  }
  return {};
}

// The type of `new T(…)`, `T(…)`, `&T{…}`, `T::new(…)`, `f(…)`, `await a.f(…)`.
Receivers::Type Receivers::made_by(std::string_view text, std::size_t at, int depth) const {
  while (at < text.size() && (text[at] == '&' || text[at] == '*' || text[at] == '(')) ++at;
  bool made = false;
  std::string last, before;
  for (;;) {
    const auto w = word_at(text, at);
    if (w.empty()) break;
    at += w.size();
    if (w == "new" || w == "await" || w == "mut" || w == "yield" || w == "make" || w == "async") {
      made = made || w == "new";
      at = skip(text, at);
      while (at < text.size() && (text[at] == '&' || text[at] == '(')) ++at;
      continue;
    }
    before = std::move(last);
    last = w;
    if (at < text.size() && text[at] == '<') {  // make_unique<T>( … ), new Map<K, V>( … )
      const auto close = text.find('>', at);
      if (close == std::string_view::npos) break;
      if (last == "make_unique" || last == "make_shared")
        return {simple_type(text.substr(at + 1, close - at - 1)), false, 0};
      at = close + 1;
    }
    if (at < text.size() && text[at] == '.') {
      ++at;
    } else if (text.substr(at).starts_with("::") || text.substr(at).starts_with("->")) {
      at += 2;
    } else {
      break;
    }
  }
  if (last.empty()) return {};
  const char next = at < text.size() ? text[at] : '\0';
  const bool upper = last[0] >= 'A' && last[0] <= 'Z';
  if (made || next == '{') return {last, false, 0};
  if (next == '(') {
    if (upper) return {last, false, 0};
    // Type::new(), Type.create(): mostly of that type.
    if (!before.empty() && before[0] >= 'A' && before[0] <= 'Z') {
      auto type = returned(last, before, depth);
      if (type.name.empty() || type.name == "Self") type.name = before;
      return type;
    }
    return returned(last, "", depth);
  }
  if (upper && !before.empty()) return {before, false, 0};  // Color.RED
  return {};
}

Receivers::Type Receivers::returned(std::string_view function, std::string_view of_type,
                                    int depth) const {
  if (depth > kMaxDepth) return {};
  for (const auto& s : snapshot_.definitions(function, 8)) {
    if (s.kind != SymbolKind::kFunction && s.kind != SymbolKind::kMethod) continue;
    if (!of_type.empty() && !s.scope.ends_with(of_type)) continue;
    auto type = of_symbol(s, depth + 1);
    if (!type.name.empty()) return type;
  }
  return {};
}

// What a signature says: of a variable its type, of a function what it returns.
Receivers::Type Receivers::of_symbol(const Symbol& s, int depth) const {
  if (depth > kMaxDepth) return {};
  const std::string_view signature = s.signature;
  auto name = signature.find(s.name);
  while (name != std::string_view::npos &&
         ((name > 0 && word(signature[name - 1])) ||
          (name + s.name.size() < signature.size() && word(signature[name + s.name.size()])))) {
    name = signature.find(s.name, name + 1);
  }
  if (name == std::string_view::npos) return {};
  const auto language = language_of(s.path);
  const auto end = name + s.name.size();
  const bool function = s.kind == SymbolKind::kFunction || s.kind == SymbolKind::kMethod;
  if (!function) return declared(signature, name, end, language, depth, false);
  auto close = signature.find('(', end);
  for (int open = 0; close != std::string_view::npos && close < signature.size(); ++close) {
    if (signature[close] == '(') ++open;
    if (signature[close] == ')' && --open == 0) break;
  }
  if (close == std::string_view::npos || close >= signature.size()) return {};
  auto at = skip(signature, close + 1);
  if (signature.substr(at).starts_with("->"))
    return {simple_type(signature.substr(at + 2)), false, 0};
  if (colon_types(language)) {
    if (at < signature.size() && signature[at] == ':')
      return {simple_type(signature.substr(at + 1)), false, 0};
    return {};
  }
  if (language == Language::kGo) return {simple_type(signature.substr(at)), false, 0};
  return {simple_type(signature.substr(0, name)), false, 0};
}

Receivers::Type Receivers::before(std::size_t end, int depth) const {
  if (depth > kMaxDepth) return {};
  const auto floor = end > kMaxBack ? end - kMaxBack : 0;
  const auto back = [&](std::size_t at) {
    while (at > floor && space(text_[at - 1])) --at;
    return at;
  };
  end = back(end);
  if (end > floor && (text_[end - 1] == '?' || text_[end - 1] == '!')) end = back(end - 1);
  bool called = false;
  ByteSpan group{};  // what the first of the parentheses hold
  while (end > floor && (text_[end - 1] == ')' || text_[end - 1] == ']')) {
    int open = 0;
    auto at = end;
    for (; at > floor; --at) {
      const char c = text_[at - 1];
      if (c == ')' || c == ']') ++open;
      if ((c == '(' || c == '[') && --open == 0) break;
    }
    if (at <= floor) return {};
    called = called || text_[end - 1] == ')';
    group = {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end - 1)};
    end = back(at - 1);
  }
  auto begin = end;
  while (begin > floor && word(text_[begin - 1])) --begin;
  const auto name = text_.substr(begin, end - begin);
  if (name.empty() || name == "return" || name == "if" || name == "case")
    return called ? of(group, depth + 1) : Type{};
  if (name == "self" || name == "this" || name == "cls" || name == "Self" || name == "$this")
    return {enclosing_class(static_cast<std::uint32_t>(begin)), false, 0};
  if (name == "super" || name == "base")
    return {enclosing_class(static_cast<std::uint32_t>(begin)), true, 0};
  const auto left = back(begin);
  const bool dot = left > floor && text_[left - 1] == '.';
  const bool arrow = left > floor + 1 && text_.substr(left - 2, 2) == "->";
  const bool path = left > floor + 1 && text_.substr(left - 2, 2) == "::";
  if (dot || arrow || path) {
    const auto left_type = before(left - (dot ? 1 : 2), depth + 1);
    if (left_type.literal != 0) {
      const auto key = key_of_literal(left_type.literal, name);
      if (key == 0) return {};
      return declared(text_, key, key + name.size(), parsed_.language, depth + 1, true);
    }
    if (left_type.name.empty()) return {};
    return member_type(left_type, name, depth);
  }
  const auto own_member = [&] {
    for (const auto& in : enclosing_classes(static_cast<std::uint32_t>(begin))) {
      auto type = member_type({in, false, 0}, name, depth);
      if (!type.name.empty()) return type;
    }
    return Type{};
  };
  if (called) {
    if (name[0] >= 'A' && name[0] <= 'Z') return {std::string(name), false, 0};
    if (has_implicit_this(parsed_.language)) {
      if (auto type = own_member(); !type.name.empty()) return type;
    }
    return returned(name, "", depth + 1);
  }
  if (const auto* l = local(name, begin, end); l != nullptr)
    return declared(text_, l->name.begin, l->name.end, parsed_.language, depth + 1, true);
  if (has_implicit_this(parsed_.language)) {
    if (auto type = own_member(); !type.name.empty()) return type;
  }
  for (const auto& s : snapshot_.definitions(name, 20)) {
    switch (s.kind) {
      case SymbolKind::kClass:
      case SymbolKind::kStruct:
      case SymbolKind::kInterface:
      case SymbolKind::kTrait:
      case SymbolKind::kEnum:
      case SymbolKind::kUnion:
      case SymbolKind::kModule:
      case SymbolKind::kNamespace:
      case SymbolKind::kTypeAlias:
        return {s.name, false, 0};
      case SymbolKind::kVariable:
      case SymbolKind::kConstant:
        if (auto type = of_symbol(s, depth + 1); !type.name.empty()) return type;
        return {s.name, false, 0};  // an object with keys of its own
      default:
        break;
    }
  }
  return {};
}

Receivers::Type Receivers::member_type(const Type& of, std::string_view name, int depth) const {
  if (depth > kMaxDepth) return {};
  const auto all = snapshot_.definitions(name, 200);
  for (const auto& type : with_bases(of)) {
    for (const auto& s : all) {
      if (!is_scope_of(s.scope, type)) continue;
      if (is_type(s.kind)) return {s.name, false, 0};
      auto out = of_symbol(s, depth + 1);
      if (!out.name.empty()) return out;
    }
  }
  return {};
}

Receivers::Type Receivers::of(ByteSpan expression, int depth) const {
  auto begin = expression.begin, end = expression.end;
  while (begin < end && space(text_[begin])) ++begin;
  while (end > begin && space(text_[end - 1])) --end;
  if (begin == end || depth > kMaxDepth) return {};
  const auto e = text_.substr(begin, end - begin);
  // What stands outside of brackets and quotes.
  bool text_in_it = false, compares = false, computes = false;
  std::size_t question = 0, colon = 0;  // of a ? b : c
  int level = 0;
  for (std::size_t i = 0; i < e.size(); ++i) {
    const char c = e[i];
    if (c == '"' || c == '\'') {
      text_in_it = text_in_it || (c == '"' && level == 0);
      for (++i; i < e.size() && e[i] != c; ++i) i += e[i] == '\\' ? 1 : 0;
    } else if (c == '(' || c == '[' || c == '{') {
      ++level;
    } else if (c == ')' || c == ']' || c == '}') {
      --level;
    } else if (level == 0) {
      if (c == '?' && i > 0 && e[i - 1] == ' ') question = i;
      if (c == ':' && question != 0 && colon == 0) colon = i;
      compares = compares || e.substr(i).starts_with("==") || e.substr(i).starts_with("!=") ||
                 e.substr(i).starts_with("&&") || e.substr(i).starts_with("||") ||
                 (c == '!' && i == 0);
      computes = computes || (i > 0 && (c == '+' || c == '*' || c == '/' || c == '%' || c == '?' ||
                                        (c == '-' && !e.substr(i).starts_with("->"))));
    }
  }
  if (colon != 0) {
    const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(begin + i); };
    auto type = of({at(colon + 1), end}, depth + 1);
    return type.name.empty() ? of({at(question + 1), at(colon)}, depth + 1) : type;
  }
  if (compares) return {"boolean", false, 0};
  if (text_in_it && e.find('?') == std::string_view::npos) return {"String", false, 0};
  if (computes) return {};
  if (e == "null" || e == "nullptr") return {};
  if (e[0] == '\'') return {"char", false, 0};
  if ((e[0] >= '0' && e[0] <= '9') || (e[0] == '-' && e.size() > 1 && e[1] <= '9')) {
    if (e.back() == 'L' || e.back() == 'l') return {"long", false, 0};
    const bool whole = e.find('.') == std::string_view::npos || e.starts_with("0x");
    return {whole ? "int" : e.back() == 'f' ? "float" : "double", false, 0};
  }
  if (e == "true" || e == "false") return {"boolean", false, 0};
  if (e.ends_with(".class") || e.ends_with("::class")) return {"Class", false, 0};
  const auto first = word_at(e, 0);
  if (first == "new" || first == "await") return made_by(text_, begin, depth + 1);
  if (e[0] == '(') {  // (T) x, (T<U>) x
    const auto close = e.find(')');
    const auto value = close == std::string_view::npos ? e.size() : skip(e, close + 1);
    if (value < e.size() && (word(e[value]) || e[value] == '(' || e[value] == '"'))
      return {simple_type(e.substr(1, close - 1)), false, 0};
  }
  return before(end, depth + 1);
}

std::vector<std::string> Receivers::with_bases(const Type& type) const {
  std::vector<std::string> out;
  if (type.name.empty()) return out;
  out.push_back(type.name);
  for (std::size_t i = 0; i < out.size() && out.size() < kMaxBases; ++i) {
    // Outer.Base is the Base of Outer.
    const auto cut = out[i].find_last_of(".:");
    const auto last = cut == std::string::npos ? out[i] : out[i].substr(cut + 1);
    const auto outer = cut == std::string::npos
                           ? std::string()
                           : out[i].substr(0, out[i].find_last_not_of(".:", cut) + 1);
    for (const auto& s : snapshot_.definitions(last, outer.empty() ? 6 : 40)) {
      if (!is_type(s.kind) || s.kind == SymbolKind::kUnion) continue;
      if (!outer.empty() && !is_scope_of(s.scope, outer)) continue;
      const std::string_view signature = s.signature;
      auto at = signature.find(s.name);
      if (at == std::string_view::npos) continue;
      if (s.kind == SymbolKind::kTypeAlias && signature.starts_with("typedef ")) {
        const auto target = simple_type(signature.substr(0, signature.rfind(s.name)));
        if (!target.empty() && std::find(out.begin(), out.end(), target) == out.end())
          out.push_back(target);
        continue;
      }
      // Arguments of a generic base are no bases; those of a type that only changes another are.
      const auto language = language_of(s.path);
      const bool skips = has_implicit_this(language) && s.kind != SymbolKind::kTypeAlias;
      int nested = 0;
      for (at += s.name.size(); at < signature.size() && out.size() < kMaxBases;) {
        const char c = signature[at];
        if (!word(c)) {
          if (c == '<' || c == '(') ++nested;
          if (c == '>' || c == ')') --nested;
          ++at;
          continue;
        }
        std::string w(word_at(signature, at));
        at += w.size();
        if (skips) {
          while (at + 1 < signature.size() && (signature[at] == '.' || signature[at] == ':') &&
                 (word(signature[at + 1]) || signature[at + 1] == ':')) {
            const auto from = at;
            while (at < signature.size() && !word(signature[at])) ++at;
            w += signature.substr(from, at - from);
            w += word_at(signature, at);
            at += word_at(signature, at).size();
          }
          if (nested > 0) continue;
        }
        if (w[0] < 'A' || w[0] > 'Z' || std::find(out.begin(), out.end(), w) != out.end()) continue;
        out.push_back(std::move(w));
      }
    }
  }
  if (type.bases_only) out.erase(out.begin());
  return out;
}

}  // namespace ambit::indexer
