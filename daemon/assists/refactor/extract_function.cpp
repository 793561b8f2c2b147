#include <algorithm>
#include <set>

#include "daemon/assists/refactor/extract.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Language;
using indexer::SyntaxTree;

namespace {

using Names = std::set<std::string_view>;

Error no(std::string why) {
  return make_error(Code::kInvalidArgument, std::move(why));
}

// The statements that are taken out, and what is known around them.
struct Part {
  std::uint32_t block = 0, first = 0, last = 0;  // nodes
  std::uint32_t function = 0;                    // the innermost around them
  std::uint32_t top = 0;                         // the statement of the file around that
  ByteSpan span;
};

class Taker {
 public:
  Taker(const SyntaxTree& tree, std::string_view text, bool python, const indexer::Facts& facts)
      : tree_(tree), text_(text), python_(python), facts_(facts) {}

  Result<Part> part(ByteSpan selection) const {
    Part out;
    out.span = selection;
    auto block = tree_.around(selection);
    while (!is_block(block)) {
      block = tree_[block].parent;
      if (block == kNoNode) return no("select whole statements");
    }
    out.block = block;
    bool begun = false, ended = false;
    for (const auto c : tree_.children(block)) {
      if (tree_[c].span.begin == selection.begin && tree_[c].named) {
        out.first = c;
        begun = true;
      }
      if (begun && tree_[c].span.end == selection.end && tree_[c].named) {
        out.last = c;
        ended = true;
      }
    }
    if (!begun || !ended) return no("select whole statements");
    for (auto at = block; at != kNoNode; at = tree_[at].parent) {
      if (out.function == 0 && is_function(at)) out.function = at;
      if (tree_[at].parent == 0) out.top = at;
    }
    if (out.function == 0) return no("the selection is in no function");
    return out;
  }

  // Jumps, and words that mean something else in another function.
  Result<void> check(const Part& p) const {
    static const Names kPython{"return_statement",
                               "yield",
                               "await",
                               "nonlocal_statement",
                               "global_statement",
                               "delete_statement",
                               "function_definition",
                               "class_definition",
                               "lambda",
                               "import_from_statement",
                               "import_statement"};
    static const Names kScript{"return_statement",
                               "yield_expression",
                               "await_expression",
                               "this",
                               "super",
                               "function_declaration",
                               "class_declaration",
                               "function_expression",
                               "method_definition",
                               "arrow_function",
                               "labeled_statement",
                               "object_pattern",
                               "array_pattern"};
    for (auto i = p.first; i < tree_[p.last].after; ++i) {
      const auto& n = tree_[i];
      if (n.broken) return no("the selection does not parse");
      if (!n.named && n.type != "this") continue;
      if ((python_ ? kPython : kScript).contains(n.type)) {
        return no("the selection holds " + article(n.type));
      }
      if ((n.type == "break_statement" || n.type == "continue_statement") && !loop_inside(i, p)) {
        return no("the selection jumps out of itself");
      }
      const auto words = slice(i);
      if (n.type == "string" || n.type == "template_string" || n.type == "comment") {
        if (words.find('\n') != std::string_view::npos) {
          return no("the selection holds text over several lines, which would be indented");
        }
      }
      if (n.type == "identifier" && (words == "arguments" || words == "super" ||
                                     words == "locals" || words == "eval" || words == "exec")) {
        return no(std::string(words) + " means something else in another function");
      }
      const bool mangled = python_ && words.starts_with("__") && !words.ends_with("__");
      if (n.type == "identifier" && mangled) {
        return no(std::string(words) + " has another name outside of its class");
      }
    }
    return {};
  }

  struct Variables {
    std::vector<std::string> in, out;  // in the order of the text
    bool declares = false;             // JavaScript: out is declared here
    std::string keyword;               // with this word
  };

  Result<Variables> variables(const Part& p) const {
    Names local;
    const auto function = tree_[p.function].span;
    for (const auto& l : facts_.locals) {
      if (l.within.begin <= p.span.begin && p.span.end <= l.within.end &&
          (function.begin <= l.name.begin && l.name.end <= function.end)) {
        local.insert(text_.substr(l.name.begin, l.name.size()));
      }
    }
    Names before, outside, assigned, used, whole;
    std::vector<std::string_view> order;
    for (auto i = p.function + 1; i < tree_[p.function].after; ++i) {
      const auto& n = tree_[i];
      const bool name = n.type == "identifier" || n.type == "shorthand_property_identifier" ||
                        n.type == "shorthand_property_identifier_pattern";
      if (!name || is_member(i)) continue;
      const auto word = slice(i);
      if (n.span.begin < p.span.begin || n.span.begin >= p.span.end) {
        outside.insert(word);
        if (n.span.begin < p.span.begin) before.insert(word);
        continue;
      }
      if (used.insert(word).second) order.push_back(word);
      if (const auto at = assignment_of(i); at != kNoNode) {
        assigned.insert(word);
        if (tree_[at].parent == p.block ||
            (tree_[at].parent != kNoNode && tree_[tree_[at].parent].parent == p.block)) {
          whole.insert(word);
        }
      }
    }
    // In a loop what stands before may run after.
    const bool again = in_loop(p);
    Variables out;
    for (const auto word : order) {
      const bool known = local.contains(word) || (assigned.contains(word) && python_);
      if (!known) {
        if (assigned.contains(word) && !declared_inside(p, word)) {
          return no(std::string(word) + " belongs to another function or to the file");
        }
        if (!assigned.contains(word)) continue;
      }
      const bool declared = !python_ && declared_inside(p, word);
      if (before.contains(word) && !declared) out.in.emplace_back(word);
      if (!assigned.contains(word) || !outside.contains(word)) continue;
      if (declared && again) return no(std::string(word) + " is declared in a loop");
      if (!before.contains(word) && !whole.contains(word)) {
        return no(std::string(word) + " may not have a value at the end of the selection");
      }
      out.out.emplace_back(word);
      if (declared) {
        out.declares = true;
        out.keyword = keyword_of(p, word);
      }
    }
    if (!python_ && out.out.size() > 1) {
      return no("more than one variable is used afterwards: " + out.out[0] + ", " + out.out[1]);
    }
    return out;
  }

  // TypeScript: what is written behind the name where the function declares it, or what a plain
  // value makes it.
  Result<std::string> type_of(const Part& p, const std::string& name) const {
    std::string out;
    for (auto i = p.function + 1; i < tree_[p.function].after; ++i) {
      const auto& n = tree_[i];
      const bool parameter = n.type == "required_parameter" || n.type == "optional_parameter";
      if (!parameter && n.type != "variable_declarator") continue;
      const auto label = tree_.child(i, parameter ? "pattern" : "name");
      if (label == kNoNode || slice(label) != name) continue;
      if (!out.empty()) return no(name + " is declared more than once");
      const auto type = tree_.child(i, "type");
      const auto value = tree_.child(i, "value");
      if (type != kNoNode) {
        out = slice(type).substr(1);
        out.erase(0, out.find_first_not_of(' '));
        if (n.type == "optional_parameter") out += " | undefined";
      } else if (value != kNoNode && slice(tree_[i].parent).starts_with("let")) {
        const auto& kind = tree_[value].type;
        if (kind == "number" || kind == "string") out = kind;
        if (kind == "true" || kind == "false") out = "boolean";
        if (kind == "template_string") out = "string";
      }
      if (out.empty()) return no("the type of " + name + " is not written");
    }
    if (out.empty()) return no("the type of " + name + " is not written");
    return out;
  }

  [[nodiscard]] std::string_view slice(std::uint32_t i) const {
    return text_.substr(tree_[i].span.begin, tree_[i].span.size());
  }

 private:
  static std::string article(std::string_view type) {
    std::string words(type);
    std::replace(words.begin(), words.end(), '_', ' ');
    return (std::string_view("aeiou").find(words[0]) != std::string_view::npos ? "an " : "a ") +
           words;
  }
  [[nodiscard]] bool is_block(std::uint32_t i) const {
    return tree_[i].type == (python_ ? "block" : "statement_block");
  }
  [[nodiscard]] bool is_function(std::uint32_t i) const {
    static const Names kAll{"function_definition", "function_declaration", "method_definition",
                            "function_expression", "arrow_function"};
    return kAll.contains(tree_[i].type);
  }
  [[nodiscard]] bool is_loop(std::uint32_t i) const {
    static const Names kAll{"for_statement", "while_statement", "for_in_statement", "do_statement"};
    return kAll.contains(tree_[i].type) || (!python_ && tree_[i].type == "switch_statement");
  }
  [[nodiscard]] bool loop_inside(std::uint32_t i, const Part& p) const {
    for (auto at = tree_[i].parent; at != kNoNode && at >= p.first; at = tree_[at].parent) {
      if (is_loop(at)) return true;
    }
    return false;
  }
  [[nodiscard]] bool in_loop(const Part& p) const {
    for (auto at = p.block; at != p.function; at = tree_[at].parent) {
      if (is_loop(at)) return true;
    }
    return false;
  }
  // a.NAME, NAME=value in a call: no variable.
  [[nodiscard]] bool is_member(std::uint32_t i) const {
    const auto parent = tree_[i].parent;
    if (parent == kNoNode) return false;
    const auto& above = tree_[parent];
    if (above.type == "attribute") return tree_[i].field == "attribute";
    if (above.type == "keyword_argument") return tree_[i].field == "name";
    return false;
  }
  // The node that assigns to the name at i, kNoNode when it is only read.
  [[nodiscard]] std::uint32_t assignment_of(std::uint32_t i) const {
    static const Names kPatterns{"pattern_list",       "tuple_pattern",     "list_pattern",
                                 "list_splat_pattern", "as_pattern_target", "tuple"};
    auto child = i;
    for (auto at = tree_[i].parent; at != kNoNode; at = tree_[at].parent) {
      const auto& n = tree_[at];
      const auto field = tree_[child].field;
      const bool target =
          ((n.type == "assignment" || n.type == "augmented_assignment" ||
            n.type == "assignment_expression" || n.type == "augmented_assignment_expression" ||
            n.type == "for_statement" || n.type == "for_in_statement" ||
            n.type == "for_in_clause") &&
           field == "left") ||
          (n.type == "named_expression" && field == "name") ||
          (n.type == "variable_declarator" && field == "name") || n.type == "update_expression" ||
          (n.type == "as_pattern" && field == "alias");
      if (target) return at;
      if (!kPatterns.contains(n.type)) return kNoNode;
      child = at;
    }
    return kNoNode;
  }
  [[nodiscard]] std::uint32_t declarator(const Part& p, std::string_view word) const {
    for (auto i = p.first; i < tree_[p.last].after; ++i) {
      if (tree_[i].type != "variable_declarator") continue;
      const auto name = tree_.child(i, "name");
      if (name != kNoNode && slice(name) == word) return i;
    }
    return kNoNode;
  }
  [[nodiscard]] bool declared_inside(const Part& p, std::string_view word) const {
    return !python_ && declarator(p, word) != kNoNode;
  }
  [[nodiscard]] std::string keyword_of(const Part& p, std::string_view word) const {
    const auto parent = tree_[declarator(p, word)].parent;
    return std::string(slice(parent + 1));
  }

  const SyntaxTree& tree_;
  std::string_view text_;
  bool python_;
  const indexer::Facts& facts_;
};

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

}  // namespace

Result<Extraction> extract_function(Language language, std::string_view text, ByteSpan selection) {
  const bool python = language == Language::kPython;
  const bool typed = language == Language::kTypeScript || language == Language::kTsx;
  const bool c_like =
      language == Language::kC || language == Language::kCpp || language == Language::kCuda;
  const bool go = language == Language::kGo;
  if (!python && language != Language::kJavaScript && !typed && !c_like && !go) {
    return make_error(Code::kUnsupported,
                      "extract to a function is exact in Python, JavaScript, TypeScript, C, C++ "
                      "and Go only: elsewhere the types of the variables cannot be told");
  }
  selection = trimmed(text, selection);
  if (selection.size() == 0) return no("select whole statements first");
  if (c_like) return extract_c_function(language, text, selection);
  if (go) return extract_go_function(text, selection);
  AMBIT_TRY(tree, SyntaxTree::parse(language, text));
  indexer::Extractor extractor;
  AMBIT_TRY(facts, extractor.extract(language, text));
  const Taker taker(tree, text, python, facts);
  AMBIT_TRY(part, taker.part(selection));
  AMBIT_CHECK_OK(taker.check(part));
  AMBIT_TRY(variables, taker.variables(part));
  const auto indent = indent_before(text, selection.begin);
  const auto outer = indent_before(text, tree[part.top].span.begin);
  const auto line_end = std::min(text.find('\n', selection.end), text.size());
  const auto behind = text.substr(selection.end, line_end - selection.end);
  if (!indent || !outer || behind.find_first_not_of(" \t\r") != std::string_view::npos) {
    return no("the selection must begin and end with its lines");
  }

  Extraction out;
  out.name = unused_name(text, "extracted");
  const auto end = std::string(line_end_of(text));
  const auto body_indent = *outer + (indent->starts_with('\t') ? "\t" : python ? "    " : "  ");
  auto body = indented_lines(text, selection, *indent, body_indent);
  const auto returned = joined(variables.out);
  const std::string stop = python ? "" : ";";
  if (!returned.empty()) body += body_indent + "return " + returned + stop + end;
  const auto call = out.name + "(" + joined(variables.in) + ")";
  auto parameters = variables.in;
  if (typed) {
    for (auto& name : parameters) {
      AMBIT_TRY(type, taker.type_of(part, name));
      name += ": " + type;
    }
  }
  const auto definition = python ? "def " + call + ":" + end + body + end + end
                                 : "function " + out.name + "(" + joined(parameters) + ") {" + end +
                                       body + *outer + "}" + end + end;
  // In front of what stands around it, with the comment that belongs to that.
  auto place = tree[part.top].span.begin;
  for (auto i = part.top; i > 1;) {
    // The sibling before.
    std::uint32_t before = kNoNode;
    for (auto c = std::uint32_t{1}; c < i; c = tree[c].after) before = c;
    if (before == kNoNode || tree[before].type != "comment") break;
    const auto between = text.substr(tree[before].span.end, place - tree[before].span.end);
    if (std::count(between.begin(), between.end(), '\n') != 1) break;
    if (!indent_before(text, tree[before].span.begin)) break;
    place = tree[before].span.begin;
    i = before;
  }
  out.edits.push_back({{place, place}, definition, 0});
  std::string use = call + stop;
  if (!returned.empty()) {
    use = (variables.declares ? variables.keyword + " " : "") + returned + " = " + use;
  }
  out.edits.push_back({selection, use, 0});
  return out;
}

}  // namespace ambit::daemon
