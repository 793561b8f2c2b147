#include <algorithm>
#include <set>

#include "daemon/assists/path_words.h"
#include "daemon/assists/refactor/extract.h"
#include "daemon/assists/refactor/statements.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Language;
using indexer::SyntaxTree;

namespace {

using Names = std::set<std::string_view>;

class Taker : Statements {
 public:
  Taker(Statements statements, Language language, const indexer::Facts& facts)
      : Statements(std::move(statements)),
        python_(language == Language::kPython),
        typed_(language == Language::kTypeScript || language == Language::kTsx),
        facts_(facts) {}

  Result<Extraction> run() {
    for (auto at = block_; at != kNoNode; at = tree_[at].parent) {
      if (function_ == 0 && is_function(at)) function_ = at;
      if (tree_[at].parent == 0) top_ = at;
    }
    if (function_ == 0) return no("the selection is in no function");
    AMBIT_CHECK_OK(check());
    AMBIT_TRY(shared, variables());
    return write(shared);
  }

 private:
  // Jumps, and words that mean something else in another function.
  Result<void> check() const {
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
    AMBIT_CHECK_OK(
        check_nodes(python_ ? kPython : kScript, {"string", "template_string", "comment"}));
    for (auto i = first_; i < tree_[last_].after; ++i) {
      const auto& n = tree_[i];
      if ((n.type == "break_statement" || n.type == "continue_statement") && !loop_inside(i)) {
        return no("the selection jumps out of itself");
      }
      const auto words = slice(i);
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

  Result<Variables> variables() const {
    Names local;
    const auto function = tree_[function_].span;
    for (const auto& l : facts_.locals) {
      if (l.within.begin <= span_.begin && span_.end <= l.within.end &&
          (function.begin <= l.name.begin && l.name.end <= function.end)) {
        local.insert(text_.substr(l.name.begin, l.name.size()));
      }
    }
    Names before, outside, assigned, used, whole;
    std::vector<std::string_view> order;
    for (auto i = function_ + 1; i < tree_[function_].after; ++i) {
      const auto& n = tree_[i];
      const bool name = n.type == "identifier" || n.type == "shorthand_property_identifier" ||
                        n.type == "shorthand_property_identifier_pattern";
      if (!name || is_member(i)) continue;
      const auto word = slice(i);
      if (n.span.begin < span_.begin || n.span.begin >= span_.end) {
        outside.insert(word);
        if (n.span.begin < span_.begin) before.insert(word);
        continue;
      }
      if (used.insert(word).second) order.push_back(word);
      if (const auto at = assignment_of(i); at != kNoNode) {
        assigned.insert(word);
        if (tree_[at].parent == block_ ||
            (tree_[at].parent != kNoNode && tree_[tree_[at].parent].parent == block_)) {
          whole.insert(word);
        }
      }
    }
    // In a loop what stands before may run after.
    const bool again = in_loop();
    Variables out;
    for (const auto word : order) {
      const bool known = local.contains(word) || (assigned.contains(word) && python_);
      if (!known) {
        if (assigned.contains(word) && !declared_inside(word)) {
          return no(std::string(word) + " belongs to another function or to the file");
        }
        if (!assigned.contains(word)) continue;
      }
      const bool declared = !python_ && declared_inside(word);
      if (before.contains(word) && !declared) out.in.emplace_back(word);
      if (!assigned.contains(word) || !outside.contains(word)) continue;
      if (declared && again) return no(std::string(word) + " is declared in a loop");
      if (!before.contains(word) && !whole.contains(word)) {
        return no(std::string(word) + " may not have a value at the end of the selection");
      }
      out.out.emplace_back(word);
      if (declared) {
        out.declares = true;
        out.keyword = keyword_of(word);
      }
    }
    if (!python_ && out.out.size() > 1) {
      return no("more than one variable is used afterwards: " + out.out[0] + ", " + out.out[1]);
    }
    return out;
  }

  // TypeScript: what is written behind the name where the function declares it, or what a plain
  // value makes it.
  Result<std::string> type_of(const std::string& name) const {
    std::string out;
    for (auto i = function_ + 1; i < tree_[function_].after; ++i) {
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

  [[nodiscard]] bool is_function(std::uint32_t i) const {
    static const Names kAll{"function_definition", "function_declaration", "method_definition",
                            "function_expression", "arrow_function"};
    return kAll.contains(tree_[i].type);
  }
  [[nodiscard]] bool is_loop(std::uint32_t i) const {
    static const Names kAll{"for_statement", "while_statement", "for_in_statement", "do_statement"};
    return kAll.contains(tree_[i].type) || (!python_ && tree_[i].type == "switch_statement");
  }
  [[nodiscard]] bool loop_inside(std::uint32_t i) const {
    for (auto at = tree_[i].parent; at != kNoNode && at >= first_; at = tree_[at].parent) {
      if (is_loop(at)) return true;
    }
    return false;
  }
  [[nodiscard]] bool in_loop() const {
    for (auto at = block_; at != function_; at = tree_[at].parent) {
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
  [[nodiscard]] std::uint32_t declarator(std::string_view word) const {
    for (auto i = first_; i < tree_[last_].after; ++i) {
      if (tree_[i].type != "variable_declarator") continue;
      const auto name = tree_.child(i, "name");
      if (name != kNoNode && slice(name) == word) return i;
    }
    return kNoNode;
  }
  [[nodiscard]] bool declared_inside(std::string_view word) const {
    return !python_ && declarator(word) != kNoNode;
  }
  [[nodiscard]] std::string keyword_of(std::string_view word) const {
    const auto parent = tree_[declarator(word)].parent;
    return std::string(slice(parent + 1));
  }

  Result<Extraction> write(const Variables& shared) const {
    AMBIT_TRY(indent, Statements::indent());
    const auto outer = indent_before(text_, tree_[top_].span.begin);
    if (!outer) return no("the function must begin with its line");
    Extraction out;
    out.name = unused_name(text_, "extracted");
    const auto end = std::string(line_end_of(text_));
    const auto body_indent = *outer + (indent.starts_with('\t') ? "\t" : python_ ? "    " : "  ");
    auto body = indented_lines(text_, span_, indent, body_indent);
    const auto returned = joined(shared.out);
    const std::string stop = python_ ? "" : ";";
    if (!returned.empty()) body += body_indent + "return " + returned + stop + end;
    const auto call = out.name + "(" + joined(shared.in) + ")";
    auto parameters = shared.in;
    if (typed_) {
      for (auto& name : parameters) {
        AMBIT_TRY(type, type_of(name));
        name += ": " + type;
      }
    }
    const auto definition = python_ ? "def " + call + ":" + end + body + end + end
                                    : "function " + out.name + "(" + joined(parameters) + ") {" +
                                          end + body + *outer + "}" + end + end;
    // In front of what stands around it.
    const auto place = place_before(top_);
    out.edits.push_back({{place, place}, definition, 0});
    std::string use = call + stop;
    if (!returned.empty()) {
      use = (shared.declares ? shared.keyword + " " : "") + returned + " = " + use;
    }
    out.edits.push_back({span_, use, 0});
    return out;
  }

  static std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& w : words) out += (out.empty() ? "" : ", ") + w;
    return out;
  }

  const bool python_, typed_;
  const indexer::Facts& facts_;
  std::uint32_t function_ = 0;  // the innermost around the selection
  std::uint32_t top_ = 0;       // the statement of the file around that
};

}  // namespace

Result<Extraction> extract_function(Language language, std::string_view text, ByteSpan selection) {
  const bool python = language == Language::kPython;
  const bool typed = language == Language::kTypeScript || language == Language::kTsx;
  const bool c_like = c_family(language);
  const bool go = language == Language::kGo, java = language == Language::kJava,
             rust = language == Language::kRust;
  if (!python && language != Language::kJavaScript && !typed && !c_like && !go && !java && !rust) {
    return make_error(
        Code::kUnsupported,
        "extract to a function is exact in Python, JavaScript, TypeScript, C, C++, "
        "Go, Java and Rust only: elsewhere the types of the variables cannot be told");
  }
  selection = trimmed(text, selection);
  if (selection.size() == 0) return no("select whole statements first");
  if (c_like) return extract_c_function(language, text, selection);
  if (go) return extract_go_function(text, selection);
  if (java) return extract_java_method(text, selection);
  if (rust) return extract_rust_function(text, selection);
  AMBIT_TRY(tree, SyntaxTree::parse(language, text));
  indexer::Extractor extractor;
  AMBIT_TRY(facts, extractor.extract(language, text));
  AMBIT_TRY(statements, Statements::find(tree, text, selection, {"block", "statement_block"}));
  return Taker(std::move(statements), language, facts).run();
}

}  // namespace ambit::daemon
