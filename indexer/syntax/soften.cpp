#include "indexer/syntax/soften.h"

#include <algorithm>

#include "indexer/syntax/annotations.h"
#include "indexer/syntax/c_text.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxNesting = 512;
constexpr std::size_t kWorthACut = 8;
constexpr unsigned kMaxStops = 32;  // blocks around the same obstacle

enum class Open : char { kParenthesis, kBlock, kList, kEnum };

class Softener {
 public:
  Softener(std::string_view text, bool outline, bool cpp, Softened& out)
      : text_(text), outline_(outline), cpp_(cpp), out_(out) {}

  bool run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') {
        fresh_line_ = true;
        ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\\') {
        ++at_;
      } else if (c == '/' && comment()) {
      } else if (c == '#' && fresh_line_) {
        directive();
      } else if (word_start(c)) {
        if (!(outline_ && fresh_line_ && macro_line())) word();
        fresh_line_ = false;
      } else if (c >= '0' && c <= '9') {
        fresh_line_ = false;
        while (at_ < text_.size() && (word_byte(text_[at_]) || text_[at_] == '\'')) ++at_;
        last_ = '0';
      } else if (c == '"' || c == '\'') {
        fresh_line_ = false;
        at_ = skip_string(text_, at_);
        last_ = '"';
      } else {
        fresh_line_ = false;
        punctuation(c);
      }
    }
    return changed_;
  }

 private:
  bool comment() {
    const auto begin = at_;
    if (!skip_comment(text_, at_)) return false;
    remember_comment(begin);
    if (outline_ && at_ - begin >= kWorthACut) {
      const bool block = text_[begin + 1] == '*';
      if (!block || text_.substr(at_ - 2, 2) == "*/") cut(begin + 2, at_ - (block ? 2 : 1));
    }
    return true;
  }
  // Comments on lines of their own, one after the other, are one.
  void remember_comment(std::size_t begin) {
    auto line = begin;
    while (line > 0 && (text_[line - 1] == ' ' || text_[line - 1] == '\t')) --line;
    if (line > 0 && text_[line - 1] != '\n') {
      comment_ = {};
    } else if (comment_before(begin).size() != 0) {
      comment_.end = static_cast<std::uint32_t>(at_);
    } else {
      comment_ = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_)};
    }
  }
  // The comment that ends on the line before this place, or empty.
  [[nodiscard]] ByteSpan comment_before(std::size_t at) const {
    if (comment_.size() == 0) return {};
    const auto between = text_.substr(comment_.end, at - comment_.end);
    if (between.find_first_not_of(" \t\r\n") != std::string_view::npos) return {};
    return std::count(between.begin(), between.end(), '\n') > 1 ? ByteSpan{} : comment_;
  }
  void change() {
    if (changed_) return;
    changed_ = true;
    out_.text.assign(text_);
  }
  void cut(std::size_t begin, std::size_t end) {
    change();
    out_.cuts.add(begin, end);
  }
  // The block at `open` defines nothing: only its braces are left.
  void skim(std::size_t open) {
    if (open >= stopped_at_) stops_ = 0;
    if (stops_ > kMaxStops) return;
    const auto close = skim_block(text_, open, cpp_, out_.words, out_.macros, stopped_at_);
    if (close == std::string_view::npos) {
      ++stops_;
      return;
    }
    cut(open + 1, close);
    at_ = close;
  }
  void blank(std::size_t begin, std::size_t end, bool as_word) {
    change();
    for (auto i = begin; i < end; ++i) {
      if (out_.text[i] != '\n') out_.text[i] = ' ';
    }
    if (as_word) {  // the words in an annotation's arguments are mentions as well
      for (auto i = begin; i < end;) {
        if (word_start(text_[i])) {
          const auto stop = word_end(text_, i);
          out_.words.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(stop)});
          i = stop;
        } else if (text_[i] == '"') {
          const auto close = text_.find('"', i + 1);
          i = close == std::string_view::npos ? end : close + 1;
        } else {
          i = text_[i] >= '0' && text_[i] <= '9' ? word_end(text_, i) : i + 1;
        }
      }
    }
  }

  // A directive stays, unless the grammar does not allow one here.
  void directive() {
    const auto begin = at_;
    const auto d = directive_at(text_, begin);
    const auto end = at_ = d.end;
    const auto name = d.name;
    const auto here = open_.empty() ? Open::kBlock : open_.back();
    const bool in_list = here == Open::kList || here == Open::kParenthesis;
    if (outline_ || in_list || here == Open::kEnum) {
      MacroLine macro;
      if (name == "define" && read_define(text_, begin, d, macro)) {
        macro.doc = comment_before(begin);
        out_.macros.push_back(macro);
      }
    }
    // Each branch of a conditional begins with what was open before it.
    if (outline_ && (in_list || name != "include")) {
      directive_words(text_, d, cpp_, out_.words);
      cut(begin, end);
    } else if (in_list || (here == Open::kEnum && !d.conditional())) {
      blank(begin, end, false);
    }
    if (name.starts_with("if")) {
      if (branches_.size() < kMaxNesting) branches_.push_back({open_, begin, end, 0});
    } else if (branches_.empty()) {
    } else if (name.starts_with("el")) {
      auto& b = branches_.back();
      if (open_.size() != b.open.size()) {  // #if a / if (x) { / #else / if (y) { / #endif
        blank(b.begin, b.end, false);
        at_ = end_of_conditional(text_, end);
        blank(begin, at_, true);
        branches_.pop_back();
        return;
      }
      b.last_else = begin;
      reopen(b.open);
    } else if (name == "endif") {
      auto& b = branches_.back();
      if (open_.size() != b.open.size()) {
        blank(b.begin, b.end, false);
        if (b.last_else != 0) {
          blank(b.last_else, end, true);
          reopen(b.open);
        } else {
          blank(begin, end, false);
        }
      }
      branches_.pop_back();
    }
  }
  void reopen(const std::vector<Open>& open) {
    open_ = open;
    control_.resize(open_.size());
  }
  void punctuation(char c) {
    const auto begin = at_++;
    switch (c) {
      case '(':
        if (!all_caps(word_before_)) in_class_head_ = false;
        push(Open::kParenthesis, word_before_ == "if" || word_before_ == "while" ||
                                     word_before_ == "for" || word_before_ == "switch");
        break;
      case '{':
        push(last_ == '=' || last_ == ',' || last_ == '(' || last_ == '[' ||
                     (last_ == '{' && !open_.empty() && open_.back() == Open::kList) ||
                     (last_ == ')' && !open_.empty() &&
                      (open_.back() == Open::kList || open_.back() == Open::kParenthesis))
                 ? (last_ == '(' || (last_ == ',' && inside_parenthesis()) ? Open::kBlock
                                                                           : Open::kList)
             : enum_pending_ ? Open::kEnum
                             : Open::kBlock,
             false);
        enum_pending_ = false;
        if (outline_ && (open_.back() == Open::kList || opens_body())) skim(begin);
        in_class_head_ = false;
        break;
      case ')':
      case '}':
        if (c == '}') in_class_head_ = false;
        control_closed_ = !open_.empty() && c == ')' && control_.back();
        if (!open_.empty()) {
          open_.pop_back();
          control_.resize(open_.size());
        }
        break;
      case ';':
        enum_pending_ = in_class_head_ = false;
        // Parentheses do not reach over a statement: the text was not balanced.
        while (!open_.empty() && open_.back() == Open::kParenthesis && !for_header()) {
          open_.pop_back();
          control_.resize(open_.size());
        }
        break;
      case '*':
      case '=':
        in_class_head_ = false;
        break;
      default:
        break;
    }
    last_ = c;
    word_before_ = {};
    after_class_key_ = false;
  }
  // Whether the '{' behind the last word or mark begins a function's body.
  [[nodiscard]] bool opens_body() const {
    if (in_class_head_) return false;
    return last_ == ')' || (cpp_ && last_ == 'a' &&
                            (word_before_ == "const" || word_before_ == "noexcept" ||
                             word_before_ == "override" || word_before_ == "final"));
  }
  [[nodiscard]] bool inside_parenthesis() const {
    return !open_.empty() && open_.back() == Open::kParenthesis;
  }
  [[nodiscard]] bool for_header() const { return control_.back(); }
  void push(Open o, bool control) {
    if (open_.size() >= kMaxNesting) return;
    open_.push_back(o);
    control_.resize(open_.size());
    control_.back() = control;
  }

  void word() {
    const auto begin = at_;
    const auto end = word_end(text_, begin);
    const auto w = text_.substr(begin, end - begin);
    at_ = end;
    if (annotation(w, begin, end)) return;  // as if it were not there
    if (w == "__attribute__" || w == "__declspec" || w == "alignas") {
      const auto next = skip_space(text_, end);
      const auto stop = next < text_.size() && text_[next] == '(' ? skip_arguments(text_, next)
                                                                  : std::string_view::npos;
      if (stop != std::string_view::npos) {
        at_ = stop;
        return;
      }
    }
    if (w == "enum") enum_pending_ = true;
    after_class_key_ = w == "class" || w == "struct" || w == "union" || w == "enum";
    if (after_class_key_) in_class_head_ = true;
    last_ = w == "return" ? '=' : 'a';
    word_before_ = w;
  }

  // A macro alone on its line, without a semicolon, between declarations: FOO_FIELDS, DEFINE_IT(x).
  bool macro_line() {
    if (last_ == 'a' || last_ == '=' || last_ == ',' || (!open_.empty() && !in_block()))
      return false;
    const auto end = word_end(text_, at_);
    const auto w = text_.substr(at_, end - at_);
    if (w.size() < 3 || !no_lower_case(w)) return false;
    const bool call = end < text_.size() && text_[end] == '(';
    const auto stop = call ? skip_arguments(text_, end) : end;
    if (stop == std::string_view::npos) return false;
    auto next = skip_space(text_, stop);
    if (text_.substr(stop, next - stop).find('\n') == std::string_view::npos) return false;
    while (next < text_.size() && text_[next] == '#')
      next = skip_space(text_, directive_at(text_, next).end);
    if (next < text_.size() && text_[next] != '}') {
      if (!word_start(text_[next])) return false;
      if (!call) {  // TYPE on a line before its function?
        const auto next_end = word_end(text_, next);
        const auto after = skip_space(text_, next_end);
        if (after >= text_.size()) return false;
        if (!no_lower_case(text_.substr(next, next_end - next)) &&
            !(word_start(text_[after]) || text_[after] == ':' || text_[after] == '*' ||
              text_[after] == '&'))
          return false;
      }
    }
    blank(at_, stop, true);
    at_ = stop;
    return true;
  }
  [[nodiscard]] bool in_block() const { return open_.back() == Open::kBlock; }

  bool annotation(std::string_view w, std::size_t begin, std::size_t end) {
    if (w.size() < 3) return false;
    const char c = w[0];
    if (c == '_' || c == 'n' || c == 'a') {
      if (!is_annotation(w)) return false;
      const auto next = skip_space(text_, end);
      auto stop = end;
      if (next < text_.size() && text_[next] == '(') {
        // __aligned(8), __section(".x"), but not __free(x) used as a function.
        if (last_ != 'a' && last_ != ')' && last_ != '}' && last_ != '*' && last_ != ']')
          return false;
        if (word_before_ == "return") return false;
        stop = skip_arguments(text_, next);
        if (stop == std::string_view::npos || !ends_declarator(stop)) {
          // asmlinkage (…) is not a call either way: only the word goes.
          if (w != "asmlinkage" && w != "__force") return false;
          stop = end;
        }
      } else if (next >= text_.size() || text_[next] == '.' || text_[next] == '-' ||
                 text_[next] == '[') {
        return false;
      }
      blank(begin, stop, true);
      at_ = stop;
      return true;
    }
    if (!all_caps(w)) return false;
    const auto next = skip_space(text_, end);
    if (next >= text_.size()) return false;
    if (after_class_key_) return class_macro(begin, end, next);
    if (text_[next] == '(') {
      const bool back = is_back_macro(w);
      const bool after_declarator = (last_ == ')' && !control_closed_) || word_before_ == "const" ||
                                    word_before_ == "override" || word_before_ == "noexcept" ||
                                    word_before_ == "final";
      if (!after_declarator && !(back && (last_ == 'a' || last_ == ']'))) return false;
      if (inside_parenthesis() || word_before_ == "return" || word_before_ == "else") return false;
      const auto stop = skip_arguments(text_, next);
      if (stop == std::string_view::npos || !ends_declarator(stop)) return false;
      blank(begin, stop, true);
      at_ = stop;
      return true;
    }
    if (word_start(text_[next]) || text_[next] == '~') {
      if (!is_front_macro(w) || inside_parenthesis()) return false;
      blank(begin, end, true);
      return true;
    }
    // const foo_t* f(void) LIB_NORETURN;
    if ((text_[next] == ';' || text_[next] == '{') && last_ == ')' && !control_closed_ &&
        w.find('_') != std::string_view::npos && !inside_parenthesis()) {
      blank(begin, end, true);
      return true;
    }
    return false;
  }
  // class LIB_EXPORT Name final : Base {   struct ALIGNED(8) Name {
  bool class_macro(std::size_t begin, std::size_t end, std::size_t next) {
    if (text_[next] == '(') {
      end = skip_arguments(text_, next);
      if (end == std::string_view::npos) return false;
      next = skip_space(text_, end);
    }
    if (next >= text_.size() || !word_start(text_[next])) return false;
    auto after = skip_space(text_, word_end(text_, next));
    // Qualified names and template arguments.
    if (after >= text_.size()) return false;
    const bool final_word = text_.substr(after).starts_with("final");
    const bool base = text_[after] == ':' && (after + 1 >= text_.size() || text_[after + 1] != ':');
    if (text_[after] != '{' && !base && !final_word) return false;
    blank(begin, end, true);
    at_ = end;
    return true;
  }
  [[nodiscard]] bool ends_declarator(std::size_t at) const {
    at = skip_space(text_, at);
    if (at >= text_.size()) return true;
    const char c = text_[at];
    if (c == ';' || c == '{' || c == '=' || c == ',' || c == ':' || c == '*') return true;
    return word_start(c);
  }

  const std::string_view text_;
  const bool outline_, cpp_;
  Softened& out_;
  std::size_t at_ = 0;
  ByteSpan comment_;            // the last one on lines of its own
  std::size_t stopped_at_ = 0;  // where skimming met something that has to be parsed
  unsigned stops_ = 0;
  bool changed_ = false;
  bool fresh_line_ = true;
  bool after_class_key_ = false;
  bool enum_pending_ = false;
  bool in_class_head_ = false;   // between class, struct, union, enum and its block
  bool control_closed_ = false;  // the last ')' closed an if, for, while or switch
  char last_ = ';';              // 'a': a word, '0': a number, '"': a string, else punctuation
  std::string_view word_before_;
  std::vector<Open> open_;
  std::vector<bool> control_;  // of each that is open: belongs to if, for, while, switch
  struct Branch {
    std::vector<Open> open;          // before the #if
    std::size_t begin = 0, end = 0;  // of the #if's line
    std::size_t last_else = 0;
  };
  std::vector<Branch> branches_;
};

}  // namespace

bool soften(Language language, std::string_view text, Softened& out) {
  if (language == Language::kKotlin) return soften_kotlin(text, out);
  if (!has_outline(language)) return false;
  out.clear();
  return Softener(text, false, language != Language::kC, out).run();
}

bool soften_outline(Language language, std::string_view text, Softened& out) {
  if (!has_outline(language)) return false;
  out.clear();
  if (!Softener(text, true, language != Language::kC, out).run()) return false;
  if (!out.cuts.empty()) out.cuts.apply(out.text);
  return true;
}

}  // namespace ambit::indexer
