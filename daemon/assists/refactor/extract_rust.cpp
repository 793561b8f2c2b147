// Extract to a function in Rust, where the types of the variables that go in are written down and
// are numbers or references: what else goes in would be moved, and the compiler alone knows whether
// it may. One value may come back. Nothing that is dropped at the end of its block may be dropped
// earlier by it.
#include <algorithm>
#include <map>
#include <set>

#include "daemon/assists/refactor/extract.h"
#include "daemon/assists/refactor/handover.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/statements.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Language;
using indexer::SyntaxTree;

namespace {

using Names = std::set<std::string_view>;

bool is_number(std::string_view type) {
  static const Names kAll{"u8",  "u16", "u32",  "u64",   "u128", "usize", "i8",   "i16",
                          "i32", "i64", "i128", "isize", "f32",  "f64",   "bool", "char"};
  return kAll.contains(type);
}

class RustExtractor : Statements {
 public:
  explicit RustExtractor(Statements statements) : Statements(std::move(statements)) {}

  Result<Extraction> run() {
    AMBIT_CHECK_OK(find_function());
    AMBIT_CHECK_OK(check());
    find_variables();
    AMBIT_CHECK_OK(collect());
    return write();
  }

 private:
  struct Variable {
    int declared = 0, inside = 0;  // how often, and how often in the selection
    std::string type;              // "" where it is not written
    bool at_top = false, has_value = false;
  };

  Result<void> find_function() {
    for (auto at = block_; at != kNoNode; at = tree_[at].parent) {
      const auto& type = tree_[at].type;
      if (function_ == kNoNode) {
        if (type == "closure_expression") return no("the selection is inside of a closure");
        if (type == "unsafe_block" || type == "async_block" || type == "const_block" ||
            type == "try_block") {
          return no("the selection is inside of " + with_article(type));
        }
        if (type == "for_expression" || type == "while_expression" || type == "loop_expression")
          in_loop_ = true;
        if (type == "function_item") function_ = at;
      } else if (type == "block") {
        return no("the function stands in another one");
      }
      if (const auto generic = tree_.child(at, "type_parameters"); generic != kNoNode) {
        for (auto i = generic; i < tree_[generic].after; ++i) {
          if (is(i, "type_identifier") || is(i, "identifier") || is(i, "lifetime"))
            generic_.insert(slice(i));
        }
      }
      const auto parent = tree_[at].parent;
      const bool item = parent != kNoNode &&
                        (is(parent, "source_file") ||
                         (is(parent, "declaration_list") && is(tree_[parent].parent, "mod_item")));
      if (function_ != kNoNode && item && item_ == kNoNode) item_ = at;
      if (type == "macro_definition" || type == "macro_invocation")
        return no("the function is made by a macro");
    }
    if (function_ == kNoNode || item_ == kNoNode) return no("the selection is in no function");
    for (const auto c : tree_.children(function_)) {
      if (is(c, "function_modifiers") && slice(c) != "async")
        return no("the function is " + std::string(slice(c)));
    }
    for (auto i = function_ + 1; i < tree_[function_].after; ++i) {
      const auto& type = tree_[i].type;
      if (type == "use_declaration" || type == "macro_definition" ||
          (type.ends_with("_item") && type != "attribute_item")) {
        return no("the function declares names of its own");
      }
    }
    return {};
  }

  Result<void> check() const {
    static const Names kNever{"return_expression", "try_expression", "await_expression",
                              "yield_expression",  "self",           "attribute_item",
                              "unsafe_block"};
    AMBIT_CHECK_OK(check_nodes(kNever, {"string_literal", "raw_string_literal", "block_comment"}));
    static const Names kKnown{"print",           "println",         "eprint",    "eprintln",
                              "format",          "write",           "writeln",   "vec",
                              "assert",          "assert_eq",       "assert_ne", "debug_assert",
                              "debug_assert_eq", "debug_assert_ne", "matches"};
    for (auto i = first_; i < tree_[last_].after; ++i) {
      const auto words = slice(i);
      const bool jump = is(i, "break_expression") || is(i, "continue_expression");
      if (jump && !within(i, {"for_expression", "while_expression", "loop_expression"})) {
        return no("the selection jumps out of itself");
      }
      if (is(i, "label") || is(i, "loop_label")) return no("the selection has labels");
      if (words == "self" || words == "Self")
        return no(std::string(words) + " means something else in another function");
      if ((is(i, "type_identifier") || is(i, "identifier") || is(i, "lifetime")) &&
          generic_.contains(words)) {
        return no(std::string(words) + " is a parameter of a type");
      }
      if (!is(i, "macro_invocation")) continue;
      const auto name = slice(tree_.child(i, "macro"));
      if (!kKnown.contains(name))
        return no("what the macro " + std::string(name) + " does is not known");
    }
    const auto words = slice(last_);
    const bool whole =
        is(last_, "let_declaration") || (is(last_, "expression_statement") && words.ends_with(';'));
    if (!whole && is_last_) return no("the value of the selection is the value of its block");
    if (!whole && !is(last_, "expression_statement")) return no("select whole statements");
    if (is_last_ && tree_.child(function_, "return_type") != kNoNode &&
        !is(last_, "let_declaration") && words.find("loop") == 0) {
      return no("the function may end with the selection");
    }
    for (const auto c : tree_.children(block_)) {
      if (c >= first_ && c <= last_ && is(c, "let_declaration") && !is_last_)
        AMBIT_CHECK_OK(check_dropped(c));
    }
    return {};
  }
  // What it holds does nothing when it is dropped.
  Result<void> check_dropped(std::uint32_t let) const {
    const auto type = tree_.child(let, "type"), value = tree_.child(let, "value");
    if (tree_.child(let, "alternative") != kNoNode) return no("let … else may leave the function");
    static const Names kPlain{"integer_literal",  "float_literal",   "string_literal",
                              "char_literal",     "boolean_literal", "reference_expression",
                              "binary_expression"};
    const bool plain =
        (type != kNoNode && (is_number(slice(type)) || slice(type).starts_with('&'))) ||
        (value != kNoNode &&
         (kPlain.contains(tree_[value].type) || slice(value).ends_with(".len()") ||
          slice(value).starts_with("format!")));
    const auto name = tree_.child(let, "pattern");
    if (plain || (is(name, "identifier") && used_after(slice(name)))) return {};
    return no("what " + std::string(slice(name)) + " holds would be dropped earlier");
  }
  [[nodiscard]] bool used_after(std::string_view name) const {
    for (auto i = tree_[last_].after; i < tree_[function_].after; ++i) {
      if (is(i, "identifier") && slice(i) == name) return true;
    }
    return false;
  }

  void declare(std::uint32_t name, std::uint32_t type, std::uint32_t let) {
    auto& v = variables_[slice(name)];
    ++v.declared;
    if (selected(tree_[name].span)) ++v.inside;
    v.type = type == kNoNode ? "" : std::string(slice(type));
    v.has_value = let == kNoNode || tree_.child(let, "value") != kNoNode;
    v.at_top = let != kNoNode && tree_[let].parent == block_;
  }
  void find_variables() {
    for (auto i = function_ + 1; i < tree_[function_].after; ++i) {
      const auto& type = tree_[i].type;
      if (type == "closure_parameters" || type == "match_pattern") {
        declare_all(i);
        continue;
      }
      const bool let = type == "let_declaration";
      if (!let && type != "parameter" && type != "for_expression" && type != "let_condition")
        continue;
      const auto pattern = tree_.child(i, "pattern");
      if (pattern == kNoNode) continue;
      if (is(pattern, "identifier")) {
        declare(pattern, tree_.child(i, "type"), let ? i : kNoNode);
      } else {
        declare_all(pattern);
      }
    }
  }
  // Names in a pattern; those that begin with a capital letter are constants.
  void declare_all(std::uint32_t pattern) {
    for (auto i = pattern; i < tree_[pattern].after; ++i) {
      const bool name = is(i, "identifier") || is(i, "shorthand_field_identifier");
      if (name && !(slice(i)[0] >= 'A' && slice(i)[0] <= 'Z')) declare(i, kNoNode, kNoNode);
    }
  }

  void note(std::string_view name, ByteSpan at, bool set) {
    if (variables_.contains(name)) uses_.note(name, at, span_, set);
  }
  void find_uses() {
    for (auto i = function_ + 1; i < tree_[function_].after; ++i) {
      const auto& n = tree_[i];
      if (n.type == "identifier" || n.type == "shorthand_field_identifier") {
        const bool member =
            n.span.begin > 0 && text_[n.span.begin - 1] == '.' && is(n.parent, "token_tree");
        const bool target = n.field == "left" && (is(n.parent, "assignment_expression") ||
                                                  is(n.parent, "compound_assignment_expr"));
        const bool borrowed =
            is(n.parent, "reference_expression") && slice(n.parent).starts_with("&mut");
        if (!member) note(slice(i), n.span, target || borrowed);
      } else if (n.type == "string_literal") {  // "{name}", where a macro reads it
        const auto words = slice(i);
        for (auto at = words.find('{'); at != std::string_view::npos;
             at = words.find('{', at + 1)) {
          auto end = at + 1;
          while (end < words.size() && word_byte(words[end])) ++end;
          note(words.substr(at + 1, end - at - 1), n.span, false);
        }
      }
    }
  }

  Result<void> collect() {
    find_uses();
    for (const auto name : uses_.order) {
      const auto& v = variables_[name];
      auto use = uses_.of[name];
      if (!use.inside) continue;
      const auto words = std::string(name);
      if (v.declared > 1 && v.inside < v.declared) return no(words + " is declared more than once");
      if (v.inside > 0) {
        if (!use.after) continue;
        if (!v.at_top || !v.has_value || v.declared > 1)
          return no(words + " is used afterwards, and belongs to a part of the selection");
        if (v.type.empty()) return no("the type of " + words + " is not written");
        if (v.type.find('&') != std::string::npos || v.type.find('\'') != std::string::npos ||
            v.type.find("impl ") != std::string::npos) {
          return no(words + " is used afterwards, and may borrow from the selection");
        }
        AMBIT_CHECK_OK(check_type(words, v.type));
        AMBIT_CHECK_OK(handover_.give_back(words, v.type, true));
        continue;
      }
      if (v.type.empty()) return no("the type of " + words + " is not written");
      if (!v.has_value) return no(words + " may have no value before the selection");
      auto type = v.type;
      if (type.starts_with("&'"))
        type = "&" + type.substr(std::min(type.find(' '), type.size() - 1) + 1);
      AMBIT_CHECK_OK(check_type(words, type));
      if (!is_number(type) && !type.starts_with('&'))
        return no(words + " would be moved into the new function");
      if (type.starts_with('&') && use.set) return no(words + " is set to another reference");
      use.after = use.after || in_loop_;
      handover_.pass((use.set ? "mut " : "") + words + ": " + type, words);
      if (use.set && use.after) AMBIT_CHECK_OK(handover_.give_back(words, type, false));
    }
    return {};
  }
  Result<void> check_type(const std::string& name, std::string_view type) const {
    if (type.find("impl ") != std::string_view::npos || type.find('\'') != std::string_view::npos ||
        has_word(type, "Self") || type == "_" || type.find("<_") != std::string_view::npos) {
      return no("the type of " + name + " cannot be written elsewhere: " + std::string(type));
    }
    for (const auto g : generic_) {
      if (has_word(type, g))
        return no("the type of " + name + " has the parameter " + std::string(g));
    }
    return {};
  }

  Result<Extraction> write() const {
    AMBIT_TRY(indent, Statements::indent());
    const auto outer = indent_before(text_, tree_[item_].span.begin);
    if (!outer) return no("the function must begin with its line");
    Extraction out;
    out.name = unused_name(text_, "extracted");
    const auto end = std::string(line_end_of(text_));
    const auto inner = *outer + (indent.starts_with('\t') ? "\t" : "    ");
    auto code = indented_lines(text_, span_, indent, inner);
    const auto& [parameters, arguments, returned, type, declares] = handover_;
    if (!returned.empty()) code += inner + returned + end;
    const auto place = tree_[item_].span.end;
    const auto result = returned.empty() ? "" : " -> " + type;
    out.edits.push_back({{place, place},
                         end + end + *outer + "fn " + out.name + "(" + parameters + ")" + result +
                             " {" + end + code + *outer + "}",
                         0});
    auto call = out.name + "(" + arguments + ");";
    if (declares) {
      call =
          std::string(is_mutable() ? "let mut " : "let ") + returned + ": " + type + " = " + call;
    } else if (!returned.empty()) {
      call = returned + " = " + call;
    }
    out.edits.push_back({span_, call, 0});
    return out;
  }
  [[nodiscard]] bool is_mutable() const {
    for (const auto c : tree_.children(block_)) {
      if (c < first_ || c > last_ || !is(c, "let_declaration") ||
          slice(tree_.child(c, "pattern")) != handover_.returned)
        continue;
      const auto all = tree_.children(c);
      return std::any_of(all.begin(), all.end(),
                         [&](std::uint32_t k) { return is(k, "mutable_specifier"); });
    }
    return false;
  }

  std::uint32_t function_ = kNoNode, item_ = kNoNode;  // the item of the module that holds it
  bool in_loop_ = false;
  Names generic_;
  std::map<std::string_view, Variable> variables_;
  VariableUses uses_;
  Handover handover_;
};

}  // namespace

Result<Extraction> extract_rust_function(std::string_view text, ByteSpan selection) {
  AMBIT_TRY(tree, SyntaxTree::parse(Language::kRust, text));
  AMBIT_TRY(statements, Statements::find(tree, text, selection, {"block"}));
  return RustExtractor(std::move(statements)).run();
}

}  // namespace ambit::daemon
