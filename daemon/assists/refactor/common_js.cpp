#include "daemon/assists/refactor/common_js.h"

#include <algorithm>

#include "daemon/assists/refactor/edits.h"
#include "daemon/assists/refactor/extract.h"
#include "daemon/assists/refactor/module_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;

namespace {

class Reader {
 public:
  explicit Reader(CommonJsFile& out) : out_(out), source_(out.source), tree_(*out.source.tree) {}

  void read() {
    bool first = true;
    for (const auto c : tree_.children(0)) {
      const auto& type = tree_[c].type;
      if (type == "comment" || type == "hash_bang_line") continue;
      const auto words = source_.slice(c);
      if (first)
        out_.strict = words.starts_with("'use strict'") || words.starts_with("\"use strict\"");
      first = false;
      if (words.ends_with(';')) out_.semicolons = true;
      if (type == "import_statement" || type == "export_statement") out_.esm = true;
      if (type == "lexical_declaration" || type == "variable_declaration") read_require(c);
      if (type == "expression_statement") read_export(c);
    }
  }

 private:
  [[nodiscard]] bool is(std::uint32_t i, std::string_view type) const {
    return i != kNoNode && tree_[i].type == type;
  }

  JsBraces braces(std::uint32_t object) const {
    JsBraces out;
    out.span = tree_[object].span;
    for (const auto c : tree_.children(object)) {
      if (!tree_[c].named || is(c, "comment")) continue;
      JsEntry e;
      e.span = tree_[c].span;
      if (is(c, "shorthand_property_identifier") ||
          is(c, "shorthand_property_identifier_pattern")) {
        e.name = e.local = source_.slice(c);
      } else if (is(c, "pair") || is(c, "pair_pattern")) {
        const auto key = tree_.child(c, "key"), value = tree_.child(c, "value");
        if (is(key, "property_identifier") && is(value, "identifier")) {
          e.name = source_.slice(key);
          e.local = source_.slice(value);
        }
      }
      out.entries.push_back(std::move(e));
    }
    return out;
  }

  void read_require(std::uint32_t declaration) {
    std::uint32_t only = kNoNode;
    for (const auto c : tree_.children(declaration)) {
      if (!is(c, "variable_declarator")) continue;
      if (only != kNoNode) return;
      only = c;
    }
    if (only == kNoNode) return;
    const auto name = tree_.child(only, "name"), value = tree_.child(only, "value");
    if (!is(value, "call_expression")) return;
    const auto callee = tree_.child(value, "function"), arguments = tree_.child(value, "arguments");
    if (!is(callee, "identifier") || source_.slice(callee) != "require" || arguments == kNoNode)
      return;
    const auto inner = tree_.children(arguments);
    if (inner.size() != 3 || !is(inner[1], "string")) return;
    JsRequire out;
    out.statement = tree_[declaration].span;
    out.module = tree_[inner[1]].span;
    out.keyword = source_.slice(tree_.children(declaration).front());
    if (is(name, "identifier")) {
      out.whole = source_.slice(name);
    } else if (is(name, "object_pattern")) {
      out.names = braces(name);
    } else {
      return;
    }
    out_.requires_.push_back(std::move(out));
  }

  void read_export(std::uint32_t statement) {
    const auto inner = tree_.children(statement);
    if (inner.empty() || !is(inner[0], "assignment_expression")) return;
    const auto left = source_.slice(tree_.child(inner[0], "left"));
    const auto right = tree_.child(inner[0], "right");
    const auto span = tree_[statement].span;
    if (left == "module.exports" || left == "exports") {
      if (is(right, "object")) {
        out_.exports = braces(right);
        out_.exports_statement = span;
      } else {
        out_.one_value = true;
      }
      return;
    }
    for (const std::string_view object : {"module.exports", "exports"}) {
      if (!left.starts_with(std::string(object) + ".")) continue;
      if (out_.lines.empty() && !out_.exports) out_.exports_statement = span;
      out_.lines.push_back({std::string(left.substr(object.size() + 1)),
                            is(right, "identifier") ? std::string(source_.slice(right)) : "", span,
                            std::string(object)});
      return;
    }
  }

  CommonJsFile& out_;
  const SourceFile& source_;
  const indexer::SyntaxTree& tree_;
};

}  // namespace

ListEdit JsBraces::without(std::size_t n) const {
  ListPieces list;
  for (const auto& e : entries) list.pieces.push_back(e.span);
  return without_piece(list, n);
}

ListEdit JsBraces::with(std::string_view text, const std::string& words) const {
  if (entries.empty()) return {span, "{ " + words + " }"};
  const auto last = entries.back().span;
  const auto indent = indent_before(text, last.begin);
  const auto end = std::string(line_end_of(text));
  return {{last.end, last.end}, indent ? "," + end + *indent + words : ", " + words};
}

Result<CommonJsFile> CommonJsFile::load(const indexer::Snapshot& snapshot,
                                        const std::string& path) {
  CommonJsFile out;
  AMBIT_TRY(source, load_source(snapshot, path));
  out.source = std::move(source);
  Reader(out).read();
  return out;
}

bool CommonJsFile::is_common_js() const {
  return !esm && (exports || one_value || !lines.empty());
}

bool CommonJsFile::exports_name(std::string_view name) const {
  const auto says = [&](const auto& e) { return e.name == name && e.local == name; };
  return (exports && std::any_of(exports->entries.begin(), exports->entries.end(), says)) ||
         std::any_of(lines.begin(), lines.end(), says);
}

std::uint32_t CommonJsFile::behind_requires() const {
  const auto& text = source.text;
  std::uint32_t at = first_line(source);
  const auto line_behind = [&](std::uint32_t end) {
    return static_cast<std::uint32_t>(std::min(text.find('\n', end), text.size() - 1) + 1);
  };
  if (strict) at = line_behind(at);
  for (const auto& r : requires_) at = std::max(at, line_behind(r.statement.end));
  return at;
}

}  // namespace ambit::daemon
