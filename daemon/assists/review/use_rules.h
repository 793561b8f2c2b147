// What a name means at one place, language by language. Inside uses.cpp only.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "daemon/assists/path_words.h"
#include "daemon/assists/review/lexical.h"
#include "daemon/assists/review/uses.h"

namespace ambit::daemon::review {

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

// Whether the place must mean the subject.
[[nodiscard]] bool c_use(const Here& here, const Subject& subject);
[[nodiscard]] bool go_use(Texts& texts, const Here& here, const Subject& subject);
[[nodiscard]] bool rust_use(const Here& here, const Subject& subject);
[[nodiscard]] bool java_use(const Here& here, const Subject& subject);
[[nodiscard]] bool python_use(Texts& texts, const Here& here, const Subject& subject);
[[nodiscard]] bool javascript_use(const Here& here, const Subject& subject);

[[nodiscard]] bool imported_from_elsewhere(const Here& here, std::string_view name);

// Words and paths.
[[nodiscard]] std::string_view without_extension(std::string_view path);
[[nodiscard]] std::string_view unquoted(std::string_view module);
// "a/b" ends "x/a/b" and not "xa/b".
[[nodiscard]] bool ends_on_boundary(std::string_view path, std::string_view end);
[[nodiscard]] bool is_type(indexer::SymbolKind kind);
[[nodiscard]] bool contains_word(std::string_view text, std::string_view word);
[[nodiscard]] std::string_view previous_word(std::string_view code);
[[nodiscard]] std::string_view last_scope(std::string_view scope);

}  // namespace ambit::daemon::review
