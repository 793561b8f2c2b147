// Extract to a method in Java: it stands behind the one that the statements come from, is static
// when that is, and may throw what that one and the try statements around may see. Variables go in
// by value, and at most one value comes back.
#include <algorithm>
#include <map>
#include <set>

#include "daemon/assists/refactor/extract.h"
#include "daemon/assists/refactor/handover.h"
#include "daemon/assists/refactor/statements.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Language;
using indexer::SyntaxTree;

namespace {

using Names = std::set<std::string_view>;

class JavaExtractor : Statements {
 public:
  explicit JavaExtractor(Statements statements) : Statements(std::move(statements)) {}

  Result<Extraction> run() {
    AMBIT_CHECK_OK(find_method());
    AMBIT_CHECK_OK(check());
    find_variables();
    AMBIT_CHECK_OK(collect());
    return write();
  }

 private:
  struct Variable {
    int declared = 0, inside = 0;  // how often, and how often in the selection
    std::uint32_t site = kNoNode;  // the declaration
    std::string type;              // "" where it is not written
    bool has_value = false, at_top = false;
  };

  Result<void> find_method() {
    for (auto at = block_; at != kNoNode; at = tree_[at].parent) {
      const auto& type = tree_[at].type;
      if (type == "lambda_expression") return no("the selection is inside of a lambda");
      if (type == "constructor_declaration" || type == "static_initializer") {
        return no("the selection is in a constructor or an initializer");
      }
      if (is_loop(at)) in_loop_ = true;
      if (type.starts_with("try_")) add_caught(at);
      if (type != "method_declaration") continue;
      method_ = at;
      break;
    }
    if (method_ == kNoNode) return no("the selection is in no method");
    if (tree_.child(method_, "type_parameters") != kNoNode) return no("the method is generic");
    for (const auto c : tree_.children(method_)) {
      if (is(c, "modifiers")) static_ = contains_token(c, "static");
      if (!is(c, "throws")) continue;
      for (const auto t : tree_.children(c)) {
        if (tree_[t].named) thrown_.emplace(slice(t));
      }
    }
    for (auto i = method_ + 1; i < tree_[method_].after; ++i) {
      if (is(i, "class_declaration") || is(i, "record_declaration") || is(i, "enum_declaration") ||
          is(i, "interface_declaration")) {
        return no("the method declares types of its own");
      }
    }
    return {};
  }
  // What a try statement around catches may come out of the selection.
  void add_caught(std::uint32_t statement) {
    const auto body = tree_.child(statement, "body");
    if (body == kNoNode || span_.begin < tree_[body].span.begin || span_.end > tree_[body].span.end)
      return;
    for (auto i = tree_[body].after; i < tree_[statement].after; ++i) {
      if (!is(i, "catch_type")) continue;
      for (const auto t : tree_.children(i)) {
        if (tree_[t].named) thrown_.emplace(slice(t));
      }
    }
  }
  [[nodiscard]] bool contains_token(std::uint32_t i, std::string_view word) const {
    const auto all = tree_.children(i);
    return std::any_of(all.begin(), all.end(), [&](std::uint32_t c) { return slice(c) == word; });
  }
  [[nodiscard]] bool is_loop(std::uint32_t i) const {
    return is(i, "for_statement") || is(i, "enhanced_for_statement") || is(i, "while_statement") ||
           is(i, "do_statement");
  }

  // Jumps, and what the compiler knows of the end of a method.
  Result<void> check() const {
    static const Names kNever{"return_statement", "labeled_statement", "yield_statement"};
    AMBIT_CHECK_OK(check_nodes(kNever, {"string_literal", "block_comment"}));
    for (auto i = first_; i < tree_[last_].after; ++i) {
      const bool leaves = is(i, "break_statement")
                              ? !within(i, {"for_statement", "enhanced_for_statement",
                                            "while_statement", "do_statement", "switch_expression"})
                              : is(i, "continue_statement") &&
                                    !within(i, {"for_statement", "enhanced_for_statement",
                                                "while_statement", "do_statement"});
      if (leaves) return no("the selection jumps out of itself");
      const bool label =
          (is(i, "break_statement") || is(i, "continue_statement")) && tree_.children(i).size() > 2;
      if (label) return no("the selection jumps to a label");
    }
    static const Names kGoesOn{"expression_statement", "local_variable_declaration"};
    if (is(last_, "throw_statement")) return no("the selection ends with a throw");
    if (is_last_ && !kGoesOn.contains(tree_[last_].type) &&
        slice(tree_.child(method_, "type")) != "void") {
      return no("the method may end with the selection, and has a result");
    }
    return {};
  }

  void declare(std::uint32_t name, std::uint32_t type, std::string_view behind, bool has_value) {
    auto& v = variables_[slice(name)];
    ++v.declared;
    if (selected(tree_[name].span)) ++v.inside;
    v.site = name;
    v.type = type == kNoNode || slice(type) == "var"
                 ? ""
                 : std::string(slice(type)) + std::string(behind);
    v.has_value = has_value;
    const auto statement = tree_[tree_[name].parent].parent;
    v.at_top = statement != kNoNode && is(statement, "local_variable_declaration") &&
               tree_[statement].parent == block_;
  }
  void find_variables() {
    for (auto i = method_ + 1; i < tree_[method_].after; ++i) {
      const auto& n = tree_[i];
      const auto name = tree_.child(i, "name");
      if (n.type == "variable_declarator" && is(tree_[i].parent, "local_variable_declaration")) {
        const auto dimensions = tree_.child(i, "dimensions");
        declare(name, tree_.child(n.parent, "type"), dimensions == kNoNode ? "" : slice(dimensions),
                tree_.child(i, "value") != kNoNode);
      } else if (n.type == "formal_parameter" || n.type == "enhanced_for_statement" ||
                 n.type == "resource") {
        const auto dimensions = tree_.child(i, "dimensions");
        if (name != kNoNode) {
          declare(name, tree_.child(i, "type"), dimensions == kNoNode ? "" : slice(dimensions),
                  true);
        }
      } else if (n.type == "spread_parameter") {
        std::uint32_t type = kNoNode;
        for (const auto c : tree_.children(i)) {
          if (is(c, "variable_declarator")) declare(tree_.child(c, "name"), type, "[]", true);
          if (tree_[c].named && type == kNoNode && !is(c, "modifiers")) type = c;
        }
      } else if ((n.type == "catch_formal_parameter" || n.type == "instanceof_expression" ||
                  n.type == "inferred_parameters" || n.type == "lambda_expression" ||
                  n.type == "type_pattern" || n.type == "record_pattern_component")) {
        for (const auto c : tree_.children(i)) {
          const bool names =
              is(c, "identifier") && (tree_[c].field != "left" && tree_[c].field != "body");
          if (names) declare(c, kNoNode, "", true);
        }
      }
    }
  }

  // Another kind of name: a member, a method, a label.
  [[nodiscard]] bool is_variable(std::uint32_t i) const {
    const auto parent = tree_[i].parent;
    const auto field = tree_[i].field;
    if (is(parent, "field_access")) return field != "field";
    if (is(parent, "method_invocation")) return field != "name";
    return !is(parent, "method_reference") || tree_.children(parent).front() == i;
  }
  [[nodiscard]] bool is_set(std::uint32_t i) const {
    const auto parent = tree_[i].parent;
    return (is(parent, "assignment_expression") && tree_[i].field == "left") ||
           is(parent, "update_expression");
  }

  Result<void> collect() {
    VariableUses uses;
    for (auto i = method_ + 1; i < tree_[method_].after; ++i) {
      if (!is(i, "identifier") || !variables_.contains(slice(i)) || !is_variable(i)) continue;
      uses.note(slice(i), tree_[i].span, span_, is_set(i));
    }
    for (const auto name : uses.order) {
      const auto& v = variables_[name];
      auto use = uses.of[name];
      if (!use.inside) continue;
      const auto words = std::string(name);
      if (v.declared > 1 && v.inside < v.declared) return no(words + " is declared more than once");
      if (v.inside > 0) {
        if (!use.after) continue;
        if (!v.at_top || !v.has_value || v.declared > 1) {
          return no(words +
                    " is used afterwards, and may have no value at the end of the selection");
        }
        if (v.type.empty()) return no("the type of " + words + " is not written");
        AMBIT_CHECK_OK(handover_.give_back(words, v.type, true));
        continue;
      }
      if (v.type.empty()) return no("the type of " + words + " is not written");
      if (!v.has_value) return no(words + " may have no value before the selection");
      // In a loop what stands before may run after.
      use.after = use.after || in_loop_;
      handover_.pass(v.type + " " + words, words);
      if (use.set && use.after) AMBIT_CHECK_OK(handover_.give_back(words, v.type, false));
    }
    return {};
  }

  Result<Extraction> write() const {
    AMBIT_TRY(indent, Statements::indent());
    const auto outer = indent_before(text_, tree_[method_].span.begin);
    const auto body = tree_.child(method_, "body");
    const auto inner = indent_before(text_, tree_[tree_.children(body)[1]].span.begin);
    if (!outer || !inner) return no("the method must begin with its line");
    Extraction out;
    out.name = unused_name(text_, "extracted");
    const auto end = std::string(line_end_of(text_));
    std::string throws;
    for (const auto& t : thrown_) throws += (throws.empty() ? " throws " : ", ") + t;
    auto code = indented_lines(text_, span_, indent, *inner);
    const auto& [parameters, arguments, returned, type, declares] = handover_;
    if (!returned.empty()) code += *inner + "return " + returned + ";" + end;
    const auto place = tree_[method_].span.end;
    out.edits.push_back({{place, place},
                         end + end + *outer + "private " + (static_ ? "static " : "") +
                             (returned.empty() ? "void" : type) + " " + out.name + "(" +
                             parameters + ")" + throws + " {" + end + code + *outer + "}",
                         0});
    auto call = out.name + "(" + arguments + ");";
    if (!returned.empty()) call = (declares ? type + " " : "") + returned + " = " + call;
    out.edits.push_back({span_, call, 0});
    return out;
  }

  std::uint32_t method_ = kNoNode;
  bool static_ = false, in_loop_ = false;
  std::map<std::string_view, Variable> variables_;
  std::set<std::string> thrown_;
  Handover handover_;
};

}  // namespace

Result<Extraction> extract_java_method(std::string_view text, ByteSpan selection) {
  AMBIT_TRY(tree, SyntaxTree::parse(Language::kJava, text));
  AMBIT_TRY(statements, Statements::find(tree, text, selection, {"block", "constructor_body"}));
  return JavaExtractor(std::move(statements)).run();
}

}  // namespace ambit::daemon
