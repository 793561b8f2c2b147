#include <algorithm>
#include <set>

#include "daemon/assists/refactor/extract.h"
#include "daemon/assists/refactor/extract_shape.h"
#include "daemon/assists/refactor/refusal.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Language;
using indexer::SyntaxTree;

namespace {

using Names = std::set<std::string_view>;

class Way {
 public:
  Way(const SyntaxTree& tree, std::string_view text, Language language, const ExtractShape& shape)
      : tree_(tree), text_(text), language_(language), shape_(shape) {}

  // The statement in front of which the expression may be evaluated.
  Result<std::uint32_t> up(std::uint32_t start) {
    for (auto child = start;;) {
      const auto i = tree_[child].parent;
      if (i == kNoNode) return no("this is no part of a statement");
      const auto& n = tree_[i];
      // Rust: the value of a block stands in it without a statement around.
      if (language_ == Language::kRust && n.type == "block" &&
          tree_[child].type != "let_declaration") {
        if (child == start) return no("this is the value of a block");
        return child;
      }
      if (shape_.statements.contains(n.type)) {
        AMBIT_CHECK_OK(check_statement(i, child));
        return i;
      }
      if (!shape_.through.contains(n.type)) {
        return no("what is selected is not always evaluated, or more than once");
      }
      AMBIT_CHECK_OK(check_step(i, child));
      child = i;
    }
  }

  // Whether node i, which stands before the selection, can change or be changed by it. Reading the
  // method that the call around the selection is for does not count.
  [[nodiscard]] bool has_effect(std::uint32_t i) const {
    if (!shape_.effects.contains(tree_[i].type)) return false;
    static const Names kReads{"attribute", "member_expression", "field_access",
                              "selector_expression"};
    if (!kReads.contains(tree_[i].type)) return true;
    auto at = i;
    while (at != kNoNode && kReads.contains(tree_[at].type) && tree_[at].field != "function") {
      at = tree_[at].parent;
    }
    return at == kNoNode || tree_[at].field != "function";
  }

 private:
  [[nodiscard]] std::string_view slice(std::uint32_t i) const {
    return text_.substr(tree_[i].span.begin, tree_[i].span.size());
  }
  [[nodiscard]] bool has_token(std::uint32_t i,
                               std::initializer_list<std::string_view> words) const {
    for (const auto c : tree_.children(i)) {
      if (std::find(words.begin(), words.end(), slice(c)) != words.end()) return true;
    }
    return false;
  }

  Result<void> check_step(std::uint32_t i, std::uint32_t child) const {
    const auto& n = tree_[i];
    const auto field = tree_[child].field;
    const bool first = tree_.children(i).front() == child;
    // The right side of "and" may never run, the second comparison of a chain neither.
    const bool logic = n.type == "binary_expression" || n.type == "boolean_operator";
    if (logic && !first && has_token(i, {"&&", "||", "??", "and", "or"})) {
      return no("the left side decides whether it is evaluated");
    }
    if (n.type == "comparison_operator" && !first && tree_.children(i).size() > 3) {
      return no("the left side decides whether it is evaluated");
    }
    // obj.f(): taking obj.f out loses obj; and a plain name of a function needs no variable.
    if (field == "function" || field == "constructor") {
      return no("a function that is called is no value here");
    }
    if (n.type == "member_expression" && has_token(i, {"?."})) {
      return no("an optional chain belongs together");
    }
    const bool target = field == "left" && n.type.find("assignment") != std::string_view::npos;
    if (target || n.type == "update_expression" ||
        (n.type == "unary_expression" && has_token(i, {"&", "delete", "typeof"}))) {
      return no("the place is meant here, not its value");
    }
    if (n.type == "augmented_assignment") return no("the target is read before it");
    if (n.type == "pair" && field == "key" && language_ != Language::kPython) {
      return no("a key is no expression");
    }
    return {};
  }

  Result<void> check_statement(std::uint32_t i, std::uint32_t child) const {
    const auto& n = tree_[i];
    const auto field = tree_[child].field;
    const bool branches = n.type == "if_statement" || n.type == "switch_statement";
    if (branches && field != "condition" && field != "value") {
      return no("this is no part of a statement");
    }
    const bool loop = n.type == "for_statement" || n.type == "for_in_statement" ||
                      n.type == "for_range_loop" || n.type == "enhanced_for_statement";
    if (loop && field != "right" && field != "value") {
      return no("what is selected is evaluated more than once");
    }
    if (language_ == Language::kGo && (field == "left" || n.type == "if_statement") &&
        (field == "left" || tree_.child(i, "initializer") != kNoNode)) {
      return no("the place is meant here, not its value");
    }
    const auto parent = n.parent;
    if (parent == kNoNode || !shape_.blocks.contains(tree_[parent].type)) {
      return no("put the statement into a block of its own first");
    }
    const auto above = tree_[parent].parent;
    if (above != kNoNode && tree_[above].type == "class_definition") {
      return no("a variable here would become a member of the class");
    }
    return {};
  }

  const SyntaxTree& tree_;
  std::string_view text_;
  Language language_;
  const ExtractShape& shape_;
};

std::string declaration(Language language, const std::string& name, std::string_view value) {
  switch (language) {
    case Language::kCpp:
      return "auto&& " + name + " = " + std::string(value) + ";";
    case Language::kPython:
      return name + " = " + std::string(value);
    case Language::kJava:
      return "var " + name + " = " + std::string(value) + ";";
    case Language::kGo:
      return name + " := " + std::string(value);
    case Language::kRust:
      return "let " + name + " = " + std::string(value) + ";";
    default:
      return "const " + name + " = " + std::string(value) + ";";
  }
}

}  // namespace

ByteSpan trimmed(std::string_view text, ByteSpan span) {
  constexpr std::string_view kBlank = " \t\r\n";
  while (span.begin < span.end && kBlank.find(text[span.begin]) != std::string_view::npos) {
    ++span.begin;
  }
  while (span.begin < span.end && kBlank.find(text[span.end - 1]) != std::string_view::npos) {
    --span.end;
  }
  return span;
}

std::string unused_name(std::string_view text, std::string_view wanted) {
  std::string name(wanted);
  for (int n = 2; text.find(name) != std::string_view::npos; ++n) {
    name = std::string(wanted) + std::to_string(n);
  }
  return name;
}

std::optional<std::string> indent_before(std::string_view text, std::size_t at) {
  auto line = at;
  while (line > 0 && text[line - 1] != '\n') --line;
  const auto blanks = text.substr(line, at - line);
  if (blanks.find_first_not_of(" \t") != std::string_view::npos) return std::nullopt;
  return std::string(blanks);
}

std::string indented_lines(std::string_view text, ByteSpan selection, const std::string& had,
                           const std::string& indent) {
  const auto end = std::string(line_end_of(text));
  std::string out;
  for (std::size_t at = selection.begin; at < selection.end;) {
    auto next = text.find('\n', at);
    next = next == std::string_view::npos || next >= selection.end ? selection.end : next;
    auto line = text.substr(at, next - at);
    if (at != selection.begin && line.starts_with(had)) line.remove_prefix(had.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    out += (line.empty() ? "" : indent + std::string(line)) + end;
    at = next + 1;
  }
  return out;
}

Result<Extraction> extract_variable(Language language, std::string_view text, ByteSpan selection) {
  const auto* shape = extract_shape(language);
  if (shape == nullptr) {
    return make_error(
        Code::kUnsupported,
        "extract to a variable is exact in C++, Python, JavaScript, TypeScript, Java, "
        "Go and Rust only");
  }
  selection = trimmed(text, selection);
  if (selection.size() == 0) return no("select an expression first");
  AMBIT_TRY(tree, SyntaxTree::parse(language, text));
  auto node = tree.around(selection);
  // One child alone has its parent's span: the innermost that is an expression counts.
  while (tree[node].span == selection && !shape->expressions.contains(tree[node].type) &&
         node + 1 < tree[node].after && tree[node + 1].span == selection) {
    ++node;
  }
  if (tree[node].span != selection || !shape->expressions.contains(tree[node].type)) {
    return no("select one whole expression");
  }
  if (tree.holds_error(node)) return no("the selection does not parse");
  Way way(tree, text, language, *shape);
  AMBIT_TRY(statement, way.up(node));
  if (tree.holds_error(statement)) return no("the statement does not parse");
  if (tree[tree[node].parent].type == "expression_statement") {
    return no("this is a whole statement; its value is not used");
  }
  // What stands before it in the statement must not be able to tell the difference.
  for (auto i = statement + 1; i < node; ++i) {
    const bool holds = tree[i].span.begin <= selection.begin && selection.end <= tree[i].span.end;
    if (!holds && way.has_effect(i)) {
      return no("something with an effect is evaluated before it");
    }
  }
  if (language == Language::kRust) {
    // A variable lives longer than the value of an expression, but where that is moved at once;
    // and what is made inside of it is dropped with the new statement.
    if (text[selection.begin] == '*') return no("the place is meant here, not its value");
    for (auto i = node + 1; i < tree[node].after; ++i) {
      if (tree[i].type == "call_expression" || tree[i].type == "macro_invocation") {
        return no("what is made inside it would be dropped earlier");
      }
    }
  }
  if (language == Language::kCpp) {
    // auto&& keeps values, references and temporaries what they are, but not the temporaries that
    // an argument makes: those would end with the new statement.
    for (auto i = node + 1; i < tree[node].after; ++i) {
      if (tree[i].type == "call_expression" || tree[i].type == "initializer_list" ||
          tree[i].type == "compound_literal_expression" || tree[i].type == "lambda_expression") {
        return no("a temporary inside it would end too early");
      }
    }
  }
  const auto begin = tree[statement].span.begin;
  const auto indent = indent_before(text, begin);
  if (!indent) return no("put the statement on a line of its own first");
  const auto words = text.substr(selection.begin, selection.size());
  Extraction out;
  out.name = unused_name(text, "extracted");
  const auto before =
      declaration(language, out.name, words) + std::string(line_end_of(text)) + *indent;
  if (begin == selection.begin) {  // two edits at one place could be taken in either order
    out.edits.push_back({selection, before + out.name, 0});
  } else {
    out.edits.push_back({{begin, begin}, before, 0});
    out.edits.push_back({selection, out.name, 0});
  }
  return out;
}

}  // namespace ambit::daemon
