#include "indexer/search/receiver.h"

#include "indexer/search/object_literal.h"
#include "indexer/search/words.h"

namespace ambit::indexer {
namespace {

constexpr int kMaxDepth = 12;
constexpr std::size_t kMaxBack = 2000;  // bytes that an expression may reach back

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

}  // namespace

// `name: Type = made`, `Type name = made`.
Receivers::Type Receivers::declared(std::string_view text, std::size_t name_begin,
                                    std::size_t name_end, Language language, int depth,
                                    bool own_text) const {
  if (language == Language::kGo) return go_declared(text, name_begin, name_end, depth, own_text);
  auto at = skip_blanks(text, name_end);
  if (at < text.size() && (text[at] == '?' || text[at] == '!')) at = skip_blanks(text, at + 1);
  if (colon_types(language)) {
    if (at < text.size() && text[at] == ':' && (at + 1 >= text.size() || text[at + 1] != '=')) {
      const auto begin = skip_blanks(text, at + 1);
      if (begin < text.size() && text[begin] == '{' && own_text)
        return {"", false, static_cast<std::uint32_t>(begin)};
      return {simple_type(text.substr(begin, 200)), false, 0};
    }
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
  if (at < text.size() && text[at] == '=' && (at + 1 >= text.size() || text[at + 1] != '=')) {
    const auto value = skip_blanks(text, at + 1);
    if (value < text.size() && text[value] == '{' && own_text)
      return {"", false, static_cast<std::uint32_t>(value)};
    return made_by(text, value, depth);
  }
  return {};
}

namespace {

// Behind "f(…)", of which text[at] is "(": the end of ".g(…).h" behind it; `at` when there is none.
std::size_t end_of_chain(std::string_view text, std::size_t at) {
  auto end = at, next = at;
  for (bool first = true; next < text.size(); first = false) {
    if (text[next] == '(') {
      int open = 0;
      for (; next < text.size(); ++next) {
        const char c = text[next];
        if (c == '"' || c == '`') {
          for (++next; next < text.size() && text[next] != c; ++next) {
            if (c == '"' && text[next] == '\\') ++next;
          }
        } else if (c == '(') {
          ++open;
        } else if (c == ')' && --open == 0) {
          break;
        }
      }
      if (next >= text.size()) return at;
      ++next;
      if (!first) end = next;
    }
    const auto dot = skip_blanks(text, next);
    const bool arrow = text.substr(std::min(dot, text.size())).starts_with("->");
    if (dot >= text.size() || (text[dot] != '.' && !arrow)) break;
    next = skip_blanks(text, dot + (arrow ? 2 : 1));
    const auto word = name_at(text, next);
    if (word.empty()) break;
    next += word.size();
    end = next;
  }
  return end;
}

}  // namespace

// The type of `new T(…)`, `T(…)`, `&T{…}`, `T::new(…)`, `f(…)`, `await a.f(…)`.
Receivers::Type Receivers::made_by(std::string_view text, std::size_t at, int depth) const {
  while (at < text.size() && (text[at] == '&' || text[at] == '*' || text[at] == '(')) ++at;
  bool made = false;
  std::string last, before;
  for (;;) {
    const auto w = name_at(text, at);
    if (w.empty()) break;
    at += w.size();
    if (w == "new" || w == "await" || w == "mut" || w == "yield" || w == "make" || w == "async") {
      made = made || w == "new";
      at = skip_blanks(text, at);
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
    if (const auto end = end_of_chain(text, at); end != at) {  // f(…).g(…): what g returns
      return text.data() == text_.data() ? this->before(end, depth + 1) : Type{};
    }
    if (upper) return made_by_name(last, depth);
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

// Name(…): a function where there is one, else a class.
Receivers::Type Receivers::made_by_name(std::string_view name, int depth) const {
  auto type = returned(name, "", depth + 1);
  return type.name.empty() ? Type{std::string(name), false, 0} : type;
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
  while (name != std::string_view::npos && ((name > 0 && is_name_byte(signature[name - 1])) ||
                                            (name + s.name.size() < signature.size() &&
                                             is_name_byte(signature[name + s.name.size()])))) {
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
  auto at = skip_blanks(signature, close + 1);
  if (signature.substr(at).starts_with("->"))
    return {simple_type(signature.substr(at + 2)), false, 0};
  if (colon_types(language)) {
    if (at < signature.size() && signature[at] == ':')
      return {simple_type(signature.substr(at + 1)), false, 0};
    return {};
  }
  if (language == Language::kGo) return go_type(signature, at, false);
  return {simple_type(signature.substr(0, name)), false, 0};
}

Receivers::Type Receivers::before(std::size_t end, int depth) const {
  if (depth > kMaxDepth) return {};
  const auto floor = end > kMaxBack ? end - kMaxBack : 0;
  const auto back = [&](std::size_t at) {
    while (at > floor && is_blank(text_[at - 1])) --at;
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
  while (begin > floor && is_name_byte(text_[begin - 1])) --begin;
  const auto name = text_.substr(begin, end - begin);
  const bool go = parsed_.language == Language::kGo;
  if (go && called && name.empty() && begin > floor && text_[begin - 1] == '.')  // x.(T)
    return go_type(text_, group.begin, true);
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
      const auto key = key_of_literal(text_, left_type.literal, name);
      if (key == 0) return {};
      return declared(text_, key, key + name.size(), parsed_.language, depth + 1, true);
    }
    if (left_type.name.empty()) {
      const auto package = dot && called ? go_package_of(back(left - 1)) : std::string_view();
      return package.empty() ? Type{} : go_returned(name, package, depth);
    }
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
    if (go && (name == "new" || name == "make")) return go_type(text_, group.begin, true);
    if (go) return go_returned(name, "", depth);
    if (name[0] >= 'A' && name[0] <= 'Z') return made_by_name(name, depth);
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
  while (begin < end && is_blank(text_[begin])) ++begin;
  while (end > begin && is_blank(text_[end - 1])) --end;
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
  const auto first = name_at(e, 0);
  if (first == "new" || first == "await") return made_by(text_, begin, depth + 1);
  if (e[0] == '(') {  // (T) x, (T<U>) x
    const auto close = e.find(')');
    const auto value = close == std::string_view::npos ? e.size() : skip_blanks(e, close + 1);
    if (value < e.size() && (is_name_byte(e[value]) || e[value] == '(' || e[value] == '"'))
      return {simple_type(e.substr(1, close - 1)), false, 0};
  }
  return before(end, depth + 1);
}

}  // namespace ambit::indexer
