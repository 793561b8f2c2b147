#include "indexer/search/imports.h"

#include <algorithm>

namespace ambit::indexer {
namespace {

std::string module_words(std::string_view m, Language language) {
  std::string out;
  const bool dots = language == Language::kPython || language == Language::kJava ||
                    language == Language::kKotlin || language == Language::kScala ||
                    language == Language::kCSharp;
  for (const char c : m) {
    if (c == '"' || c == '\'' || c == '<' || c == '>' || c == '`') continue;
    if ((dots && c == '.') || c == ':' || c == '\\' || c == '/') {
      if (!out.empty() && out.back() != '/') out.push_back('/');
    } else if (c == '{' || c == '*' || c == ' ' || c == ';') {
      break;
    } else if (c == '.' && (out.empty() || out.back() == '/')) {
      continue;
    } else {
      out.push_back(c);
    }
  }
  while (!out.empty() && out.back() == '/') out.pop_back();
  for (const std::string_view ext :
       {".ts", ".tsx", ".js", ".jsx", ".mjs", ".h", ".hpp", ".hh", ".py"}) {
    if (!dots && out.ends_with(ext) && ext.front() == '.' && language != Language::kC &&
        language != Language::kCpp) {
      out.resize(out.size() - ext.size());
      break;
    }
  }
  return out;
}

bool path_fits(std::string_view path, std::string_view words) {
  if (words.empty()) return false;
  const auto boundary = [&](std::size_t at) { return at == 0 || path[at - 1] == '/'; };
  for (auto at = path.rfind(words); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : path.rfind(words, at - 1)) {
    const auto end = at + words.size();
    if (boundary(at) && (end == path.size() || path[end] == '.' || path[end] == '/')) return true;
  }
  return false;
}

// Places of `name` as a whole word, until `f` returns true.
template <class F>
bool any_word(std::string_view text, std::string_view name, F&& f) {
  if (name.empty()) return false;
  for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const auto end = at + name.size();
    if ((at == 0 || !is_word_byte(text[at - 1])) &&
        (end == text.size() || !is_word_byte(text[end])) && f(at)) {
      return true;
    }
  }
  return false;
}

std::string_view statement_of(std::string_view text, const Import& i) {
  return text.substr(i.statement.begin, i.statement.size());
}

}  // namespace

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view stem_of(std::string_view path) {
  const auto slash = path.rfind('/');
  auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return name.substr(0, name.find('.'));
}

bool names(std::string_view text, std::string_view name) {
  return any_word(text, name, [](std::size_t) { return true; });
}

std::vector<ImportedModule> imported_modules(std::string_view text, Language language,
                                             const std::vector<Import>& imports,
                                             std::string_view name, std::string_view qualifier) {
  std::vector<ImportedModule> out;
  for (const auto& i : imports) {
    const auto statement = statement_of(text, i);
    const bool names_it =
        names(statement, name) ||
        (!qualifier.empty() && statement.find(qualifier) != std::string_view::npos);
    out.push_back({module_words(text.substr(i.module.begin, i.module.size()), language), names_it});
  }
  return out;
}

std::string_view name_where_defined(std::string_view text, const std::vector<Import>& imports,
                                    std::string_view name) {
  auto called = name;
  for (const auto& i : imports) {
    const auto statement = statement_of(text, i);
    any_word(statement, name, [&](std::size_t at) {
      auto e = at;
      while (e > 0 && statement[e - 1] == ' ') --e;
      if (e < 3 || statement.substr(e - 2, 2) != "as" || is_word_byte(statement[e - 3]))
        return false;
      e -= 2;
      while (e > 0 && statement[e - 1] == ' ') --e;
      auto b = e;
      while (b > 0 && is_word_byte(statement[b - 1])) --b;
      if (e > b) called = statement.substr(b, e - b);
      return false;
    });
  }
  return called;
}

double import_score(const std::vector<ImportedModule>& modules, std::string_view path) {
  double best = 0;
  for (const auto& [words, names_it] : modules) {
    if (path_fits(path, words)) {
      best = std::max(best, names_it ? 9.0 : 4.0);
    } else if (const auto slash = words.rfind('/');  // use a::b::Name: the module is a::b
               slash != std::string::npos &&
               path_fits(path, std::string_view(words).substr(0, slash))) {
      best = std::max(best, names_it ? 6.0 : 1.0);
    }
  }
  return best;
}

const Import* go_package(std::string_view text, const std::vector<Import>& imports,
                         std::string_view name) {
  for (const auto& i : imports) {
    auto module = text.substr(i.module.begin, i.module.size());
    while (!module.empty() && (module.back() == '"' || module.back() == '`'))
      module.remove_suffix(1);
    auto last = module.substr(module.find_last_of("/\"`") + 1);
    if (last.size() > 1 && last[0] == 'v' && last[1] >= '0' && last[1] <= '9') {  // …/chi/v5
      module.remove_suffix(std::min(module.size(), last.size() + 1));
      last = module.substr(module.find_last_of("/\"`") + 1);
    }
    const auto statement = text.substr(i.statement.begin, i.statement.size());
    const auto alias = statement.substr(0, statement.find_first_of(" \t\"`"));
    if ((alias.empty() ? last : alias) == name) return &i;
  }
  return nullptr;
}

}  // namespace ambit::indexer
