#include "daemon/assists/review/lexical.h"

#include <vector>

#include "daemon/assists/path_words.h"

namespace ambit::daemon::review {
namespace {

using indexer::Language;

constexpr std::size_t kMaxCallBytes = 4000;

struct Habits {
  bool hash = false, slash = false, dashes = false, backtick = false, triple = false;
  bool apostrophe = true;  // 'x' is a string or a character
  bool raw_cpp = false, raw_rust = false;
};

Habits habits_of(Language l) {
  Habits h;
  switch (l) {
    case Language::kC:
    case Language::kCpp:
    case Language::kCuda:
      h.slash = h.raw_cpp = true;
      break;
    case Language::kJavaScript:
    case Language::kTypeScript:
    case Language::kTsx:
    case Language::kGo:
      h.slash = h.backtick = true;
      break;
    case Language::kPython:
      h.hash = h.triple = true;
      break;
    case Language::kRust:
      h.slash = h.raw_rust = true;
      h.apostrophe = false;
      break;
    case Language::kJava:
    case Language::kKotlin:
    case Language::kScala:
    case Language::kSwift:
    case Language::kCSharp:
      h.slash = h.triple = true;
      break;
    case Language::kPhp:
      h.slash = h.hash = true;
      break;
    case Language::kRuby:
    case Language::kBash:
    case Language::kYaml:
    case Language::kToml:
    case Language::kElixir:
      h.hash = true;
      break;
    case Language::kLua:
    case Language::kSql:
      h.dashes = true;
      break;
    case Language::kHcl:
      h.slash = h.hash = true;
      break;
    case Language::kZig:
    case Language::kCss:
      h.slash = true;
      break;
    default:
      break;
  }
  return h;
}

class Blanker {
 public:
  Blanker(std::string_view text, Language language)
      : text_(text), out_(text), h_(habits_of(language)), language_(language) {}

  std::string run() {
    std::size_t i = 0;
    while (i < text_.size()) i = step(i);
    return std::move(out_);
  }

 private:
  void blank(std::size_t from, std::size_t to, char with) {
    for (auto i = from; i < to && i < out_.size(); ++i) {
      if (out_[i] != '\n') out_[i] = with;
    }
  }
  [[nodiscard]] bool at(std::size_t i, std::string_view s) const {
    return text_.substr(i, s.size()) == s;
  }
  std::size_t line_end(std::size_t i) const { return std::min(text_.find('\n', i), text_.size()); }
  std::size_t after(std::string_view mark, std::size_t from) const {
    const auto end = text_.find(mark, from);
    return end == std::string_view::npos ? text_.size() : end + mark.size();
  }

  std::size_t quoted(std::size_t i, char quote, bool lines) {
    auto end = i + 1;
    while (end < text_.size() && text_[end] != quote) {
      if (text_[end] == '\n' && !lines) break;
      end += text_[end] == '\\' && (!lines || language_ != Language::kGo) ? 2 : 1;
    }
    if (end >= text_.size() || text_[end] != quote) {
      if (!lines) return i + 1;  // an apostrophe of prose, a lifetime
      end = text_.size();
    }
    blank(i + 1, end, '_');
    return std::min(end + 1, text_.size());
  }

  std::size_t step(std::size_t i) {
    const char c = text_[i];
    if ((h_.slash && at(i, "//") && language_ != Language::kCss) ||
        (h_.hash && c == '#' && (i == 0 || !is_word(text_[i - 1])) && !at(i, "#[")) ||
        (h_.dashes && at(i, "--") && !at(i, "--[["))) {
      const auto end = line_end(i);
      blank(i, end, ' ');
      return end;
    }
    if (h_.slash && at(i, "/*")) {
      const auto end = after("*/", i + 2);
      blank(i, end, ' ');
      return end;
    }
    if (h_.dashes && at(i, "--[[")) {
      const auto end = after("]]", i + 4);
      blank(i, end, ' ');
      return end;
    }
    if (h_.raw_cpp && at(i, "R\"") && (i == 0 || !is_word(text_[i - 1]))) {
      const auto open = text_.find('(', i + 2);
      if (open != std::string_view::npos && open - i < 20) {
        const auto mark = ")" + std::string(text_.substr(i + 2, open - i - 2)) + "\"";
        const auto end = after(mark, open);
        blank(i + 2, end - 1, '_');
        return end;
      }
    }
    if (h_.raw_rust && c == 'r' && (at(i, "r\"") || at(i, "r#")) &&
        (i == 0 || !is_word(text_[i - 1]) || text_[i - 1] == 'b')) {
      auto quote = i + 1;
      while (quote < text_.size() && text_[quote] == '#') ++quote;
      if (quote < text_.size() && text_[quote] == '"') {
        const auto end = after("\"" + std::string(quote - i - 1, '#'), quote + 1);
        blank(quote + 1, end - 1, '_');
        return end;
      }
    }
    if (h_.triple && (at(i, "\"\"\"") || (language_ == Language::kPython && at(i, "'''")))) {
      const auto end = after(text_.substr(i, 3), i + 3);
      blank(i + 1, end - 1, '_');
      return end;
    }
    if (c == '"') return quoted(i, c, h_.raw_rust || h_.dashes);
    if (c == '`' && h_.backtick) return quoted(i, c, true);
    if (c == '\'') {
      if (h_.apostrophe) {
        // 1'000'000 in C++
        if (h_.raw_cpp && i > 0 && is_word(text_[i - 1]) && i + 1 < text_.size() &&
            is_word(text_[i + 1]) && text_[i - 1] != 'L' && text_[i - 1] != 'u' &&
            text_[i - 1] != 'U') {
          return i + 1;
        }
        return quoted(i, c, false);
      }
      const auto close = text_.find('\'', i + 1);  // 'x', '\n', '"': not 'a in a lifetime
      if (close != std::string_view::npos && close - i <= 3 + (at(i, "'\\") ? 9U : 0U) &&
          (close - i == 2 || at(i, "'\\") || static_cast<unsigned char>(text_[i + 1]) >= 0x80)) {
        blank(i + 1, close, '_');
        return close + 1;
      }
    }
    return i + 1;
  }

  std::string_view text_;
  std::string out_;
  Habits h_;
  Language language_;
};

std::string_view trimmed(std::string_view s) {
  while (!s.empty() &&
         (s.front() == ' ' || s.front() == '\t' || s.front() == '\n' || s.front() == '\r'))
    s.remove_prefix(1);
  while (!s.empty() &&
         (s.back() == ' ' || s.back() == '\t' || s.back() == '\n' || s.back() == '\r'))
    s.remove_suffix(1);
  return s;
}

}  // namespace

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string_view word_before(std::string_view code, std::size_t at) {
  auto begin = at;
  while (begin > 0 && is_word(code[begin - 1])) --begin;
  return code.substr(begin, at - begin);
}

std::string code_only(std::string_view text, Language language) {
  return Blanker(text, language).run();
}

std::optional<Pieces> split_list(std::string_view code, std::size_t open) {
  if (open >= code.size() || code[open] != '(') return std::nullopt;
  Pieces out;
  int depth = 0;
  auto begin = open + 1;
  for (auto i = open; i < code.size() && i - open < kMaxCallBytes; ++i) {
    const char c = code[i];
    if (c == '#' && i > 0 && code[i - 1] == '\n') return std::nullopt;  // the preprocessor
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (depth == 0) {
      if (c != ')') return std::nullopt;
      const auto last = trimmed(code.substr(begin, i - begin));
      if (!last.empty()) out.pieces.push_back(last);  // none after a trailing comma
      out.close = static_cast<std::uint32_t>(i);
      return out;
    }
    if (c == ',' && depth == 1) {
      out.pieces.push_back(trimmed(code.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  return std::nullopt;
}

Balance balance(std::string_view code, Language language) {
  Balance out;
  const bool preprocessor = c_family(language) || language == Language::kCSharp;
  std::vector<bool> skipped;  // one per open #if: are we in a branch after the first
  const auto skipping = [&] { return !skipped.empty() && skipped.back(); };
  for (std::size_t i = 0; i < code.size();) {
    const auto end = std::min(code.find('\n', i), code.size());
    const auto line = trimmed(code.substr(i, end - i));
    i = end + 1;
    if (preprocessor && line.starts_with('#')) {
      const auto word = trimmed(line.substr(1));
      if (word.starts_with("if")) skipped.push_back(skipping());
      if (word.starts_with("el") && !skipped.empty()) skipped.back() = true;
      if (word.starts_with("endif") && !skipped.empty()) skipped.pop_back();
      continue;
    }
    if (skipping()) continue;
    for (const char c : line) {
      out.round += c == '(' ? 1 : c == ')' ? -1 : 0;
      out.square += c == '[' ? 1 : c == ']' ? -1 : 0;
      out.curly += c == '{' ? 1 : c == '}' ? -1 : 0;
    }
  }
  return out;
}

std::optional<Arguments> count_arguments(std::string_view code, std::size_t open,
                                         Language language) {
  const auto list = split_list(code, open);
  if (!list) return std::nullopt;
  Arguments out;
  out.close = list->close;
  const auto& pieces = list->pieces;
  const auto inside = code.substr(open + 1, list->close - open - 1);
  const bool angles = inside.find('<') != std::string_view::npos;
  if (angles && pieces.size() > 1) return std::nullopt;  // f(a<b, c>(d)): one argument or two
  if (inside.find("...") != std::string_view::npos) return std::nullopt;
  for (const auto piece : pieces) {
    if (piece.empty()) return std::nullopt;
    if (language == Language::kRuby || language == Language::kPhp) {
      if (piece.find("=>") != std::string_view::npos ||
          piece.find(": ") != std::string_view::npos || piece.starts_with('*') ||
          piece.starts_with('&')) {
        return std::nullopt;
      }
    }
    ++out.count;
  }
  return out;
}

std::optional<Arity> count_parameters(std::string_view code, std::size_t open, Language language) {
  const auto list = split_list(code, open);
  if (!list) return std::nullopt;
  const auto& pieces = list->pieces;
  const auto inside = code.substr(open + 1, list->close - open - 1);
  if (inside.find("...") != std::string_view::npos) return std::nullopt;
  if (inside.find('<') != std::string_view::npos && pieces.size() > 1) return std::nullopt;
  Arity out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto piece = pieces[i];
    if (piece.empty()) continue;
    if (c_family(language) && (piece == "void" || piece.starts_with("this "))) continue;
    if (c_family(language) && piece.starts_with('(')) return std::nullopt;
    if (language == Language::kRust && i == 0 &&
        (piece == "self" || piece == "&self" || piece == "&mut self" || piece == "mut self" ||
         piece.starts_with("self:"))) {
      continue;
    }
    if ((language == Language::kTypeScript || language == Language::kTsx) &&
        piece.starts_with("this:"))
      continue;
    ++out.most;
    bool optional = false;
    int depth = 0;
    for (std::size_t k = 0; k < piece.size(); ++k) {
      const char c = piece[k];
      if (c == '(' || c == '[' || c == '{') ++depth;
      if (c == ')' || c == ']' || c == '}') --depth;
      const char next = k + 1 < piece.size() ? piece[k + 1] : ' ';
      if (depth == 0 && c == '=' && next != '>' && next != '=') optional = true;
      if (depth == 0 && c == '?' &&
          (language == Language::kTypeScript || language == Language::kTsx))
        optional = true;
    }
    if (!optional) ++out.least;
  }
  return out;
}

}  // namespace ambit::daemon::review
