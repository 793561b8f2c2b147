#include "daemon/assists/refactor/c_variables.h"

#include "daemon/assists/refactor/refusal.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Local;

bool is_c_loop(std::string_view type) {
  return type == "for_statement" || type == "while_statement" || type == "do_statement" ||
         type == "for_range_loop";
}

// The statement or function that a declaration is known in.
ByteSpan CVariables::scope_of(const Local& local) const {
  for (auto at = tree_.around(local.name); at != kNoNode; at = tree_[at].parent) {
    const auto& type = tree_[at].type;
    if (type == "compound_statement" || type == "function_definition" || is_c_loop(type) ||
        type == "if_statement" || type == "switch_statement" || type == "catch_clause" ||
        type == "lambda_expression") {
      return tree_[at].span;
    }
  }
  return local.within;
}
const Local* CVariables::local_of(std::uint32_t node) const {
  const Local* best = nullptr;
  ByteSpan around;
  for (const auto& l : facts_.locals) {
    if (text_.substr(l.name.begin, l.name.size()) != slice(node)) continue;
    const auto scope = scope_of(l);
    const auto& at = tree_[node].span;
    if (scope.begin > at.begin || scope.end < at.end || l.name.begin > at.begin) continue;
    // The innermost; of one scope the last one before.
    if (best == nullptr || scope.size() <= around.size()) {
      best = &l;
      around = scope;
    }
  }
  return best;
}

Result<CType> CVariables::type_of(const Local& local) const {
  const auto name = std::string(text_.substr(local.name.begin, local.name.size()));
  const auto unknown = [&](const std::string& why) {
    return no("the type of " + name + " " + why);
  };
  CType out;
  auto at = tree_.around(local.name);
  for (at = tree_[at].parent; at != kNoNode; at = tree_[at].parent) {
    const auto& type = tree_[at].type;
    if (type == "pointer_declarator") {
      for (const auto c : tree_.children(at)) {
        if (tree_[c].type == "type_qualifier") return unknown("is a pointer that is const itself");
      }
      out.stars += '*';
    } else if (type == "reference_declarator") {
      if (slice(at).starts_with("&&")) return unknown("is an rvalue reference");
      out.reference = true;
    } else if (type == "array_declarator") {
      if (out.array) return unknown("is an array of arrays");
      out.array = true;
    } else if (type != "init_declarator") {
      break;
    }
  }
  if (at == kNoNode || (tree_[at].type != "declaration" && tree_[at].type != "for_range_loop" &&
                        !tree_[at].type.ends_with("parameter_declaration"))) {
    return unknown("is not written in a plain way");
  }
  for (const auto c : tree_.children(at)) {
    const auto& n = tree_[c];
    if (n.type == "storage_class_specifier") return no(name + " is " + std::string(slice(c)));
    if (n.type == "type_qualifier" && slice(c) == "constexpr") return no(name + " is constexpr");
    if (n.field == "type" && (n.type == "placeholder_type_specifier" ||
                              has_word(slice(c), "auto") || n.type == "decltype")) {
      return unknown("is not written: " + std::string(slice(c)));
    }
    if (n.type != "type_qualifier" && n.field != "type") continue;
    if (n.field == "type") {
      out.plain = n.type == "primitive_type" || n.type == "sized_type_specifier";
    }
    out.base += (out.base.empty() ? "" : " ") + std::string(slice(c));
  }
  if (out.base.empty()) return unknown("is not written");
  out.plain = out.plain || !out.stars.empty();
  return out;
}

bool CVariables::changes(std::uint32_t i) const {
  auto child = i;
  for (auto at = tree_[i].parent; at != kNoNode; at = tree_[at].parent) {
    const auto& n = tree_[at];
    const auto field = tree_[child].field;
    if (n.type == "parenthesized_expression") {
    } else if (n.type == "field_expression" && field == "argument") {
      if (slice(at).substr(tree_[child].span.end - n.span.begin).find("->") == 0) return false;
      if (cpp_) return true;  // a member function may change it
    } else if (n.type == "assignment_expression") {
      return field == "left";
    } else if (n.type == "update_expression") {
      return true;
    } else if (n.type == "pointer_expression") {
      return slice(at).starts_with('&');
    } else if (n.type == "argument_list" || n.type == "initializer_list" ||
               n.type == "lambda_capture_specifier" || n.type == "init_declarator") {
      return cpp_;  // may be taken by reference
    } else if (n.type == "binary_expression") {
      return cpp_ && slice(at).find(">>") != std::string_view::npos;
    } else {
      return false;
    }
    child = at;
  }
  return false;
}

std::string CVariables::macro_of(std::string_view name) const {
  std::string out;
  for (auto at = text_.find("define "); at != std::string_view::npos;
       at = text_.find("define ", at + 1)) {
    if (!text_.substr(at + 7).starts_with(name) ||
        word_byte(text_[std::min(text_.size() - 1, at + 7 + name.size())])) {
      continue;
    }
    auto end = std::min(text_.find('\n', at), text_.size());
    while (end < text_.size() && text_[end - 1] == '\\') {
      end = std::min(text_.find('\n', end + 1), text_.size());
    }
    out += text_.substr(at, end - at);
  }
  return out;
}
}  // namespace ambit::daemon
