// Python, JavaScript and TypeScript: names that modules bring in.
#include <filesystem>

#include "daemon/assists/review/use_rules.h"

namespace ambit::daemon::review {

using indexer::Language;
using indexer::SymbolKind;

namespace {

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

}  // namespace

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
      if (!statement.starts_with("import ") || statement.find(" as ") != std::string_view::npos) {
        return false;
      }
      // `import a.b` binds a.
      const auto module = unquoted(h.module(i));
      return module.substr(0, module.find('.')) == qualifier && names_module(qualifier);
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

bool import_names(std::string_view module, Language language, std::string_view importer,
                  std::string_view target) {
  auto words = unquoted(module);
  if (words.empty()) return false;
  if (c_family(language)) {
    const auto beside =
        (std::filesystem::path(folder_of(importer)) / words).lexically_normal().generic_string();
    return beside == target || ends_on_boundary(target, words);
  }
  if (script_family(language)) {
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
    // "b" alone names a/b.py only from below a, or from a source root.
    if (path.find('/') == std::string::npos) {
      const auto below = std::string(folder_of(plain)) + "/";
      return plain == path || (ends_on_boundary(plain, path) && importer.starts_with(below)) ||
             plain == "src/" + path || plain == "lib/" + path;
    }
    return ends_on_boundary(plain, path);
  }
  return false;
}

}  // namespace ambit::daemon::review
