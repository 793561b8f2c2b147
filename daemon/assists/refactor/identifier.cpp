// Which words are names: the letters and the key words of each language.
#include <algorithm>
#include <array>

#include "daemon/assists/refactor/rename.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::Language;

bool is_identifier(std::string_view name, Language language) {
  if (name.empty() || name.size() > 200) return false;
  const bool dollar = same_family(language, Language::kJavaScript) || language == Language::kPhp;
  if (name[0] >= '0' && name[0] <= '9') return false;
  for (const char c : name) {
    if (!word_byte(c) || (c == '$' && !dollar)) return false;
  }
  static constexpr std::array kEverywhere{"if",       "else", "for",   "while", "return", "break",
                                          "continue", "true", "false", "class", "import"};
  const auto in = [&](const auto& words) {
    return std::find(words.begin(), words.end(), name) != words.end();
  };
  const bool c = same_family(language, Language::kC);
  if (language == Language::kC
          ? in(std::array{"if", "else", "for", "while", "return", "break", "continue"})
          : in(kEverywhere)) {
    return false;
  }
  static constexpr std::array kC{"auto",     "case",     "char",    "const",  "default",  "do",
                                 "double",   "enum",     "extern",  "float",  "goto",     "int",
                                 "long",     "register", "short",   "signed", "sizeof",   "static",
                                 "struct",   "switch",   "typedef", "union",  "unsigned", "void",
                                 "volatile", "inline",   "restrict"};
  static constexpr std::array kCpp{
      "and",       "bool",      "catch",         "concept",      "constexpr", "decltype",
      "delete",    "explicit",  "export",        "friend",       "mutable",   "namespace",
      "new",       "noexcept",  "not",           "nullptr",      "operator",  "or",
      "private",   "protected", "public",        "requires",     "template",  "this",
      "throw",     "try",       "typeid",        "typename",     "using",     "virtual",
      "consteval", "constinit", "static_assert", "thread_local", "co_await",  "co_return",
      "co_yield"};
  if (c) return !in(kC) && (language == Language::kC || !in(kCpp));
  static constexpr std::array kPython{
      "and",     "as",    "assert", "async", "await", "def",    "del",      "elif", "except",
      "finally", "from",  "global", "in",    "is",    "lambda", "nonlocal", "not",  "or",
      "pass",    "raise", "try",    "with",  "yield", "None",   "True",     "False"};
  static constexpr std::array kScript{
      "await",   "case",    "catch",    "const", "default",    "delete", "do",   "enum", "export",
      "extends", "finally", "function", "in",    "instanceof", "let",    "new",  "null", "super",
      "switch",  "this",    "throw",    "try",   "typeof",     "var",    "void", "with", "yield"};
  static constexpr std::array kGo{"case",  "chan",   "const",  "default",   "defer", "fallthrough",
                                  "func",  "go",     "goto",   "interface", "map",   "package",
                                  "range", "select", "struct", "switch",    "type",  "var"};
  static constexpr std::array kRust{
      "as",   "async",  "await",  "const", "crate", "dyn",  "enum",   "extern", "fn",   "impl",
      "in",   "let",    "loop",   "match", "mod",   "move", "mut",    "pub",    "ref",  "self",
      "Self", "static", "struct", "super", "trait", "type", "unsafe", "use",    "where"};
  static constexpr std::array kJava{
      "abstract", "boolean", "byte",       "case",       "catch",   "char",      "const",
      "default",  "do",      "double",     "enum",       "extends", "final",     "finally",
      "float",    "goto",    "implements", "instanceof", "int",     "interface", "long",
      "native",   "new",     "null",       "package",    "private", "protected", "public",
      "short",    "static",  "super",      "switch",     "this",    "throw",     "throws",
      "try",      "void",    "namespace",  "using",      "string",  "object",    "bool",
      "foreach",  "in",      "out",        "ref"};
  if (language == Language::kPython) return !in(kPython);
  if (same_family(language, Language::kJavaScript)) return !in(kScript);
  if (language == Language::kGo) return !in(kGo);
  if (language == Language::kRust) return !in(kRust);
  if (same_family(language, Language::kJava) || language == Language::kCSharp) return !in(kJava);
  return true;
}

}  // namespace ambit::daemon
