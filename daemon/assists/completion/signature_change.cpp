#include "daemon/assists/completion/signature_change.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "daemon/assists/completion/next_edit.h"
#include "daemon/assists/completion/words.h"
#include "daemon/assists/refactor/parameters.h"
#include "daemon/assists/refactor/rename.h"
#include "indexer/syntax/languages.h"

namespace ambit::daemon {

namespace {

using indexer::Language;
using indexer::Snapshot;
using indexer::Symbol;
using indexer::SymbolKind;

constexpr std::size_t kMostChanges = 3;
constexpr float kSureMeaning = 0.5F;

std::string_view piece(std::string_view text, indexer::ByteSpan span) {
  return text.substr(span.begin, span.size());
}

bool is_function(const Symbol& symbol) {
  return symbol.kind == SymbolKind::kFunction || symbol.kind == SymbolKind::kMethod ||
         symbol.kind == SymbolKind::kConstructor;
}

bool is_receiver(std::string_view parameter) {
  return parameter == "self" || parameter == "cls" || parameter == "&self" ||
         parameter == "&mut self" || parameter == "mut self" || parameter == "this";
}

// More or fewer arguments than parameters may be meant.
bool is_open_ended(std::string_view parameter) {
  return parameter.empty() || parameter.find("...") != std::string_view::npos ||
         parameter.front() == '*' || parameter.front() == '/' || parameter.starts_with("params ") ||
         parameter.starts_with("vararg ");
}

// One argument that may stand for several.
bool is_spread(std::string_view argument, Language language) {
  return argument.starts_with("...") || argument.ends_with("...") ||
         (argument.starts_with('*') && language == Language::kPython);
}

// A parameter without a type, which is a type without a name in these languages.
bool is_only_a_type(std::string_view parameter, std::string_view name, Language language) {
  return parameter == name && (same_family(language, Language::kC) || language == Language::kJava ||
                               language == Language::kCSharp);
}

struct Parameters {
  ListPieces list;
  std::size_t receiver = 0;        // 1: the first piece is no parameter of the callers
  std::vector<std::string> names;  // of the others
};

// nullopt where the list cannot be told, or its length says nothing about the calls'.
std::optional<Parameters> parameters_of(std::string_view text, indexer::ByteSpan name,
                                        Language language) {
  const auto open = list_after(text, name.end);
  auto list = open == std::string_view::npos ? std::nullopt : list_pieces(text, open);
  if (!list) return std::nullopt;
  if (list->pieces.size() == 1 && piece(text, list->pieces[0]) == "void") list->pieces.clear();
  Parameters out{std::move(*list), 0, {}};
  for (const auto span : out.list.pieces) {
    const auto words = piece(text, span);
    if (&span == out.list.pieces.data() && is_receiver(words)) {
      out.receiver = 1;
      continue;
    }
    auto known = parameter_name(words, language);
    if (known.empty() || is_open_ended(words)) return std::nullopt;
    out.names.push_back(std::move(known));
  }
  return out;
}

// Callers may leave it out.
bool has_default(std::string_view parameter, Language language) {
  if (parameter.find('=') != std::string_view::npos) return true;
  const auto colon = parameter.find(':');
  return same_family(language, Language::kJavaScript) && colon != std::string_view::npos &&
         parameter.substr(0, colon).find('?') != std::string_view::npos;
}

// One parameter more, one fewer, or one of another name; nullopt for anything else.
std::optional<SignatureChange> compare(const Parameters& before, const Parameters& after,
                                       std::string_view text, Language language) {
  const auto &old_names = before.names, &new_names = after.names;
  if (before.receiver != after.receiver) return std::nullopt;
  std::size_t at = 0;
  while (at < old_names.size() && at < new_names.size() && old_names[at] == new_names[at]) ++at;
  SignatureChange out;
  out.at = at;
  out.before = old_names;
  const auto same_rest = [&](std::size_t old_from, std::size_t new_from) {
    return old_names.size() >= old_from && new_names.size() >= new_from &&
           std::equal(old_names.begin() + static_cast<std::ptrdiff_t>(old_from), old_names.end(),
                      new_names.begin() + static_cast<std::ptrdiff_t>(new_from), new_names.end());
  };
  if (at == old_names.size() && at == new_names.size()) return std::nullopt;
  if (same_rest(at + 1, at)) {
    out.kind = SignatureChange::kRemoved;
    out.from = old_names[at];
    return out;
  }
  if (at == new_names.size()) return std::nullopt;
  const auto words = piece(text, after.list.pieces[at + after.receiver]);
  out.to = new_names[at];
  out.parameter = words;
  out.optional = has_default(words, language);
  if (is_only_a_type(words, out.to, language)) return std::nullopt;  // half-typed
  if (same_rest(at, at + 1)) {
    out.kind = SignatureChange::kAdded;
    return out;
  }
  if (!same_rest(at + 1, at + 1)) return std::nullopt;
  out.kind = SignatureChange::kRenamed;
  out.from = old_names[at];
  return out;
}

const Symbol* only_one_like(const std::vector<Symbol>& in, const Symbol& symbol) {
  const Symbol* found = nullptr;
  for (const auto& other : in) {
    if (other.name != symbol.name || other.kind != symbol.kind ||
        other.declaration_only != symbol.declaration_only) {
      continue;
    }
    if (found != nullptr) return nullptr;
    found = &other;
  }
  return found;
}

// What says nothing yet, of a type.
std::string_view neutral(std::string_view parameter, Language language) {
  const auto says = [&](auto... words) { return (has_word(parameter, words) || ...); };
  const bool c = same_family(language, Language::kC);
  if (c && parameter.find('*') != std::string_view::npos) {
    return language == Language::kC ? "NULL" : "nullptr";
  }
  if (language == Language::kGo && (parameter.find_first_of("*[") != std::string_view::npos ||
                                    says("map", "chan", "func", "error", "interface", "any"))) {
    return "nil";
  }
  if (language == Language::kRust && says("Option")) return "None";
  if (says("bool", "boolean", "Bool", "Boolean")) {
    return language == Language::kPython ? "False" : "false";
  }
  if (says("int", "long", "short", "unsigned", "size_t", "double", "float", "number", "Int", "Long",
           "Double", "usize", "isize", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "int8",
           "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32",
           "float64", "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t",
           "uint64_t")) {
    return "0";
  }
  if (says("string", "String", "str", "string_view") && language != Language::kRust) return "\"\"";
  if (language == Language::kPython && parameter.find(':') != std::string_view::npos) return "None";
  return {};
}

// The name of an argument that is given by name, "" for one by place.
std::string_view keyword_of(std::string_view argument, Language language) {
  if (language != Language::kPython && language != Language::kKotlin) return {};
  const auto equals = argument.find('=');
  if (equals == std::string_view::npos || argument.substr(equals, 2) == "==") return {};
  auto name = argument.substr(0, equals);
  while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
  return std::all_of(name.begin(), name.end(), word_byte) ? name : std::string_view();
}

// Of the same name, in another file.
bool means_another(const Snapshot& now, const Use& use) {
  const auto meant = now.resolve(use.path, use.span.begin);
  return !meant.empty() && meant[0].confidence >= kSureMeaning && meant[0].symbol.path != use.path;
}

class Fitter {
 public:
  Fitter(const Snapshot& now, const SignatureChange& change) : now_(now), change_(change) {}

  // The call whose name stands there, when it has the old list.
  std::optional<ListEdit> call(const std::string& path, std::string_view text,
                               indexer::ByteSpan name) const {
    const auto language = indexer::language_of(path);
    const auto open = list_after(text, name.end);
    const auto list = open == std::string_view::npos ? std::nullopt : list_pieces(text, open);
    if (!list) return std::nullopt;
    const auto& arguments = list->pieces;
    std::size_t by_place = 0;
    std::optional<std::size_t> named;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const auto words = piece(text, arguments[i]);
      if (is_spread(words, language)) return std::nullopt;
      const auto keyword = keyword_of(words, language);
      if (keyword.empty()) ++by_place;
      if (!keyword.empty() && keyword == change_.from) named = i;
      if (!keyword.empty() && keyword == change_.to) return std::nullopt;
    }
    if (change_.kind == SignatureChange::kRenamed) {
      if (!named) return std::nullopt;
      auto span = arguments[*named];
      span.end = span.begin + static_cast<std::uint32_t>(change_.from.size());
      return ListEdit{span, change_.to};
    }
    if (change_.kind == SignatureChange::kRemoved) {
      if (named) return without_piece(*list, *named);
      const bool too_many = arguments.size() == change_.before.size() && by_place > change_.at;
      return too_many ? std::optional(without_piece(*list, change_.at)) : std::nullopt;
    }
    if (change_.optional || arguments.size() != change_.before.size()) return std::nullopt;
    auto words = argument_for(path, text, name.begin, language);
    if (change_.at <= by_place && by_place == arguments.size()) {
      return with_piece(*list, change_.at, words);
    }
    return with_piece(*list, arguments.size(), change_.to + "=" + words);
  }

  // Another declaration of it, when it has the old list.
  std::optional<ListEdit> declaration(const std::string& path, std::string_view text,
                                      const Symbol& other) const {
    const auto language = indexer::language_of(path);
    const auto known = parameters_of(text, other.name_span, language);
    if (!known || known->names.size() != change_.before.size()) return std::nullopt;
    const auto place = change_.at + known->receiver;
    auto words = change_.parameter;
    // A default stands once in C++: where the function is declared.
    if (same_family(language, Language::kC) && !other.declaration_only) {
      words = words.substr(0, words.find('='));
      while (words.ends_with(' ')) words.pop_back();
    }
    if (change_.kind == SignatureChange::kAdded) {
      auto edit = with_piece(known->list, place, words);
      if (known->names.empty() && known->receiver == 0) {  // (void), too
        edit.span = {static_cast<std::uint32_t>(known->list.open + 1),
                     static_cast<std::uint32_t>(known->list.close)};
      }
      return edit;
    }
    if (known->names != change_.before) return std::nullopt;
    if (change_.kind == SignatureChange::kRemoved) return without_piece(known->list, place);
    return ListEdit{known->list.pieces[place], words};
  }

 private:
  std::string argument_for(const std::string& path, std::string_view text, std::uint32_t at,
                           Language language) const {
    for (const auto& symbol : now_.symbols_in(path)) {
      if (!is_function(symbol) || symbol.span.begin > at || symbol.span.end <= at) continue;
      if (has_word(text.substr(symbol.span.begin, at - symbol.span.begin), change_.to)) {
        return change_.to;
      }
    }
    const auto value = neutral(change_.parameter, language);
    return value.empty() ? change_.to : std::string(value);
  }

  const Snapshot& now_;
  const SignatureChange& change_;
};

}  // namespace

std::vector<SignatureChange> find_signature_changes(const Snapshot& saved, const Snapshot& now,
                                                    const std::string& path) {
  std::vector<SignatureChange> out;
  const auto before = saved.text(path), after = now.text(path);
  if (!before || !after || *before == *after) return out;
  const auto language = indexer::language_of(path);
  const auto old_symbols = saved.symbols_in(path), new_symbols = now.symbols_in(path);
  for (const auto& symbol : old_symbols) {
    if (!is_function(symbol) || only_one_like(old_symbols, symbol) != &symbol) continue;
    const auto* fresh = only_one_like(new_symbols, symbol);
    if (fresh == nullptr || symbol.name_span.end > before->size() ||
        fresh->name_span.end > after->size()) {
      continue;
    }
    const auto old_list = parameters_of(*before, symbol.name_span, language);
    const auto new_list = parameters_of(*after, fresh->name_span, language);
    if (!old_list || !new_list) continue;
    auto change = compare(*old_list, *new_list, *after, language);
    if (!change) continue;
    change->definition = symbol;
    out.push_back(std::move(*change));
  }
  if (out.size() > kMostChanges) out.clear();
  return out;
}

std::vector<PlaceEdit> fit_signature(const Snapshot& saved, const Snapshot& now,
                                     const std::string& path, const SignatureChange& change,
                                     std::size_t limit) {
  std::vector<PlaceEdit> out;
  const Symbol& definition = change.definition;
  const Fitter fitter(now, change);
  const auto declarations = now.definitions(definition.name, limit);
  const auto add = [&](const std::string& file, std::optional<ListEdit> edit) {
    if (edit) out.push_back({file, edit->span, std::move(edit->text)});
  };
  for (const auto& other : declarations) {
    if (other.path != path || other.kind != definition.kind ||
        other.declaration_only == definition.declaration_only) {
      continue;
    }
    if (const auto text = now.text(path)) add(path, fitter.declaration(path, *text, other));
  }
  for (const auto& place : uses_of(saved, now, path, definition, definition.name, limit)) {
    const auto text = now.text(place.path);
    if (!text) continue;
    const auto declared =
        std::find_if(declarations.begin(), declarations.end(), [&](const Symbol& symbol) {
          return symbol.path == place.path && symbol.name_span == place.span;
        });
    if (declared != declarations.end()) {
      add(place.path, fitter.declaration(place.path, *text, *declared));
    } else if (place.path != path || !means_another(now, place)) {
      add(place.path, fitter.call(place.path, *text, place.span));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.path, a.span) < std::tie(b.path, b.span);
  });
  return out;
}

}  // namespace ambit::daemon
