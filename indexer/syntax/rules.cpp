#include "indexer/syntax/rules.h"

#include <cctype>

namespace ambit::indexer {
namespace {

constexpr int kMaxDepth = 32;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<RuleFile> file() {
    RuleFile out;
    for (skip(); at_ < text_.size(); skip()) {
      const auto line = line_;
      if (text_.substr(at_).starts_with("(#")) {
        AMBIT_TRY(setting, predicate());
        out.settings.push_back(std::move(setting));
        continue;
      }
      RulePattern p;
      p.line = line;
      equal_ = &p.equal;
      AMBIT_TRY(root, node(0));
      // ((identifier) @name) @reference.read: the group holds one node and no type of its own.
      if (root.types.empty()) {
        if (root.children.size() != 1) return fail("a group holds one node");
        auto only = std::move(root.children.front());
        if (only.meaning.empty()) only.meaning = root.meaning;
        root = std::move(only);
      }
      p.root = std::move(root);
      out.patterns.push_back(std::move(p));
    }
    return out;
  }

 private:
  Error fail(std::string_view what) const {
    return make_error(Code::kInvalidArgument,
                      "rules, line " + std::to_string(line_ + 1) + ": " + std::string(what));
  }
  void skip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == ';') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string word() {
    skip();
    std::string out;
    if (at_ < text_.size() && text_[at_] == '"') {
      for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        out.push_back(text_[at_]);
      }
      ++at_;
      return out;
    }
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
            std::string_view("_.-#?!@/\\+*$").find(text_[at_]) != std::string_view::npos)) {
      out.push_back(text_[at_++]);
    }
    return out;
  }
  static bool is_meaning(std::string_view w) {
    return w.find('.') != std::string_view::npos || w == "local" || w == "import" || w == "owner" ||
           w == "scope" || w == "ignore";
  }
  Result<RuleSetting> predicate() {
    (void)take('(');
    RuleSetting s;
    s.name = word();
    while (!take(')')) {
      auto w = word();
      if (w.empty()) return fail("a setting ends with )");
      s.words.push_back(std::move(w));
    }
    return s;
  }
  // node: (type child...) @capture | [(a) (b)] @capture | (_) | (group)
  Result<RuleNode> node(int depth) {
    if (depth > kMaxDepth) return fail("nested too deeply");
    RuleNode n;
    if (take('[')) {
      while (!take(']')) {
        if (!take('(')) return fail("expected (type) in [ ]");
        n.types.push_back(word());
        if (n.types.back().empty() || !take(')')) return fail("expected (type) in [ ]");
      }
    } else {
      if (!take('(')) return fail("expected (");
      skip();
      if (at_ < text_.size() && text_[at_] != '(') {
        n.types.push_back(word());
        if (n.types.back().empty()) return fail("expected a node type");
      }
      while (!take(')')) {
        skip();
        if (at_ >= text_.size()) return fail("missing )");
        if (text_.substr(at_).starts_with("(#eq?")) {
          AMBIT_TRY(p, predicate());
          if (p.words.size() != 2) return fail("#eq? takes a capture and a text");
          equal_->emplace_back(p.words[0].substr(1), p.words[1]);
          continue;
        }
        std::string field;
        if (text_[at_] != '(' && text_[at_] != '[') {
          field = word();
          if (field.empty() || !take(':')) return fail("expected a field name and ':'");
          skip();
        }
        AMBIT_TRY(child, node(depth + 1));
        child.field = std::move(field);
        n.children.push_back(std::move(child));
      }
    }
    for (skip(); at_ < text_.size() && text_[at_] == '@'; skip()) {
      ++at_;
      auto w = word();
      if (w == "name") {
        n.name = true;
      } else if (is_meaning(w)) {
        n.meaning = std::move(w);
      } else {
        n.capture = std::move(w);
      }
    }
    return n;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 0;
  std::vector<std::pair<std::string, std::string>>* equal_ = nullptr;
};

}  // namespace

Result<RuleFile> parse_rules(std::string_view text) {
  return Parser(text).file();
}

}  // namespace ambit::indexer
