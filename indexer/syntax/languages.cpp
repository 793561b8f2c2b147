#include "indexer/syntax/languages.h"

#include <array>
#include <string>
#include <unordered_map>

namespace ambit::indexer {
namespace {

constexpr std::array<LanguageInfo, kLanguageCount> kLanguages{{
    {Language::kNone, "plaintext", "Text", "", "", "txt rst adoc", "", "."},
    {Language::kC, "c", "C", "tree-sitter-c", "c", "c h i inc", "", "::"},
    {Language::kCpp, "cpp", "C++", "tree-sitter-cpp", "cpp",
     "cc cpp cxx c++ hh hpp hxx h++ ipp inl tpp tcc txx cppm ixx", "", "::"},
    {Language::kCuda, "cuda-cpp", "CUDA", "tree-sitter-cpp", "cpp", "cu cuh", "", "::"},
    {Language::kPython, "python", "Python", "tree-sitter-python", "python", "py pyi pyw",
     "SConstruct SConscript", "."},
    {Language::kJavaScript, "javascript", "JavaScript", "tree-sitter-javascript", "javascript",
     "js jsx mjs cjs", "", "."},
    {Language::kTypeScript, "typescript", "TypeScript", "tree-sitter-typescript", "typescript",
     "ts mts cts", "", "."},
    {Language::kTsx, "typescriptreact", "TSX", "tree-sitter-typescript", "typescript", "tsx", "",
     "."},
    {Language::kRust, "rust", "Rust", "tree-sitter-rust", "rust", "rs", "", "::"},
    {Language::kGo, "go", "Go", "tree-sitter-go", "go", "go", "", "."},
    {Language::kJava, "java", "Java", "tree-sitter-java", "java", "java", "", "."},
    {Language::kCSharp, "csharp", "C#", "tree-sitter-c-sharp", "csharp", "cs csx", "", "."},
    {Language::kRuby, "ruby", "Ruby", "tree-sitter-ruby", "ruby", "rb rake gemspec ru",
     "Rakefile Gemfile", "::"},
    {Language::kPhp, "php", "PHP", "tree-sitter-php", "php", "php phtml", "", "\\"},
    {Language::kKotlin, "kotlin", "Kotlin", "@tree-sitter-grammars/tree-sitter-kotlin", "kotlin",
     "kt kts", "", "."},
    {Language::kSwift, "swift", "Swift", "tree-sitter-swift", "swift", "swift", "", "."},
    {Language::kScala, "scala", "Scala", "tree-sitter-scala", "scala", "scala sc sbt", "", "."},
    {Language::kBash, "shellscript", "Bash", "tree-sitter-bash", "bash", "sh bash bats ksh",
     ".bashrc .profile .bash_profile PKGBUILD", "."},
    {Language::kLua, "lua", "Lua", "@tree-sitter-grammars/tree-sitter-lua", "lua", "lua", "", "."},
    {Language::kJson, "json", "JSON", "tree-sitter-json", "json", "json jsonc json5 webmanifest",
     ".eslintrc .babelrc", "."},
    {Language::kYaml, "yaml", "YAML", "@tree-sitter-grammars/tree-sitter-yaml", "yaml", "yaml yml",
     ".clang-format .clang-tidy", "."},
    {Language::kToml, "toml", "TOML", "@tree-sitter-grammars/tree-sitter-toml", "toml", "toml",
     "Cargo.lock Pipfile", "."},
    {Language::kHtml, "html", "HTML", "tree-sitter-html", "html", "html htm xhtml", "", "."},
    {Language::kCss, "css", "CSS", "tree-sitter-css", "css", "css", "", "."},
    {Language::kMarkdown, "markdown", "Markdown", "@tree-sitter-grammars/tree-sitter-markdown",
     "markdown", "md markdown mdx", "", "/"},
    {Language::kSql, "sql", "SQL", "@derekstride/tree-sitter-sql", "sql", "sql", "", "."},
    {Language::kHcl, "terraform", "HCL", "@tree-sitter-grammars/tree-sitter-hcl", "hcl",
     "hcl tf tfvars", "", "."},
    {Language::kZig, "zig", "Zig", "@tree-sitter-grammars/tree-sitter-zig", "zig", "zig zon", "",
     "."},
    {Language::kElixir, "elixir", "Elixir", "tree-sitter-elixir", "elixir", "ex exs", "", "."},
}};

template <class F>
void for_each_word(std::string_view words, F&& f) {
  while (!words.empty()) {
    const auto space = words.find(' ');
    f(words.substr(0, space));
    if (space == std::string_view::npos) return;
    words.remove_prefix(space + 1);
  }
}

struct Lookup {
  std::unordered_map<std::string_view, Language> extensions, names, ids;
  Lookup() {
    for (const auto& info : kLanguages) {
      for_each_word(info.extensions, [&](std::string_view w) { extensions[w] = info.language; });
      for_each_word(info.file_names, [&](std::string_view w) { names[w] = info.language; });
      ids[info.id] = info.language;
    }
    extensions["C"] = extensions["H"] = Language::kCpp;
    ids["javascriptreact"] = Language::kJavaScript;
    ids["jsonc"] = Language::kJson;
    ids["sh"] = Language::kBash;
    ids["cuda"] = Language::kCuda;
    ids["tf"] = ids["hcl"] = Language::kHcl;
  }
};
const Lookup& lookup() {
  static const Lookup table;
  return table;
}

Language by_interpreter(std::string_view head) {
  if (!head.starts_with("#!")) return Language::kNone;
  const auto line = head.substr(0, head.find('\n'));
  const auto has = [&](std::string_view w) { return line.find(w) != std::string_view::npos; };
  if (has("python")) return Language::kPython;
  if (has("node") || has("deno") || has("bun")) return Language::kJavaScript;
  if (has("ruby")) return Language::kRuby;
  if (has("php")) return Language::kPhp;
  if (has("lua")) return Language::kLua;
  if (has("elixir")) return Language::kElixir;
  if (has("bash") || has("/sh") || has("dash") || has("ksh") || has("env sh")) {
    return Language::kBash;
  }
  return Language::kNone;
}

bool looks_like_cpp(std::string_view head) {
  for (const std::string_view word :
       {"namespace ", "template <", "template<", "class ", "constexpr ", "std::", "public:",
        "private:", "using ", "#include <string>", "#include <vector>", "#include <memory>"}) {
    for (auto at = head.find(word); at != std::string_view::npos; at = head.find(word, at + 1)) {
      const auto line = head.rfind('\n', at);
      const auto start = line == std::string_view::npos ? 0 : line + 1;
      const auto before = head.substr(start, at - start);
      if (before.find_first_not_of(" \t") == std::string_view::npos ||
          (word == "std::" && before.find_first_of("*/\"") == std::string_view::npos)) {
        return true;
      }
    }
  }
  return false;
}

// "list.inc" is a piece of what includes it. C and C++ call most of them so and are what the path
// alone says; text that is neither (Pascal, assembly, make, BitBake) is of no language.
Language by_fragment(std::string_view head) {
  if (head.empty()) return Language::kC;
  if (head.find("<?php") != std::string_view::npos || head.starts_with("<?")) return Language::kPhp;
  if (looks_like_cpp(head)) return Language::kCpp;
  for (std::size_t at = 0; at < head.size();) {
    const auto end = std::min(head.find('\n', at), head.size());
    auto line = head.substr(at, end - at);
    at = end + 1;
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (line.empty()) continue;
    if (line.front() == '#') {
      const auto word = line.substr(std::min(line.find_first_not_of("# \t"), line.size()));
      for (const std::string_view directive :
           {"include", "define", "undef", "if", "pragma", "error"}) {
        if (word.starts_with(directive)) return Language::kC;
      }
      return Language::kNone;  // a comment of other languages
    }
    if (line.find(":=") != std::string_view::npos) return Language::kNone;
    if (line.starts_with("//") || line.starts_with("/*") || line.ends_with(';') ||
        line.ends_with('{') || line.ends_with(')') || line.ends_with("),")) {
      return Language::kC;
    }
    if (line.find_first_of("%;.") == 0) return Language::kNone;
  }
  return Language::kNone;
}

}  // namespace

std::span<const LanguageInfo> all_languages() {
  return kLanguages;
}

const LanguageInfo& language_info(Language language) {
  const auto i = static_cast<std::size_t>(language);
  return kLanguages[i < kLanguages.size() ? i : 0];
}

int family_of(Language l) {
  switch (l) {
    case Language::kC:
    case Language::kCpp:
    case Language::kCuda:
      return 1;
    case Language::kJavaScript:
    case Language::kTypeScript:
    case Language::kTsx:
      return 2;
    case Language::kJava:
    case Language::kKotlin:
    case Language::kScala:
      return 3;
    default:
      return 100 + static_cast<int>(l);
  }
}

Language language_of(std::string_view path, std::string_view head) {
  const auto slash = path.rfind('/');
  const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const auto& table = lookup();
  if (const auto it = table.names.find(name); it != table.names.end()) return it->second;
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) return by_interpreter(head);
  auto extension = std::string(name.substr(dot + 1));
  auto it = table.extensions.find(extension);
  if (it == table.extensions.end()) {
    for (auto& c : extension) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    it = table.extensions.find(extension);
  }
  if (it == table.extensions.end()) return by_interpreter(head);
  if (extension == "inc") return by_fragment(head);
  if (it->second == Language::kC && extension == "h" && looks_like_cpp(head.substr(0, 4096))) {
    return Language::kCpp;
  }
  return it->second;
}

Language language_from_id(std::string_view id) {
  const auto it = lookup().ids.find(id);
  return it == lookup().ids.end() ? Language::kNone : it->second;
}

}  // namespace ambit::indexer
