#include "daemon/assists/review/uses.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "daemon/assists/review/lexical.h"

namespace ambit::daemon::review {
namespace {

using indexer::Language;
using indexer::ReferenceKind;
using indexer::SymbolKind;

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view base_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

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

bool c_family(Language l) {
  return l == Language::kC || l == Language::kCpp || l == Language::kCuda;
}
bool javascript(Language l) {
  return l == Language::kJavaScript || l == Language::kTypeScript || l == Language::kTsx;
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

struct Here {
  const Texts::Entry& file;
  const std::string& path;
  indexer::ByteSpan span;
  std::string_view before;  // code before the name, white space not trimmed
  char next = ' ';          // first character after the name that is not white space
  std::size_t next_at = 0;
  const indexer::Import* import = nullptr;  // the import statement that the name stands in
  [[nodiscard]] std::string_view statement(const indexer::Import& i) const {
    return std::string_view(file.text).substr(i.statement.begin, i.statement.size());
  }
  [[nodiscard]] std::string_view module(const indexer::Import& i) const {
    return std::string_view(file.text).substr(i.module.begin, i.module.size());
  }
  [[nodiscard]] std::string_view line() const {
    const std::string_view code = file.code;
    const auto begin = code.rfind('\n', span.begin == 0 ? 0 : span.begin - 1);
    const auto from = begin == std::string_view::npos ? 0 : begin + 1;
    return code.substr(from, std::min(code.find('\n', span.end), code.size()) - from);
  }
};

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

// self.name() in the file of a class that inherits from nothing: nobody else can define it.
bool own_method_use(const Here& h, const Subject& s, std::string_view self,
                    std::string_view after_class_name) {
  if (s.kind != SymbolKind::kMethod || h.next != '(' || !h.before.ends_with(self)) return false;
  const auto front = h.before.size() - self.size();
  if (front > 0 && (is_word(h.before[front - 1]) || h.before[front - 1] == '.')) return false;
  if (std::find(s.paths.begin(), s.paths.end(), h.path) == s.paths.end()) return false;
  const std::string head = "class " + std::string(last_scope(s.scope));
  const std::string_view code = h.file.code;
  const auto at = code.find(head);
  if (at == std::string_view::npos || code.find(head, at + 1) != std::string_view::npos) {
    return false;
  }
  auto rest = code.substr(at + head.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest.starts_with(after_class_name) && code.find("__getattr__") == std::string_view::npos;
}

// `package` is one whose __init__.py brings the subject in under its own name.
bool brings_on(Texts& texts, std::string_view package, const Here& h, const Subject& s) {
  for (const auto& defined : s.paths) {
    for (auto folder = folder_of(defined); !folder.empty(); folder = folder_of(folder)) {
      const auto init = std::string(folder) + "/__init__.py";
      if (init == defined || !import_names(package, Language::kPython, h.path, init)) continue;
      const auto& entry = texts.at(init);
      return std::any_of(entry.imports.begin(), entry.imports.end(), [&](const auto& i) {
        const auto words =
            std::string_view(entry.text).substr(i.statement.begin, i.statement.size());
        const auto module = std::string_view(entry.text).substr(i.module.begin, i.module.size());
        const bool renamed = words.find(" as ") != std::string_view::npos &&
                             words.find(s.name + " as " + s.name) == std::string_view::npos;
        return words.starts_with("from") && !renamed && contains_word(words, s.name) &&
               import_names(module, Language::kPython, init, defined);
      });
    }
  }
  return false;
}

bool python_use(Texts& texts, const Here& h, const Subject& s) {
  if (!s.scope.empty()) return own_method_use(h, s, "self.", ":");
  const bool own = std::find(s.paths.begin(), s.paths.end(), h.path) != s.paths.end();
  const auto names_module = [&](std::string_view module) {
    return std::any_of(s.paths.begin(), s.paths.end(),
                       [&](const std::string& p) {
                         return import_names(module, Language::kPython, h.path, p);
                       }) ||
           brings_on(texts, module, h, s);
  };
  if (h.import != nullptr) {
    if (!h.statement(*h.import).starts_with("from") || !names_module(h.module(*h.import)))
      return false;
    // `try: from x import y` has a plan for its absence; `x as y` mentions y too.
    const auto before = std::string_view(h.file.code).substr(0, h.import->statement.begin);
    const auto end = before.find_last_not_of(" \t\r\n");
    if (end != std::string_view::npos && before[end] == ':') {
      if (word_before(before, end) == "try" || word_before(before, end) == "except") return false;
    }
    return previous_word(h.before) != "as";
  }
  if (h.before.ends_with('.')) {
    const auto qualifier = word_before(h.before, h.before.size() - 1);
    if (qualifier.empty() || h.before.size() < qualifier.size() + 2 ||
        h.before[h.before.size() - qualifier.size() - 2] == '.') {
      return false;
    }
    return std::any_of(h.file.imports.begin(), h.file.imports.end(), [&](const auto& i) {
      const auto statement = h.statement(i);
      return statement.starts_with("import ") && names_module(h.module(i)) &&
             unquoted(h.module(i)) == qualifier && statement.find(" as ") == std::string_view::npos;
    });
  }
  // Brought in by `from module import name`: calls mean it too.
  const bool brought =
      !own && std::any_of(h.file.imports.begin(), h.file.imports.end(), [&](const auto& i) {
        const auto statement = h.statement(i);
        return statement.starts_with("from") && names_module(h.module(i)) &&
               contains_word(statement, s.name) && statement.find(" as ") == std::string_view::npos;
      });
  if (brought) return h.next == '(';
  if (!own || h.next == '=' || imported_from_elsewhere(h, s.name)) {
    // name == x is a use; name = x binds it.
    return own && h.next == '=' && h.file.code.compare(h.next_at, 2, "==") == 0 &&
           !imported_from_elsewhere(h, s.name);
  }
  return h.next != ':' || is_type(s.kind);
}

bool javascript_use(const Here& h, const Subject& s) {
  if (!s.scope.empty()) return own_method_use(h, s, "this.", "{");
  const bool own = std::find(s.paths.begin(), s.paths.end(), h.path) != s.paths.end();
  if (h.import != nullptr) {
    const auto statement = h.statement(*h.import);
    const auto open = statement.find('{');
    const auto at = h.span.begin - h.import->statement.begin;
    if (open == std::string_view::npos || at < open || at > statement.find('}')) return false;
    if (h.before.ends_with("as ")) return false;
    return std::any_of(s.paths.begin(), s.paths.end(), [&](const std::string& p) {
      return import_names(h.module(*h.import), s.language, h.path, p);
    });
  }
  const bool brought =
      !own && std::any_of(h.file.imports.begin(), h.file.imports.end(), [&](const auto& i) {
        const auto statement = h.statement(i);
        const auto open = statement.find('{');
        return open != std::string_view::npos && contains_word(statement.substr(open), s.name) &&
               statement.find(" as ") == std::string_view::npos &&
               std::any_of(s.paths.begin(), s.paths.end(), [&](const std::string& p) {
                 return import_names(h.module(i), s.language, h.path, p);
               });
      });
  if (brought) return h.next == '(' && !h.before.ends_with('.');
  if (!own || h.before.ends_with('.') || h.next == ':' || h.next == '?' ||
      imported_from_elsewhere(h, s.name)) {
    return false;
  }
  if (h.next == '=' && h.file.code.compare(h.next_at, 2, "==") != 0) return false;
  return h.next == '(' || is_type(s.kind);
}

// "package x" of a Go file.
std::string_view go_package(std::string_view code) {
  const auto at = code.find("package ");
  return at == std::string_view::npos ? code.substr(0, 0)
                                      : code.substr(at, code.find('\n', at) - at);
}

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

bool means(Texts& texts, const Here& h, const Subject& s) {
  if (c_family(s.language)) return c_use(h, s);
  if (javascript(s.language)) return javascript_use(h, s);
  switch (s.language) {
    case Language::kPython:
      return python_use(texts, h, s);
    case Language::kGo:
      return go_use(texts, h, s);
    case Language::kRust:
      return rust_use(h, s);
    case Language::kJava:
      return java_use(h, s);
    default:
      return false;
  }
}

}  // namespace

const Texts::Entry& Texts::at(const std::string& path) {
  const auto [it, fresh] = entries_.try_emplace(path);
  if (!fresh) return it->second;
  auto text = snapshot_.text(path);
  if (!text) return it->second;
  auto& e = it->second;
  e.text = std::move(*text);
  const auto info = snapshot_.file(path);
  e.language = info ? info->language : indexer::language_of(path);
  e.code = code_only(e.text, e.language);
  indexer::ExtractLimits limits;
  limits.time = std::chrono::milliseconds(2000);
  if (auto facts = extractor_.extract(e.language, e.text, limits))
    e.imports = std::move(facts->imports);
  return e;
}

bool same_family(Language a, Language b) {
  return a == b || (c_family(a) && c_family(b)) || (javascript(a) && javascript(b));
}

bool import_names(std::string_view module, Language language, std::string_view importer,
                  std::string_view target) {
  auto words = unquoted(module);
  if (words.empty()) return false;
  if (c_family(language)) {
    const auto beside =
        (std::filesystem::path(folder_of(importer)) / words).lexically_normal().generic_string();
    return beside == target || ends_on_boundary(target, words);
  }
  if (javascript(language)) {
    if (!words.starts_with('.')) return false;
    const auto full =
        (std::filesystem::path(folder_of(importer)) / words).lexically_normal().generic_string();
    const auto plain = without_extension(target);
    return full == target || full == plain || std::string(full) + "/index" == plain ||
           without_extension(full) == plain;
  }
  if (language == Language::kPython) {
    const bool relative = words.starts_with('.');
    std::string folder(relative ? folder_of(importer) : std::string_view{});
    if (relative) {
      words.remove_prefix(1);
      while (words.starts_with('.')) {
        words.remove_prefix(1);
        folder = std::string(folder_of(folder));
      }
    }
    std::string path(words);
    std::replace(path.begin(), path.end(), '.', '/');
    auto plain = without_extension(target);
    if (base_of(plain) == "__init__") plain = folder_of(plain);
    if (relative) {
      const auto full = folder.empty() ? path : path.empty() ? folder : folder + "/" + path;
      return full == plain;
    }
    // "b" alone names a/b.py only from beside it or from a source root.
    if (path.find('/') == std::string::npos) {
      return plain == path ||
             (ends_on_boundary(plain, path) && folder_of(plain) == folder_of(importer)) ||
             plain == "src/" + path || plain == "lib/" + path;
    }
    return ends_on_boundary(plain, path);
  }
  return false;
}

std::vector<Use> uses_of(Texts& texts, const Subject& subject, std::size_t limit,
                         std::stop_token stop) {
  std::vector<Use> out;
  for (const auto& r : texts.snapshot().references(subject.name, 2000)) {
    if (stop.stop_requested() || out.size() >= limit) break;
    const auto info = texts.snapshot().file(r.path);
    if (!info || !same_family(info->language, subject.language)) continue;
    // In Go such names are the package's, which is a folder.
    const auto sees = [&](const std::string& p) {
      return p == r.path ||
             (subject.language == Language::kGo && folder_of(p) == folder_of(r.path));
    };
    if (!subject.exported && std::none_of(subject.paths.begin(), subject.paths.end(), sees)) {
      continue;
    }
    const auto& file = texts.at(r.path);
    if (r.span.end > file.code.size() ||
        std::string_view(file.code).substr(r.span.begin, r.span.size()) != subject.name) {
      continue;  // in a comment or a string
    }
    Here h{file, r.path, r.span, std::string_view(file.code).substr(0, r.span.begin)};
    h.next_at = std::min(file.code.find_first_not_of(" \t\r\n", r.span.end), file.code.size());
    if (h.next_at < file.code.size()) h.next = file.code[h.next_at];
    for (const auto& i : file.imports) {
      if (i.statement.begin <= r.span.begin && r.span.end <= i.statement.end) h.import = &i;
    }
    if (!means(texts, h, subject)) continue;
    Use use;
    use.path = r.path;
    use.span = r.span;
    use.range = {r.line, r.column, r.line, r.column + r.span.size()};
    use.in_import = h.import != nullptr;
    use.call = h.next == '(';
    use.open = h.next_at;
    out.push_back(std::move(use));
  }
  return out;
}

}  // namespace ambit::daemon::review
