// A module of CommonJS: what it requires, and what it says that it exports.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/parameters.h"
#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

// A name in braces: `a`, or `a: b`.
struct JsEntry {
  std::string name, local;  // of `a: b` the name is a; "" for what is written in another way
  indexer::ByteSpan span;
};
struct JsBraces {
  indexer::ByteSpan span;  // with the braces
  std::vector<JsEntry> entries;
  // Without entry n, or with one more, in the style of the others.
  [[nodiscard]] ListEdit without(std::size_t n) const;
  [[nodiscard]] ListEdit with(std::string_view text, const std::string& words) const;
};

// `const x = require('m')` or `const { a, b: c } = require('m')` at the top of the file.
struct JsRequire {
  indexer::ByteSpan statement, module;  // the module with its quotes
  std::string keyword;                  // const, let, var
  std::string whole;                    // x, or ""
  std::optional<JsBraces> names;
};

struct CommonJsFile {
  SourceFile source;
  std::vector<JsRequire> requires_;
  std::optional<JsBraces> exports;      // module.exports = { … }
  indexer::ByteSpan exports_statement;  // of it, or of the first line below
  struct Line {                         // exports.NAME = LOCAL, module.exports.NAME = LOCAL
    std::string name, local;
    indexer::ByteSpan statement;
    std::string object;  // "exports" or "module.exports"
  };
  std::vector<Line> lines;
  bool one_value = false;  // module.exports = something else than names in braces
  bool esm = false;        // has import or export statements
  bool strict = false;     // begins with 'use strict'
  bool semicolons = false;

  [[nodiscard]] static Result<CommonJsFile> load(const indexer::Snapshot& snapshot,
                                                 const std::string& path);
  [[nodiscard]] bool is_common_js() const;
  // Exports what it calls `name` under this name.
  [[nodiscard]] bool exports_name(std::string_view name) const;
  // Where the next require goes.
  [[nodiscard]] std::uint32_t behind_requires() const;
};

}  // namespace ambit::daemon
