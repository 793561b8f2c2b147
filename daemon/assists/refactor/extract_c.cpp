// Extract to a function in C and C++, where the types of all variables that the statements share
// with the rest are written down. In C++ what could be changed goes by reference, so that every use
// means what it meant; in C values go in, and at most one comes back.
#include <algorithm>
#include <array>
#include <set>

#include "daemon/assists/refactor/c_variables.h"
#include "daemon/assists/refactor/extract.h"
#include "daemon/assists/refactor/handover.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/statements.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Language;
using indexer::Local;
using indexer::SyntaxTree;

namespace {

class CExtractor : Statements {
 public:
  CExtractor(Statements statements, bool cpp, const indexer::Facts& facts)
      : Statements(std::move(statements)),
        cpp_(cpp),
        facts_(facts),
        variables_(tree_, text_, facts, cpp) {}

  Result<Extraction> run() {
    AMBIT_CHECK_OK(find_function());
    AMBIT_CHECK_OK(check());
    AMBIT_CHECK_OK(collect());
    return write();
  }

 private:
  Result<void> find_function() {
    for (auto at = block_; at != kNoNode; at = tree_[at].parent) {
      if (is(at, "lambda_expression")) return no("the selection is inside of a lambda");
      if (!is(at, "function_definition")) continue;
      function_ = at;
      break;
    }
    if (function_ == kNoNode) return no("the selection is in no function");
    for (auto at = tree_[function_].parent; at != kNoNode; at = tree_[at].parent) {
      const auto& type = tree_[at].type;
      if (type == "template_declaration") return no("the function is a template");
      if (type == "field_declaration_list") return no("the function is a member");
      if (type.starts_with("preproc_") && at != kNoNode && tree_[at].parent != 0) {
        return no("the function stands inside of an #if");
      }
    }
    if (across_branches()) return no("the function stands across an #if");
    for (auto i = function_ + 1; i < block_; ++i) {
      if (is(i, "qualified_identifier") && is(tree_[i].parent, "function_declarator")) {
        return no("the function is a member");
      }
    }
    for (auto i = function_; i < tree_[function_].after; ++i) {
      const auto& n = tree_[i];
      const bool body = (n.type == "struct_specifier" || n.type == "class_specifier" ||
                         n.type == "union_specifier" || n.type == "enum_specifier") &&
                        tree_.child(i, "body") != kNoNode;
      if (body || n.type == "type_definition" || n.type == "using_declaration" ||
          n.type == "alias_declaration" || n.type == "namespace_alias_definition") {
        return no("the function declares names of its own: " +
                  std::string(slice(i).substr(0, slice(i).find('\n'))));
      }
    }
    return {};
  }

  // #else or #endif of a branch that begins outside of the function, or one that ends there.
  [[nodiscard]] bool across_branches() const {
    const auto& span = tree_[function_].span;
    const auto code = text_.substr(0, span.end);
    int depth = 0;
    for (auto at = code.find('#', span.begin); at != std::string_view::npos;
         at = code.find('#', at + 1)) {
      if (!indent_before(code, at)) continue;
      const auto word = code.find_first_not_of(" \t", at + 1);
      if (word == std::string_view::npos) break;
      const auto rest = code.substr(word);
      if (rest.starts_with("if")) {
        ++depth;
      } else if (rest.starts_with("endif")) {
        if (--depth < 0) return true;
      } else if (rest.starts_with("el") && depth == 0) {
        return true;
      }
    }
    return depth != 0;
  }

  // Jumps, and words that mean something else in another function.
  Result<void> check() const {
    static const std::set<std::string_view> kNever{
        "return_statement",         "goto_statement",     "labeled_statement",   "case_statement",
        "co_await_expression",      "co_yield_statement", "co_return_statement", "this",
        "static_assert_declaration"};
    AMBIT_CHECK_OK(check_nodes(kNever, {"string_literal", "raw_string_literal", "comment"}));
    for (auto i = first_; i < tree_[last_].after; ++i) {
      const auto& n = tree_[i];
      if (n.type.starts_with("preproc_"))
        return no("the selection holds a line that begins with #");
      if (n.type == "break_statement" || n.type == "continue_statement") {
        const bool inside =
            within(i, {"for_statement", "while_statement", "do_statement", "for_range_loop"}) ||
            (n.type == "break_statement" && within(i, {"switch_statement"}));
        if (!inside) return no("the selection jumps out of itself");
      }
      if (n.type == "function_declarator") {
        return no("the selection declares a function, or a variable that looks like one");
      }
      if (n.type == "storage_class_specifier")
        return no("the selection declares a static variable");
      const auto words = slice(i);
      if (n.type == "identifier" && (words == "__func__" || words == "alloca" ||
                                     words.starts_with("va_") || words == "setjmp")) {
        return no(std::string(words) + " means something else in another function");
      }
      // TRY(x); what it expands to may return.
      if (n.type == "call_expression" && is(tree_[i].parent, "expression_statement")) {
        const auto callee = tree_.child(i, "function");
        const auto name = callee == kNoNode ? std::string_view() : slice(callee);
        if (!name.empty() &&
            std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
          return no(std::string(name) + " looks like a macro, which could return");
        }
      }
    }
    return {};
  }

  // for_each(list, NAME) { … }: a macro declares a variable in front of a block.
  [[nodiscard]] bool declared_by_macro(std::string_view name) const {
    static constexpr std::array<std::string_view, 5> kControl{"if", "for", "while", "switch",
                                                              "catch"};
    const auto begin = tree_[tree_.child(function_, "body")].span.begin;
    const auto code = text_.substr(begin, span_.begin - begin);
    for (auto open = code.find('('); open != std::string_view::npos;
         open = code.find('(', open + 1)) {
      auto word = open;
      while (word > 0 && word_byte(code[word - 1])) --word;
      const auto callee = code.substr(word, open - word);
      const auto close = code.find_first_of("();{}", open + 1);
      if (callee.empty() || close == std::string_view::npos || code[close] != ')' ||
          std::find(kControl.begin(), kControl.end(), callee) != kControl.end()) {
        continue;
      }
      const auto next = code.find_first_not_of(" \t\r\n", close + 1);
      if (next != std::string_view::npos && code[next] == '{' &&
          has_word(code.substr(open, close - open), name)) {
        return true;
      }
    }
    return false;
  }
  // Names that are no variables which can be seen.
  Result<void> check_other(std::uint32_t i) const {
    const auto name = slice(i);
    if (selected(tree_[i].span) && declared_by_macro(name)) {
      return no("it cannot be seen where " + std::string(name) + " is declared");
    }
    const auto macro = variables_.macro_of(name);
    if (macro.empty()) return {};
    for (const auto& l : facts_.locals) {
      const auto local = text_.substr(l.name.begin, l.name.size());
      if (tree_[function_].span.begin <= l.name.begin && l.name.end <= tree_[function_].span.end &&
          has_word(macro, local)) {
        return no(std::string(name) + " is a macro that may mean the variable " +
                  std::string(local));
      }
    }
    return {};
  }

  Result<void> collect() {
    struct Use {
      bool inside = false, after = false, changed = false, sized = false;
    };
    std::vector<std::pair<const Local*, Use>> uses;
    // In a loop what stands before may run after.
    std::uint32_t loop = kNoNode;
    for (auto at = block_; at != function_; at = tree_[at].parent) {
      if (is_c_loop(tree_[at].type)) loop = at;
    }
    for (auto i = function_ + 1; i < tree_[function_].after; ++i) {
      if (!is(i, "identifier")) continue;
      const auto* local = variables_.local_of(i);
      if (local == nullptr) AMBIT_CHECK_OK(check_other(i));
      if (local == nullptr || local->name == tree_[i].span) continue;
      auto it =
          std::find_if(uses.begin(), uses.end(), [&](const auto& u) { return u.first == local; });
      if (it == uses.end()) it = uses.insert(uses.end(), {local, Use{}});
      auto& use = it->second;
      if (selected(tree_[i].span)) {
        use.inside = true;
        use.changed = use.changed || variables_.changes(i);
        for (auto at = tree_[i].parent; at != kNoNode && at >= first_; at = tree_[at].parent) {
          use.sized = use.sized || is(at, "sizeof_expression");
        }
        if (!cpp_ && is(tree_[i].parent, "pointer_expression") &&
            slice(tree_[i].parent).starts_with('&')) {
          return no("the selection takes the address of " + std::string(slice(i)));
        }
      } else {
        const bool around = loop != kNoNode && tree_[loop].span.begin <= tree_[i].span.begin &&
                            tree_[i].span.end <= tree_[loop].span.end;
        use.after = use.after || tree_[i].span.begin >= span_.end || around;
      }
    }
    // A variable that is changed in a loop comes round again even if nothing else uses it there.
    for (auto& [local, use] : uses) {
      if (loop != kNoNode && use.inside && local->name.begin < tree_[loop].span.begin)
        use.after = true;
    }
    for (const auto& [local, use] : uses) {
      const auto name = std::string(text_.substr(local->name.begin, local->name.size()));
      const bool own = selected(local->name);
      if (own ? !use.after : !use.inside) continue;
      AMBIT_TRY(type, variables_.type_of(*local));
      if (own) {
        if (type.reference || type.array) {
          return no(name + " is used afterwards, and is " +
                    (type.array ? "an array" : "a reference"));
        }
        AMBIT_CHECK_OK(give_back(name, type, true));
        continue;
      }
      if (type.array && (cpp_ || use.sized)) return no(name + " is an array");
      if (type.array) type.stars += '*';
      const bool by_reference = cpp_ && (!type.plain || use.changed);
      // "T x", "T *x", "T& x"
      const auto between = by_reference ? "& " : type.stars.empty() ? " " : "";
      handover_.pass(type.base + (type.stars.empty() ? "" : " ") + type.stars + between + name,
                     name);
      if (!cpp_ && use.changed && use.after && !type.array) {
        AMBIT_CHECK_OK(give_back(name, type, false));
      }
    }
    return {};
  }

  Result<void> give_back(const std::string& name, const CType& type, bool declares) {
    auto base = type.base;
    if (base.starts_with("const ") && type.stars.empty()) base.erase(0, 6);
    declared_type_ = type.base + ' ' + type.stars;
    return handover_.give_back(name, base + ' ' + type.stars, declares);
  }

  Result<Extraction> write() const {
    AMBIT_TRY(indent, Statements::indent());
    const auto outer = indent_before(text_, tree_[function_].span.begin);
    if (!outer) return no("the function must begin with its line");
    Extraction out;
    out.name = unused_name(text_, "extracted");
    const auto end = std::string(line_end_of(text_));
    const auto body = tree_.child(function_, "body");
    const auto inner = indent_before(text_, tree_[tree_.children(body)[1]].span.begin);
    const auto body_indent = inner ? *inner : *outer + "  ";
    auto code = indented_lines(text_, span_, indent, body_indent);
    const auto& [parameters, arguments, returned, returned_type, declares] = handover_;
    if (!returned.empty()) code += body_indent + "return " + returned + ";" + end;
    const bool own_line = indent_before(text_, tree_[body].span.begin).has_value();
    const auto head = *outer + "static " + (returned.empty() ? "void " : returned_type) + out.name +
                      "(" + (parameters.empty() && !cpp_ ? "void" : parameters) + ")";
    const auto definition =
        head + (own_line ? end + *outer + "{" : " {") + end + code + *outer + "}" + end + end;
    auto place = place_before(function_);
    while (place > 0 && text_[place - 1] != '\n') --place;
    const auto front = text_.find_last_not_of(" \t\r\n", place == 0 ? 0 : place - 1);
    const auto line =
        front == std::string_view::npos || front >= place
            ? std::string_view()
            : text_.substr(text_.rfind('\n', front) + 1, front - text_.rfind('\n', front));
    if (!line.empty() && std::string_view(";{}/").find(line.back()) == std::string_view::npos &&
        !line.starts_with('#') && line.find("//") == std::string_view::npos) {
      return no("the function stands behind something else");
    }
    if (line.starts_with("#endif")) {
      return no("the function stands behind an #endif, which may hold a part of it");
    }
    out.edits.push_back({{place, place}, definition, 0});
    auto call = out.name + "(" + arguments + ");";
    if (!returned.empty()) {
      call = (declares ? declared_type_ : "") + returned + " = " + call;
    }
    out.edits.push_back({span_, call, 0});
    return out;
  }

  const bool cpp_;
  const indexer::Facts& facts_;
  const CVariables variables_;
  std::uint32_t function_ = kNoNode;
  Handover handover_;
  std::string declared_type_;  // of what comes back
};

}  // namespace

Result<Extraction> extract_c_function(Language language, std::string_view text,
                                      ByteSpan selection) {
  AMBIT_TRY(tree, SyntaxTree::parse(language, text));
  indexer::Extractor extractor;
  AMBIT_TRY(facts, extractor.extract(language, text));
  AMBIT_TRY(statements, Statements::find(tree, text, selection, {"compound_statement"}));
  return CExtractor(std::move(statements), language != Language::kC, facts).run();
}

}  // namespace ambit::daemon
