// C and C++, Go, Rust, Java; and the words that all rules share.
#include "daemon/assists/review/use_rules.h"

namespace ambit::daemon::review {

using indexer::Language;
using indexer::SymbolKind;

std::string_view without_extension(std::string_view path) {
  const auto dot = path.rfind('.');
  return dot == std::string_view::npos || path.find('/', dot) != std::string_view::npos
             ? path
             : path.substr(0, dot);
}

std::string_view unquoted(std::string_view m) {
  while (!m.empty() && (m.front() == '"' || m.front() == '\'' || m.front() == '`' ||
                        m.front() == '<' || m.front() == ' '))
    m.remove_prefix(1);
  while (!m.empty() && (m.back() == '"' || m.back() == '\'' || m.back() == '`' || m.back() == '>' ||
                        m.back() == ' ' || m.back() == ';'))
    m.remove_suffix(1);
  return m;
}

bool ends_on_boundary(std::string_view path, std::string_view end) {
  return !end.empty() && path.ends_with(end) &&
         (path.size() == end.size() || path[path.size() - end.size() - 1] == '/');
}

bool is_type(SymbolKind k) {
  return k == SymbolKind::kClass || k == SymbolKind::kStruct || k == SymbolKind::kInterface ||
         k == SymbolKind::kEnum || k == SymbolKind::kTypeAlias || k == SymbolKind::kTrait ||
         k == SymbolKind::kUnion;
}

bool contains_word(std::string_view text, std::string_view word) {
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string_view::npos; ++at) {
    const auto end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end >= text.size() || !is_word(text[end])))
      return true;
  }
  return false;
}

std::string_view previous_word(std::string_view code) {
  const auto last = code.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view{} : word_before(code, last + 1);
}

std::string_view last_scope(std::string_view scope) {
  const auto at = scope.find_last_of(":.");
  return at == std::string_view::npos ? scope : scope.substr(at + 1);
}

bool imported_from_elsewhere(const Here& h, std::string_view name) {
  return std::any_of(h.file.imports.begin(), h.file.imports.end(), [&](const auto& i) {
    return contains_word(h.statement(i), name) ||
           h.statement(i).find('*') != std::string_view::npos;
  });
}

bool c_use(const Here& h, const Subject& s) {
  auto line = h.line();
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (line.starts_with("#")) return line.starts_with("#define") && h.next == '(';
  if (h.before.ends_with('.') || h.before.ends_with("->")) return false;
  if (h.before.ends_with("::")) {
    const auto qualifier = word_before(h.before, h.before.size() - 2);
    return qualifier.empty() ? s.scope.empty() : qualifier == last_scope(s.scope);
  }
  const bool member = s.kind == SymbolKind::kMethod || s.kind == SymbolKind::kField ||
                      s.kind == SymbolKind::kConstructor || s.kind == SymbolKind::kProperty;
  if (member || s.kind == SymbolKind::kEnumerator) return false;
  const auto previous = previous_word(h.before);
  if (is_type(s.kind)) {
    if (previous == "class" || previous == "struct" || previous == "typename" ||
        previous == "enum" || previous == "union") {
      return h.next != ';' && previous != "class" && previous != "typename";
    }
    return h.next != '(' || previous == "new";
  }
  if (s.kind == SymbolKind::kFunction || (s.kind == SymbolKind::kMacro && h.next == '(')) {
    // Two words in a row declare: `Type name(`.
    const bool declares = !previous.empty() && h.before.ends_with(' ') && previous != "return" &&
                          previous != "else" && previous != "do" && previous != "case" &&
                          previous != "co_return" && previous != "co_await" &&
                          previous != "throw" && previous != "not" && previous != "and" &&
                          previous != "or";
    auto tail = h.before;
    while (tail.ends_with(' ')) tail.remove_suffix(1);
    const bool ends_in_word = !tail.empty() && is_word(tail.back());
    return h.next == '(' && !(declares && ends_in_word) && !tail.ends_with('&') &&
           !tail.ends_with('*') && !tail.ends_with('>') && !tail.ends_with('~');
  }
  return s.kind == SymbolKind::kMacro;
}

namespace {

// "package x" of a Go file.
std::string_view go_package(std::string_view code) {
  const auto at = code.find("package ");
  return at == std::string_view::npos ? code.substr(0, 0)
                                      : code.substr(at, code.find('\n', at) - at);
}

}  // namespace

bool go_use(Texts& texts, const Here& h, const Subject& s) {
  if (!s.scope.empty() || h.import != nullptr || h.next == ':') return false;
  // What tests define is theirs alone: of the same folder, and of the same of its two packages.
  const bool test_only = std::all_of(s.paths.begin(), s.paths.end(),
                                     [](const std::string& p) { return p.ends_with("_test.go"); });
  if (test_only) {
    return h.path.ends_with("_test.go") && h.next == '(' && !h.before.ends_with('.') &&
           std::all_of(s.paths.begin(), s.paths.end(), [&](const std::string& p) {
             const auto package = go_package(texts.at(p).code);
             return folder_of(p) == folder_of(h.path) && !package.empty() &&
                    package == go_package(h.file.code);
           });
  }
  if (h.before.ends_with('.')) {
    const auto qualifier = word_before(h.before, h.before.size() - 1);
    return std::any_of(h.file.imports.begin(), h.file.imports.end(), [&](const auto& i) {
      const auto module = unquoted(h.module(i));
      return std::any_of(s.paths.begin(), s.paths.end(), [&](const std::string& p) {
        const auto folder = folder_of(p);
        return base_of(folder) == qualifier && ends_on_boundary(module, folder);
      });
    });
  }
  if (h.next != '(' && !is_type(s.kind)) return false;
  return go_package(h.file.code).find("_test") == std::string_view::npos &&
         std::any_of(s.paths.begin(), s.paths.end(),
                     [&](const std::string& p) { return folder_of(p) == folder_of(h.path); });
}

bool rust_use(const Here& h, const Subject& s) {
  if (!s.scope.empty() || h.before.ends_with('.')) return false;
  const bool own = std::find(s.paths.begin(), s.paths.end(), h.path) != s.paths.end();
  const auto named = [&](std::string_view words) {
    return std::any_of(s.paths.begin(), s.paths.end(), [&](const std::string& p) {
      auto stem = without_extension(base_of(p));
      if (stem == "mod") stem = base_of(folder_of(p));
      return stem != "lib" && stem != "main" && contains_word(words, stem);
    });
  };
  if (h.import != nullptr) {
    const auto statement = h.statement(*h.import);
    return (statement.find("crate::") != std::string_view::npos ||
            statement.find("super::") != std::string_view::npos) &&
           named(statement) && statement.find(" as ") == std::string_view::npos;
  }
  if (h.before.ends_with("::")) {
    const auto qualifier = word_before(h.before, h.before.size() - 2);
    return !own && !qualifier.empty() && named(qualifier) && h.next == '(';
  }
  return own && (h.next == '(' || is_type(s.kind)) && !imported_from_elsewhere(h, s.name) &&
         h.next != '!';
}

bool java_use(const Here& h, const Subject& s) {
  if (h.import != nullptr && is_type(s.kind)) {
    auto words = std::string(h.statement(*h.import));
    if (words.find("static ") != std::string::npos) return false;
    const auto at = words.find("import ");
    if (at == std::string::npos) return false;
    words = std::string(unquoted(std::string_view(words).substr(at + 7)));
    std::replace(words.begin(), words.end(), '.', '/');
    return std::any_of(s.paths.begin(), s.paths.end(), [&](const std::string& p) {
      return ends_on_boundary(without_extension(p), words) && words.find('/') != std::string::npos;
    });
  }
  const bool own = std::find(s.paths.begin(), s.paths.end(), h.path) != s.paths.end();
  return own && !s.exported && h.next == '(' && !h.before.ends_with('.') &&
         s.kind == SymbolKind::kMethod && h.file.code.find(" extends ") == std::string::npos;
}

}  // namespace ambit::daemon::review
