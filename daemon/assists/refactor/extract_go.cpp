// Extract to a function in Go, where the types of the variables that go in are written down. They
// go by value, so what the statements do to them must not be missed afterwards, and a value whose
// copy is another thing (a struct, an array, a mutex) must not be touched at all.
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

class GoExtractor : Statements {
 public:
  explicit GoExtractor(Statements statements) : Statements(std::move(statements)) {}

  Result<Extraction> run() {
    AMBIT_CHECK_OK(find_function());
    AMBIT_CHECK_OK(check());
    AMBIT_CHECK_OK(collect());
    return write();
  }

 private:
  struct Variable {
    std::size_t declared = 0, inside = 0;  // how often, and how often in the selection
    std::uint32_t site = kNoNode, type = kNoNode;
    bool variadic = false, parameter = false;
  };

  Result<void> find_function() {
    for (auto at = block_; at != kNoNode; at = tree_[at].parent) {
      if (is(at, "func_literal")) return no("the selection is inside of a function literal");
      if (is(at, "for_statement")) in_loop_ = true;
      if (is(at, "function_declaration") || is(at, "method_declaration")) {
        function_ = at;
        break;
      }
    }
    if (function_ == kNoNode) return no("the selection is in no function");
    if (tree_.child(function_, "type_parameters") != kNoNode) return no("the function is generic");
    const auto receiver = tree_.child(function_, "receiver");
    if (receiver != kNoNode && slice(receiver).find('[') != std::string_view::npos) {
      return no("the function is generic");
    }
    for (auto i = function_; i < tree_[function_].after; ++i) {
      if (is(i, "type_declaration")) return no("the function declares types of its own");
      if (is(i, "labeled_statement")) return no("the function has labels");
    }
    return {};
  }

  // Jumps, and words that mean something else in another function.
  Result<void> check() const {
    static const Names kNever{"return_statement", "goto_statement",        "labeled_statement",
                              "defer_statement",  "fallthrough_statement", "func_literal"};
    AMBIT_CHECK_OK(check_nodes(kNever, {"raw_string_literal", "comment"}));
    for (auto i = first_; i < tree_[last_].after; ++i) {
      if (is(i, "break_statement")
              ? !within(i, {"for_statement", "select_statement", "expression_switch_statement",
                            "type_switch_statement"})
              : is(i, "continue_statement") && !within(i, {"for_statement"})) {
        return no("the selection jumps out of itself");
      }
      if (is(i, "identifier") && slice(i) == "recover") {
        return no("recover means something else in another function");
      }
    }
    // A function with results may have to end in such a statement.
    static const Names kPlain{"assignment_statement", "short_var_declaration", "var_declaration",
                              "inc_statement",        "dec_statement",         "send_statement",
                              "go_statement"};
    const bool panics = slice(last_).starts_with("panic(");
    if (is_last_ && tree_.child(function_, "result") != kNoNode &&
        (panics || (!kPlain.contains(tree_[last_].type) && !is(last_, "expression_statement")))) {
      return no("the function may end with the selection, and has a result");
    }
    return {};
  }

  // Every variable of the function, by name.
  void declare(std::uint32_t name, std::uint32_t type, bool variadic, bool parameter) {
    auto& v = variables_[slice(name)];
    ++v.declared;
    v.inside += selected(tree_[name].span) ? 1 : 0;
    v.site = name;
    v.type = type;
    v.variadic = variadic;
    v.parameter = parameter;
  }
  void find_variables() {
    for (auto i = function_ + 1; i < tree_[function_].after; ++i) {
      const auto& type = tree_[i].type;
      const bool parameter =
          type == "parameter_declaration" || type == "variadic_parameter_declaration";
      if (parameter || type == "var_spec" || type == "const_spec") {
        const auto written = tree_.child(i, "type");
        for (const auto c : tree_.children(i)) {
          if (tree_[c].field == "name" && is(c, "identifier")) {
            declare(c, type == "const_spec" ? kNoNode : written, type.starts_with("variadic"),
                    parameter);
          }
        }
      } else if (type == "short_var_declaration" || type == "range_clause" ||
                 type == "receive_statement") {
        const auto left = tree_.child(i, "left");
        if (left == kNoNode) continue;
        for (auto c = left; c < tree_[left].after; ++c) {
          if (is(c, "identifier")) declare(c, kNoNode, false, false);
        }
      } else if (type == "type_switch_statement") {
        const auto alias = tree_.child(i, "alias");
        if (alias == kNoNode) continue;
        for (auto c = alias; c < tree_[alias].after; ++c) {
          if (is(c, "identifier")) declare(c, kNoNode, false, false);
        }
      }
    }
  }

  // What is done to a variable at a place.
  enum class Touch { kRead, kSet, kReach, kAddress };
  [[nodiscard]] Touch touch_of(std::uint32_t i) const {
    auto child = i;
    bool reach = false;
    for (auto at = tree_[i].parent; at != kNoNode; child = at, at = tree_[at].parent) {
      const auto& n = tree_[at];
      const auto field = tree_[child].field;
      if (n.type == "parenthesized_expression" || n.type == "expression_list") {
        continue;
      }
      if ((n.type == "selector_expression" || n.type == "index_expression" ||
           n.type == "slice_expression") &&
          field == "operand") {
        reach = true;
        continue;
      }
      const auto done = reach ? Touch::kReach : Touch::kSet;
      if ((n.type == "assignment_statement" || n.type == "range_clause" ||
           n.type == "receive_statement") &&
          field == "left") {
        return done;
      }
      if (n.type == "inc_statement" || n.type == "dec_statement") return done;
      if (n.type == "unary_expression" && slice(at).starts_with('&')) {
        return reach ? Touch::kReach : Touch::kAddress;
      }
      if (n.type == "call_expression" && field == "function" && reach) return Touch::kReach;
      // x[:] of an array is the array itself.
      return is(child, "slice_expression") ? Touch::kReach : Touch::kRead;
    }
    return Touch::kRead;
  }

  // A copy of it is as good as itself.
  [[nodiscard]] static bool is_handle(std::string_view type) {
    static const Names kPlain{"string",  "bool",      "byte",      "rune",   "error",   "any",
                              "int",     "int8",      "int16",     "int32",  "int64",   "uint",
                              "uint8",   "uint16",    "uint32",    "uint64", "uintptr", "float32",
                              "float64", "complex64", "complex128"};
    return type.starts_with('*') || type.starts_with("[]") || type.starts_with("map[") ||
           type.starts_with("chan ") || type.starts_with("<-chan") || type.starts_with("func(") ||
           type.starts_with("interface") || kPlain.contains(type);
  }

  Result<void> collect() {
    find_variables();
    std::map<std::string_view, std::vector<std::uint32_t>> uses;
    std::vector<std::string_view> order;
    for (auto i = function_ + 1; i < tree_[function_].after; ++i) {
      if (!is(i, "identifier") || !variables_.contains(slice(i))) continue;
      auto& list = uses[slice(i)];
      if (list.empty()) order.push_back(slice(i));
      list.push_back(i);
    }
    for (const auto name : order) {
      const auto& v = variables_[name];
      bool inside = false, after = false;
      for (const auto i : uses[name]) {
        inside = inside || selected(tree_[i].span);
        after = after || tree_[i].span.begin >= span_.end;
      }
      if (!inside || name == "_") continue;
      const auto words = std::string(name);
      if (v.inside < v.declared && v.declared > 1) {
        return no(words + " is declared more than once");
      }
      if (v.inside > 0) {
        if (after) return no(words + " is used afterwards");
        continue;
      }
      AMBIT_CHECK_OK(pass(words, v, uses[name], after || in_loop_));
    }
    return {};
  }

  Result<void> pass(const std::string& name, const Variable& v,
                    const std::vector<std::uint32_t>& uses, bool after) {
    if (v.type == kNoNode) return no("the type of " + name + " is not written");
    const auto type = (v.variadic ? "[]" : "") + std::string(slice(v.type));
    if (type.find('\n') != std::string::npos) return no("the type of " + name + " is a long one");
    const bool result =
        tree_[v.site].span.begin > tree_[tree_.child(function_, "parameters")].span.end &&
        v.parameter;
    for (const auto i : uses) {
      for (auto at = tree_[i].parent; at != function_; at = tree_[at].parent) {
        if (is(at, "func_literal")) return no(name + " is known to a function literal");
      }
      if (!selected(tree_[i].span)) continue;
      switch (touch_of(i)) {
        case Touch::kRead:
          break;
        case Touch::kAddress:
          return no("the selection takes the address of " + name);
        case Touch::kSet:
          if (after || result) return no(name + " is changed, and used afterwards");
          break;
        case Touch::kReach:
          if (!is_handle(type))
            return no(name + " may be a value, which would be another one there");
          break;
      }
    }
    if (!is_handle(type) && !v.parameter)
      return no(name + " may be a value that must not be copied");
    handover_.pass(name + " " + type, name);
    return {};
  }

  Result<Extraction> write() const {
    AMBIT_TRY(indent, Statements::indent());
    Extraction out;
    out.name = unused_name(text_, "extracted");
    const auto end = std::string(line_end_of(text_));
    const auto place = tree_[function_].span.end;
    out.edits.push_back({{place, place},
                         end + end + "func " + out.name + "(" + handover_.parameters + ") {" + end +
                             indented_lines(text_, span_, indent, "\t") + "}",
                         0});
    out.edits.push_back({span_, out.name + "(" + handover_.arguments + ")", 0});
    return out;
  }

  std::uint32_t function_ = kNoNode;
  bool in_loop_ = false;
  std::map<std::string_view, Variable> variables_;
  Handover handover_;
};

}  // namespace

Result<Extraction> extract_go_function(std::string_view text, ByteSpan selection) {
  AMBIT_TRY(tree, SyntaxTree::parse(Language::kGo, text));
  AMBIT_TRY(statements, Statements::find(tree, text, selection, {"block", "statement_list"}));
  return GoExtractor(std::move(statements)).run();
}

}  // namespace ambit::daemon
