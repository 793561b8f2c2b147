#include <algorithm>
#include <optional>

#include "inference/engine/grammar.h"

namespace ambit::inference {

// Recursive descent over the text. Repetitions become rules of their own.
class GrammarParser {
 public:
  explicit GrammarParser(std::string_view text) : text_(text) {}

  Result<std::shared_ptr<const Grammar>> run() {
    skip();
    while (at_ < text_.size() && !error_) {
      const std::string name = word();
      if (error_) break;
      if (name.empty()) return fail("a rule begins with its name");
      if (!text_.substr(at_).starts_with("::=")) return fail("'::=' is missing behind " + name);
      at_ += 3;
      skip();
      const std::uint32_t rule = rule_of(name);
      if (!grammar_.rules_[rule].empty()) return fail("the rule " + name + " is there twice");
      alternatives(rule, 0);
    }
    if (error_) return *error_;
    const auto root = names_.find("root");
    if (root == names_.end()) return fail("there is no rule named root");
    grammar_.root_ = root->second;
    for (const auto& [name, rule] : names_) {
      if (grammar_.rules_[rule].empty()) return fail("the rule " + name + " is used but not there");
    }
    if (is_left_recursive()) {
      return make_error(Code::kUnsupported,
                        "grammar: a rule begins with itself; write the repetition with * or +");
    }
    return std::make_shared<const Grammar>(std::move(grammar_));
  }

 private:
  using Element = Grammar::Element;
  static constexpr int kDeepest = 200;
  static constexpr std::size_t kLongestName = 64;

  Error fail(const std::string& why) {
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    if (!error_) {
      error_ =
          make_error(Code::kInvalidArgument, "grammar, line " + std::to_string(line) + ": " + why);
    }
    return *error_;
  }
  static std::string shown(char c) {
    if (c >= ' ' && c <= '~') return std::string("'") + c + "'";
    return "byte " + std::to_string(static_cast<unsigned char>(c));
  }
  void skip() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
        ++at_;
      } else {
        return;
      }
    }
  }
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  }
  std::string word() {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    std::string out(text_.substr(from, at_ - from));
    if (out.size() > kLongestName) fail("a name is longer than 64 characters");
    skip();
    return out;
  }
  // Whether a rule begins here: a name and '::='.
  bool at_rule() {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    const bool named = at_ > from;
    skip();
    const bool yes = named && text_.substr(at_).starts_with("::=");
    at_ = from;
    return yes;
  }
  std::uint32_t new_rule() {
    grammar_.rules_.emplace_back();
    return static_cast<std::uint32_t>(grammar_.rules_.size() - 1);
  }
  std::uint32_t rule_of(const std::string& name) {
    const auto it = names_.find(name);
    if (it != names_.end()) return it->second;
    return names_[name] = new_rule();
  }
  void add_alternative(std::uint32_t rule, const std::vector<Element>& sequence) {
    grammar_.rules_[rule].push_back(static_cast<std::uint32_t>(grammar_.elements_.size()));
    grammar_.elements_.insert(grammar_.elements_.end(), sequence.begin(), sequence.end());
    grammar_.elements_.push_back({});
  }
  Element bytes(const std::bitset<256>& set) {
    grammar_.sets_.push_back(set);
    return {Element::kBytes, static_cast<std::uint32_t>(grammar_.sets_.size() - 1)};
  }

  void alternatives(std::uint32_t rule, int depth) {
    if (depth > kDeepest) {
      fail("parentheses are nested too deeply");
      return;
    }
    for (;;) {
      std::vector<Element> sequence;
      while (!error_ && at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')' &&
             !at_rule()) {
        item(sequence, depth);
      }
      if (error_) return;
      add_alternative(rule, sequence);
      if (at_ == text_.size() || text_[at_] != '|') return;
      ++at_;
      skip();
    }
  }

  void item(std::vector<Element>& sequence, int depth) {
    const std::size_t first = sequence.size();
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      while (!error_ && at_ < text_.size() && text_[at_] != '"') {
        sequence.push_back(bytes(std::bitset<256>().set(character())));
      }
      close('"');
    } else if (c == '[') {
      sequence.push_back(bytes(byte_class()));
    } else if (c == '(') {
      ++at_;
      skip();
      const std::uint32_t rule = new_rule();
      alternatives(rule, depth + 1);
      close(')');
      sequence.push_back({Element::kRule, rule});
    } else if (is_word(c)) {
      sequence.push_back({Element::kRule, rule_of(word())});
    } else {
      fail(shown(c) + " is not expected here");
      return;
    }
    skip();
    repeat(sequence, first);
  }

  void close(char c) {
    if (at_ < text_.size() && text_[at_] == c) {
      ++at_;
    } else {
      fail(shown(c) + " is missing");
    }
  }

  // *, + or ? behind the elements from `first` on.
  void repeat(std::vector<Element>& sequence, std::size_t first) {
    if (error_ || at_ == text_.size()) return;
    const char c = text_[at_];
    if (c != '*' && c != '+' && c != '?') return;
    ++at_;
    skip();
    const std::vector<Element> once(sequence.begin() + static_cast<std::ptrdiff_t>(first),
                                    sequence.end());
    if (once.empty()) {
      fail("there is nothing to repeat");
      return;
    }
    const std::uint32_t rule = new_rule();
    std::vector<Element> more = once;
    if (c != '?') more.push_back({Element::kRule, rule});
    add_alternative(rule, more);
    add_alternative(rule, {});
    if (c != '+') sequence.resize(first);
    sequence.push_back({Element::kRule, rule});
  }

  std::size_t character() {
    const auto here = static_cast<unsigned char>(text_[at_++]);
    if (here != '\\') return here;
    if (at_ == text_.size()) {
      fail("the text ends behind '\\'");
      return 0;
    }
    const char c = text_[at_++];
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x': {
        const auto digit = [&]() -> std::size_t {
          const char d = at_ < text_.size() ? text_[at_++] : 'g';
          if (d >= '0' && d <= '9') return static_cast<std::size_t>(d - '0');
          if (d >= 'a' && d <= 'f') return static_cast<std::size_t>(d - 'a' + 10);
          if (d >= 'A' && d <= 'F') return static_cast<std::size_t>(d - 'A' + 10);
          fail("\\x takes two hexadecimal digits");
          return 0;
        };
        const std::size_t high = digit();
        return high * 16 + digit();
      }
      case '\\':
      case '"':
      case ']':
      case '[':
      case '-':
      case '^':
        return static_cast<unsigned char>(c);
      default:
        fail(shown(c) + " means nothing behind '\\'");
        return 0;
    }
  }

  std::bitset<256> byte_class() {
    ++at_;
    std::bitset<256> set;
    const bool negated = at_ < text_.size() && text_[at_] == '^';
    if (negated) ++at_;
    while (!error_ && at_ < text_.size() && text_[at_] != ']') {
      const std::size_t low = character();
      std::size_t high = low;
      if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
        ++at_;
        high = character();
      }
      if (high < low) fail("a range runs backwards");
      for (std::size_t b = low; b <= high; ++b) set.set(b);
    }
    close(']');
    return negated ? ~set : set;
  }

  // Whether some rule can come back to itself before a byte is read.
  [[nodiscard]] bool is_left_recursive() const {
    const std::size_t n = grammar_.rules_.size();
    std::vector<char> empty(n, 0);  // can match nothing
    for (bool grew = true; grew;) {
      grew = false;
      for (std::size_t r = 0; r < n; ++r) {
        for (std::uint32_t p : grammar_.rules_[r]) {
          while (grammar_.elements_[p].kind == Element::kRule && empty[grammar_.elements_[p].index])
            ++p;
          if (grammar_.elements_[p].kind != Element::kEnd || empty[r] != 0) continue;
          empty[r] = 1;
          grew = true;
        }
      }
    }
    std::vector<char> mark(n, 0);  // 1: on the path, 2: done
    for (std::size_t r = 0; r < n; ++r) {
      if (visit(static_cast<std::uint32_t>(r), empty, mark)) return true;
    }
    return false;
  }
  bool visit(std::uint32_t first, const std::vector<char>& empty, std::vector<char>& mark) const {
    // Depth-first with a stack of its own: grammars come from outside.
    struct Frame {
      std::uint32_t rule;
      std::vector<std::uint32_t> next;
    };
    std::vector<Frame> path;
    const auto enter = [&](std::uint32_t rule) {
      mark[rule] = 1;
      Frame f{rule, {}};
      for (std::uint32_t p : grammar_.rules_[rule]) {
        for (; grammar_.elements_[p].kind == Element::kRule; ++p) {
          f.next.push_back(grammar_.elements_[p].index);
          if (empty[grammar_.elements_[p].index] == 0) break;
        }
      }
      path.push_back(std::move(f));
    };
    if (mark[first] == 0) enter(first);
    while (!path.empty()) {
      Frame& f = path.back();
      if (f.next.empty()) {
        mark[f.rule] = 2;
        path.pop_back();
        continue;
      }
      const std::uint32_t to = f.next.back();
      f.next.pop_back();
      if (mark[to] == 1) return true;
      if (mark[to] == 0) enter(to);
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
  std::map<std::string, std::uint32_t> names_;
  Grammar grammar_;
};

Result<std::shared_ptr<const Grammar>> Grammar::parse(std::string_view text) {
  if (text.size() > kLongestText) {
    return make_error(Code::kInvalidArgument, "a grammar is longer than 1 MiB");
  }
  return GrammarParser(text).run();
}

}  // namespace ambit::inference
