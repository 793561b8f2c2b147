#include "daemon/assists/refactor/move.h"

#include <algorithm>

#include "daemon/assists/refactor/imports.h"
#include "daemon/assists/refactor/refusal.h"
#include "daemon/assists/refactor/rename.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::Language;
using indexer::Snapshot;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

// A definition of a module.
bool can_move(const Symbol& s) {
  return s.kind == SymbolKind::kFunction || s.kind == SymbolKind::kClass ||
         s.kind == SymbolKind::kInterface || s.kind == SymbolKind::kTypeAlias;
}

// Whether a symbol is what an instruction calls `name`. In C++ a scope may be a namespace: whether
// it is one, the move looks at. In Go it is the type of a method.
bool is_meant(const Symbol& s, const std::string& name) {
  if (s.declaration_only) return false;
  const auto language = indexer::language_of(s.path);
  const bool c = same_family(language, Language::kC), go = language == Language::kGo,
             java = language == Language::kJava;
  if (!c && !go && !java) return s.scope.empty() && s.name == name;
  if (s.kind == SymbolKind::kField || (java && s.kind == SymbolKind::kConstructor)) return false;
  const auto separator = std::string(indexer::language_info(language).separator);
  const auto whole = s.scope.empty() ? s.name : s.scope + separator + s.name;
  if (c && last_name(s.scope) == s.name) return whole == name;  // a constructor, not its class
  return whole == name || whole.ends_with(separator + name);
}

}  // namespace

Result<PlanStep> plan_java_file_move(const Snapshot& snapshot, const std::string& from,
                                     const std::string& to, std::vector<std::string>& notes,
                                     std::stop_token stop) {
  AMBIT_CHECK_OK(check_path(to));
  std::optional<Symbol> type;
  for (auto& s : snapshot.symbols_in(from)) {
    const bool is_type = s.kind == SymbolKind::kClass || s.kind == SymbolKind::kInterface ||
                         s.kind == SymbolKind::kEnum;
    if (!s.scope.empty() || !is_type) continue;
    if (type) {
      return make_error(Code::kInvalidArgument, from + " holds " + type->name + " and " + s.name +
                                                    "; move them one by one, by their names");
    }
    type = std::move(s);
  }
  if (!type) return make_error(Code::kInvalidArgument, from + " holds no type that could move");
  return plan_java_type_move(snapshot, *type, to, notes, stop);
}

Result<PlanStep> plan_move(const Snapshot& snapshot, const std::string& name,
                           const std::string& at_path, const std::string& to,
                           std::vector<std::string>& notes, std::stop_token stop) {
  AMBIT_CHECK_OK(check_path(to));
  std::vector<Symbol> found;
  for (auto& s : snapshot.definitions(last_name(name), 200)) {
    if (is_meant(s, name)) found.push_back(std::move(s));
  }
  const auto there = [&](const Symbol& s) { return s.path == at_path; };
  if (std::any_of(found.begin(), found.end(), there)) {
    std::erase_if(found, [&](const Symbol& s) { return !there(s); });
  }
  // In Go first of all the package of `to`.
  const auto other_package = [&](const Symbol& s) {
    return indexer::language_of(s.path) == Language::kGo &&
           folder_of_path(s.path) != folder_of_path(to);
  };
  if (!std::all_of(found.begin(), found.end(), other_package)) {
    std::erase_if(found, other_package);
  }
  // A bare name of Java is first of all a type at the top of a file.
  const auto nested = [](const Symbol& s) {
    return indexer::language_of(s.path) == Language::kJava && !s.scope.empty();
  };
  if (!std::all_of(found.begin(), found.end(), nested)) std::erase_if(found, nested);
  // What is required by its name is a variable of who requires it.
  if (std::any_of(found.begin(), found.end(), can_move)) {
    std::erase_if(found, [](const Symbol& s) {
      return same_family(indexer::language_of(s.path), Language::kJavaScript) && !can_move(s);
    });
  }
  if (found.empty()) {
    return make_error(Code::kNotFound,
                      "the index knows no function or class " + name + " at the top of a file");
  }
  if (found.size() > 1) {
    if (found[0].path == found[1].path) {
      return make_error(
          Code::kInvalidArgument,
          found[0].path + " has " + std::to_string(found.size()) + " definitions of " + name);
    }
    std::string places;
    for (std::size_t i = 0; i < std::min<std::size_t>(found.size(), 8); ++i) {
      places += (i == 0 ? "" : ", ") + found[i].path + ":" + std::to_string(found[i].line + 1);
    }
    return no(std::to_string(found.size()) + " files define " + name +
              "; say which with --at FILE:LINE:COL: " + places);
  }
  const auto& symbol = found[0];
  const auto language = indexer::language_of(symbol.path);
  const bool c = same_family(language, Language::kC), go = language == Language::kGo,
             rust = language == Language::kRust, java = language == Language::kJava;
  if (!c && !go && !rust && !java && language != Language::kPython &&
      !same_family(language, Language::kJavaScript)) {
    return make_error(Code::kUnsupported,
                      "moving a definition is exact in C, C++, Go, Rust, Java, Python, "
                      "JavaScript and TypeScript only; " +
                          symbol.path + " is none of these");
  }
  if (to == symbol.path) return make_error(Code::kInvalidArgument, name + " is there already");
  if (!same_family(indexer::language_of(to), language)) {
    return make_error(Code::kInvalidArgument, to + " would be a file of another language");
  }
  if (c) return plan_c_move(snapshot, symbol, to);
  if (go) return plan_go_move(snapshot, symbol, to);
  if (rust) return plan_rust_move(snapshot, symbol, to);
  if (java && symbol.kind == SymbolKind::kMethod) {
    return plan_java_method_move(snapshot, symbol, to, stop);
  }
  if (java) return plan_java_type_move(snapshot, symbol, to, notes, stop);
  if (!can_move(symbol)) {
    return make_error(Code::kInvalidArgument, name + " is a " +
                                                  std::string(to_string(symbol.kind)) +
                                                  "; functions and classes can be moved");
  }
  if (language == Language::kJavaScript) return plan_common_js_move(snapshot, symbol, to, stop);
  return plan_module_move(snapshot, symbol, to, stop);
}

}  // namespace ambit::daemon
