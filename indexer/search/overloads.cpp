#include "indexer/search/overloads.h"

#include <algorithm>

#include "indexer/search/imports.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxCall = 4000;  // bytes from the '(' to its ')'
constexpr std::size_t kMaxArguments = 32;

// Behind the string or character that begins at `at`.
std::size_t behind_quotes(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size() && text[at] != quote && text[at] != '\n'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

// What stands between the bracket at `open` and its counterpart, by commas; nothing when that is
// missing. '<' counts as a bracket in a list of parameters.
std::optional<std::vector<ByteSpan>> split(std::string_view text, std::size_t open, bool types) {
  std::vector<ByteSpan> out;
  int depth = 0;
  auto begin = open + 1;
  const auto add = [&](std::size_t end) {
    auto b = begin, e = end;
    while (b < e && is_blank(text[b])) ++b;
    while (e > b && is_blank(text[e - 1])) --e;
    if (b < e) out.push_back({static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(e)});
  };
  for (auto at = open; at < text.size() && at - open < kMaxCall && out.size() < kMaxArguments;) {
    const char c = text[at];
    if (c == '"' || c == '`' || (c == '\'' && !types)) {
      at = behind_quotes(text, at);
      continue;
    }
    if (text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (text.substr(at).starts_with("/*")) {
      at = std::min(text.find("*/", at), text.size());
      continue;
    }
    const bool arrow = c == '>' && at > 0 && (text[at - 1] == '-' || text[at - 1] == '=');
    if (c == '(' || c == '[' || c == '{' || (types && c == '<')) ++depth;
    if (c == ')' || c == ']' || c == '}' || (types && c == '>' && !arrow)) {
      if (--depth == 0) {
        add(at);
        return out;
      }
    }
    if (c == ',' && depth == 1) {
      add(at);
      begin = at + 1;
    }
    ++at;
  }
  return std::nullopt;
}

bool type_first(Language l) {
  return l == Language::kJava || l == Language::kCSharp || l == Language::kC ||
         l == Language::kCpp || l == Language::kCuda;
}
bool checks_calls(Language l) {
  return type_first(l) || l == Language::kKotlin || l == Language::kScala ||
         l == Language::kSwift || l == Language::kGo || l == Language::kRust;
}

// Annotations before a parameter, such as @Nullable or @Size(min = 1).
std::string_view without_annotations(std::string_view p) {
  while (p.starts_with('@')) {
    std::size_t at = 1;
    while (at < p.size() && (is_word_byte(p[at]) || p[at] == '.')) ++at;
    if (at < p.size() && p[at] == '(') at = std::min(p.find(')', at), p.size() - 1) + 1;
    while (at < p.size() && is_blank(p[at])) ++at;
    p.remove_prefix(at);
  }
  return p;
}

// Names of one value in the languages that have two: int and Integer, string and String.
std::string_view unboxed(std::string_view type) {
  static constexpr std::pair<std::string_view, std::string_view> kBoxes[] = {
      {"Boolean", "boolean"}, {"Byte", "byte"},   {"Character", "char"}, {"Double", "double"},
      {"Float", "float"},     {"Integer", "int"}, {"Long", "long"},      {"Short", "short"},
      {"bool", "boolean"},    {"str", "String"},  {"string", "String"},
  };
  for (const auto& [box, plain] : kBoxes) {
    if (type == box) return plain;
  }
  return type;
}

// Numbers widen to the right, without a cast.
int width_of(std::string_view type) {
  static constexpr std::string_view kNumbers[] = {"byte", "short", "char",  "int",
                                                  "long", "float", "double"};
  const auto* const it = std::find(std::begin(kNumbers), std::end(kNumbers), type);
  return it == std::end(kNumbers) ? -1 : static_cast<int>(it - std::begin(kNumbers));
}

bool takes_anything(std::string_view type) {
  return type.empty() || type == "Object" || type == "object" || type == "Any" || type == "auto" ||
         type == "T" || (type.size() <= 2 && type[0] >= 'A' && type[0] <= 'Z');
}

}  // namespace

std::optional<std::vector<ByteSpan>> arguments_behind(std::string_view text, std::size_t name_end) {
  auto at = name_end;
  while (at < text.size() && is_blank(text[at])) ++at;
  if (text.substr(at).starts_with("::<")) at += 2;
  if (at < text.size() && text[at] == '<') {  // f<T>(…)
    int depth = 0;
    for (const auto limit = at + 200; at < text.size() && at < limit; ++at) {
      if (text[at] == '<') ++depth;
      if (text[at] == '>' && --depth == 0) break;
      if (text[at] == ';' || text[at] == '(' || text[at] == '{') return std::nullopt;
    }
    ++at;
  }
  if (at >= text.size() || text[at] != '(') return std::nullopt;
  return split(text, at, false);
}

std::optional<Parameters> parameters_of(const Symbol& function, Language language) {
  const std::string_view signature = function.signature;
  auto at = signature.find(function.name + "(");
  if (at == std::string_view::npos) at = signature.find(function.name);
  if (at == std::string_view::npos) return std::nullopt;
  at = signature.find('(', at + function.name.size());
  if (at == std::string_view::npos) return std::nullopt;
  const auto parts = split(signature, at, true);
  if (!parts) return std::nullopt;
  Parameters out;
  for (const auto& part : *parts) {
    auto p = without_annotations(signature.substr(part.begin, part.size()));
    if (p == "void" || p == "self" || p == "&self" || p == "&mut self" || p == "mut self") continue;
    if (language == Language::kJava && p.ends_with(" this")) continue;
    const bool more = p.find("...") != std::string_view::npos || p.starts_with("params ") ||
                      p.starts_with("vararg ");
    const auto equals = p.find('=');
    if (equals == std::string_view::npos && !more) out.required = out.all.size() + 1;
    p = p.substr(0, equals);
    if (more) out.any_more = true;
    Parameter one;
    if (type_first(language)) {
      auto end = p.size();
      while (end > 0 && !is_word_byte(p[end - 1])) --end;
      auto name = end;
      while (name > 0 && is_word_byte(p[name - 1])) --name;
      one.type = simple_type(name == 0 ? p : p.substr(0, name));
      one.array = more || p.find('[') != std::string_view::npos;
    } else if (const auto colon = p.find(':'); colon != std::string_view::npos) {
      one.type = simple_type(p.substr(colon + 1));
    }
    out.all.push_back(std::move(one));
  }
  return out;
}

Call::Call(const Receivers& receivers, Language language, std::string_view text,
           std::size_t name_end) {
  if (!checks_calls(language)) return;
  const auto spans = arguments_behind(text, name_end);
  if (!spans) return;
  arguments_.emplace();
  for (const auto span : *spans) {
    Argument a;
    const auto of = text.substr(span.begin, span.size());
    a.null = of == "null" || of == "nullptr" || of == "NULL";
    const auto arrow = of.find(language == Language::kJava ? "->" : "=>");
    a.literal_function = type_first(language) && language != Language::kC &&
                         arrow != std::string_view::npos &&
                         of.substr(0, arrow).find_first_of("{\"") == std::string_view::npos &&
                         (of.starts_with('(') || of.find('(') > arrow);
    if (!a.null && !a.literal_function) a.types = receivers.with_bases(receivers.of(span));
    // Of a library, whose bases nobody wrote here: what is thrown is a Throwable.
    if (!a.types.empty() && type_first(language) &&
        (a.types.front().ends_with("Exception") || a.types.front().ends_with("Error"))) {
      a.types.insert(a.types.end(), {"Exception", "Throwable"});
    }
    arguments_->push_back(std::move(a));
  }
}

double Call::fit(const Symbol& function, Language its_language) const {
  if (!arguments_ || !checks_calls(its_language)) return 0;
  switch (function.kind) {
    case SymbolKind::kFunction:
    case SymbolKind::kMethod:
    case SymbolKind::kConstructor:
      break;
    default:
      return 0;
  }
  const auto parameters = parameters_of(function, its_language);
  if (!parameters) return 0;
  const auto n = arguments_->size();
  const auto last = parameters->all.size();
  if (n < parameters->required || (n > last && !parameters->any_more)) return -8;
  if (!type_first(its_language) && its_language != Language::kKotlin) return 0;
  double score = parameters->any_more ? -0.3 : 0;
  for (std::size_t i = 0; i < n && last > 0; ++i) {
    const auto& argument = (*arguments_)[i];
    const auto& parameter = parameters->all[std::min(i, last - 1)];
    const auto wanted = unboxed(parameter.type);
    const bool plain = width_of(wanted) >= 0 || wanted == "boolean";
    if (argument.null) {
      score -= plain && !parameter.array ? 2 : 0;
      continue;
    }
    if (argument.literal_function) {
      score -= plain || wanted == "String" || wanted == "Class" || wanted == "Type" ? 2 : 0;
      continue;
    }
    if (argument.types.empty() || wanted.empty()) continue;
    const auto own = unboxed(argument.types.front());
    if (own == wanted) {
      score += own == parameter.type || argument.types.front() == parameter.type ? 1.5 : 1.2;
      continue;
    }
    const auto base = std::find(argument.types.begin() + 1, argument.types.end(), parameter.type);
    if (base != argument.types.end()) {
      score += 1.2 - 0.05 * static_cast<double>(base - argument.types.begin());
    } else if (takes_anything(wanted)) {
      score += 0.1;
    } else if (width_of(own) >= 0 && width_of(wanted) >= width_of(own)) {
      score += 0.8 - 0.1 * (width_of(wanted) - width_of(own));
    } else if (!takes_anything(own)) {
      score -= 1.5;
    }
  }
  return score;
}

}  // namespace ambit::indexer
