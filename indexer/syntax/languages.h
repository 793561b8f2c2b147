// The table of languages: one row each, a grammar and a file of rules (queries/NAME.scm). A new
// language is a row in languages.cpp, a package in grammars/package.json and a .scm file.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "indexer/types.h"

namespace ambit::indexer {

// Values are stored on disk: append only, never reorder. kNone is text of no known language.
enum class Language : std::uint8_t {
  kNone,
  kC,
  kCpp,
  kCuda,
  kPython,
  kJavaScript,
  kTypeScript,
  kTsx,
  kRust,
  kGo,
  kJava,
  kCSharp,
  kRuby,
  kPhp,
  kKotlin,
  kSwift,
  kScala,
  kBash,
  kLua,
  kJson,
  kYaml,
  kToml,
  kHtml,
  kCss,
  kMarkdown,
  kSql,
  kHcl,
  kZig,
  kElixir,
};
inline constexpr std::size_t kLanguageCount = 29;

// What was learnt from a blob is valid for one version of the extractor: raise it when rules,
// grammars or the extraction change what comes out.
inline constexpr std::uint32_t kExtractorVersion = 7;

struct LanguageInfo {
  Language language = Language::kNone;
  std::string_view id;          // "cpp": the identifier that editors use
  std::string_view name;        // "C++"
  std::string_view package;     // npm package of the grammar, "" without one
  std::string_view rules;       // base name of the .scm file
  std::string_view extensions;  // space separated, without dots
  std::string_view file_names;  // space separated whole names
  std::string_view separator;   // between scope names: "::" or "."
};

[[nodiscard]] std::span<const LanguageInfo> all_languages();
[[nodiscard]] const LanguageInfo& language_info(Language language);
// By file name, then extension, then a #! line or content (C or C++ for .h; C, C++, PHP or none for
// .inc). head: the first 4096 bytes.
[[nodiscard]] Language language_of(std::string_view path, std::string_view head = {});
// Languages that use each other's names without ceremony (C and C++, JavaScript and TypeScript, …)
// have one number.
[[nodiscard]] int family_of(Language language);
// By editor identifier ("typescriptreact"); kNone when unknown.
[[nodiscard]] Language language_from_id(std::string_view id);

}  // namespace ambit::indexer
