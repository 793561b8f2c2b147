// The text is taken line by line: each line is either kept, or the completion ends before it. The
// rules, in the order in which they are asked: a loop (one short thing over and over), a closer
// without an opener, a line that stands below the cursor already, less indentation than the
// cursor's line, the end of the block that the first line opened, a blank line outside a block, the
// largest number of lines.
#include "daemon/assists/completion/clean.h"

#include <algorithm>

namespace ambit::daemon {

namespace {

constexpr std::string_view kNothing = "the model offered nothing";
constexpr std::string_view kRepeats = "the model repeats what follows the cursor";
constexpr std::string_view kLoops = "the model repeats itself";
constexpr std::string_view kCloses = "the model only closes what is closed already";
// How far brackets are looked for around the cursor. A class is longer than this now and then; then
// its brackets count as closed, which errs towards showing less.
constexpr std::size_t kBracketWindow = 65536;
constexpr std::size_t kTabColumns = 4;

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (is_space(s.front()) || s.front() == '\n')) s.remove_prefix(1);
  while (!s.empty() && (is_space(s.back()) || s.back() == '\n')) s.remove_suffix(1);
  return s;
}

std::string_view trim_end(std::string_view s) {
  while (!s.empty() && (is_space(s.back()) || s.back() == '\n')) s.remove_suffix(1);
  return s;
}

// Where `text` begins to say one short thing over and over to its end; npos when it does not. Runs
// without a letter or digit are rules and blanks, which people write too.
std::size_t loop_start(std::string_view text) {
  constexpr std::size_t kLongestUnit = 24, kTimes = 8, kLeastBytes = 24;
  for (std::size_t unit = 2; unit <= kLongestUnit && unit * kTimes <= text.size(); ++unit) {
    std::size_t start = text.size() - unit;
    while (start > 0 && text[start - 1] == text[start - 1 + unit]) --start;
    const std::size_t length = text.size() - start;
    if (length < unit * kTimes || length < kLeastBytes) continue;
    const auto word = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    const auto repeated = text.substr(start, unit);
    if (std::any_of(repeated.begin(), repeated.end(), word)) return start;
  }
  return std::string_view::npos;
}

std::string_view leading_space(std::string_view line) {
  std::size_t n = 0;
  while (n < line.size() && is_space(line[n])) ++n;
  return line.substr(0, n);
}

std::size_t columns(std::string_view space) {
  std::size_t n = 0;
  for (const char c : space) n = c == '\t' ? (n / kTabColumns + 1) * kTabColumns : n + 1;
  return n;
}

bool only_closers(std::string_view line) {
  line = trim(line);
  return !line.empty() && line.find_first_not_of(")]};,") == std::string_view::npos;
}

bool starts_with_closer(std::string_view line) {
  line = trim(line);
  return !line.empty() && is_closer(line.front());
}

// Equal but for white space.
bool same_code(std::string_view a, std::string_view b) {
  std::size_t i = 0, k = 0;
  while (true) {
    while (i < a.size() && is_space(a[i])) ++i;
    while (k < b.size() && is_space(b[k])) ++k;
    if (i == a.size() || k == b.size()) return i == a.size() && k == b.size();
    if (a[i++] != b[k++]) return false;
  }
}

}  // namespace

Cleaner::Cleaner(std::string_view path, std::string_view before, std::string_view after,
                 Options options)
    : rules_(lexical_rules(path)), options_(options) {
  const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  line_before_ = before.substr(line_start);
  line_after_ = after.substr(0, after.find('\n'));
  base_indent_ = columns(leading_space(line_before_));
  single_line_ = !trim(line_after_).empty();

  auto above = trim_end(before.substr(0, line_start));
  previous_line_ = above.substr(above.rfind('\n') + 1);
  auto below = after.substr(std::min(line_after_.size(), after.size()));
  while (!below.empty() && following_.size() < 3) {
    below.remove_prefix(1);  // the line break
    const auto line = below.substr(0, below.find('\n'));
    if (!trim(line).empty()) following_.emplace_back(line);
    below.remove_prefix(line.size());
  }

  const auto near_before = before.substr(before.size() - std::min(before.size(), kBracketWindow));
  comment_ = comment_at_end(near_before, rules_);
  const auto open = bracket_balance(near_before, rules_).openers;
  const auto closed = bracket_balance(after.substr(0, kBracketWindow), rules_).closers;
  // What follows closes from the inside out, but the outermost openers are the ones it has: code is
  // half-typed at the cursor, not elsewhere.
  if (closed.size() < open.size()) closable_ = open.substr(closed.size());

  std::size_t tabs = 0, spaces = 0, smallest = 0;
  std::size_t at = 0;
  while (at < near_before.size()) {
    const auto space = leading_space(near_before.substr(at));
    if (space.starts_with('\t')) ++tabs;
    if (space.size() >= 2 && space.find('\t') == std::string_view::npos) {
      ++spaces;
      if (smallest == 0 || space.size() < smallest) smallest = space.size();
    }
    const auto next = near_before.find('\n', at);
    if (next == std::string_view::npos) break;
    at = next + 1;
  }
  file_uses_tabs_ = tabs > spaces;
  if (!file_uses_tabs_ && smallest != 0) file_indent_ = std::min<std::size_t>(smallest, 8);
}

std::string Cleaner::trim_start(std::string_view raw) const {
  std::string text(raw);
  std::erase(text, '\r');
  if (const auto nul = text.find('\0'); nul != std::string::npos) text.resize(nul);
  const bool fresh_line = trim(line_before_).empty();
  std::size_t lines = 0, at = 0;
  // Leading blank lines, up to the first line with text.
  for (std::size_t i = 0; i < text.size() && (is_space(text[i]) || text[i] == '\n'); ++i) {
    if (text[i] == '\n') {
      ++lines;
      at = i + 1;
    }
  }
  if (lines > 0) text.erase(0, at);
  if (!fresh_line) return lines > 0 ? "\n" + text : text;

  // On a fresh line the indentation is there already, wholly or in part.
  const auto space = leading_space(text);
  const std::size_t have = columns(line_before_), written = columns(space);
  if (written == 0) return text;
  if (lines > 0) {
    return std::string(have >= written ? "" : std::string(written - have, ' ')) +
           text.substr(space.size());
  }
  const auto above = trim_end(previous_line_);
  const bool opens = !above.empty() && (above.back() == '{' || above.back() == '(' ||
                                        above.back() == '[' || above.back() == ':');
  const bool already_deeper = have > columns(leading_space(previous_line_));
  if (have > 0 && (!opens || already_deeper)) return text.substr(space.size());
  return text;
}

std::string Cleaner::fix_indentation(std::string_view text) const {
  std::string out;
  bool first = true;
  while (true) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    if (!first) {
      const auto space = leading_space(line);
      const bool has_tabs = space.find('\t') != std::string_view::npos;
      if (file_uses_tabs_ && !space.empty() && !has_tabs) {
        // Spaces in a file of tabs: one level is what the model used, taken as 4 or 2 columns.
        const std::size_t level = space.size() % 4 == 0 ? 4 : 2;
        out.append(space.size() / level, '\t');
        line.remove_prefix(space.size());
      } else if (!file_uses_tabs_ && has_tabs) {
        const auto tabs = static_cast<std::size_t>(std::count(space.begin(), space.end(), '\t'));
        out.append(tabs * file_indent_ + (space.size() - tabs), ' ');
        line.remove_prefix(space.size());
      }
    }
    out += line;
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
    first = false;
  }
}

std::size_t Cleaner::surplus_closer(std::string_view text) const {
  std::string open;                  // opened by the completion itself
  std::string closable = closable_;  // opened before the cursor
  std::size_t surplus = std::string_view::npos;
  // The cursor's own line is read along, so that a string that starts before the cursor is one; and
  // what begins the comment of several lines around it.
  std::string before = line_before_;
  if (comment_) {
    std::string openers = comment_->openers;
    const auto end = text.find(comment_->one_line       ? "\n"
                               : comment_->mark == "/*" ? "*/"
                                                        : comment_->mark);
    surplus = surplus_in_prose(text.substr(0, end), openers);
    if (surplus != std::string_view::npos) return surplus;
    if (!comment_->one_line) before.insert(0, comment_->mark);
  }
  const std::string whole = before + std::string(text);
  for_each_bracket(whole, rules_, [&](std::size_t position, char bracket) {
    if (position < before.size()) return true;
    if (!is_closer(bracket)) {
      open += bracket;
    } else if (!open.empty() && closer_of(open.back()) == bracket) {
      open.pop_back();
    } else if (open.empty() && !closable.empty() && closer_of(closable.back()) == bracket) {
      closable.pop_back();
    } else {
      surplus = position - before.size();
      return false;
    }
    return true;
  });
  return surplus;
}

bool Cleaner::repeats_suffix(std::string_view line) const {
  const auto code = trim(line);
  for (std::size_t i = 0; i < following_.size(); ++i) {
    if (!same_code(code, following_[i])) continue;
    // A short or closing line says little: it must be the very next one, equally indented.
    if (code.size() < 6 || only_closers(code)) {
      return i == 0 && columns(leading_space(line)) == columns(leading_space(following_[0]));
    }
    return true;
  }
  return false;
}

Cleaned Cleaner::clean(std::string_view raw, bool ended, bool cut) const {
  std::string text = fix_indentation(trim_start(raw));
  Cleaned out;
  std::string_view reason = kNothing;
  const auto finish_at = [&](std::size_t length, std::string_view why) {
    if (length < text.size()) {
      text.resize(length);
      out.complete = true;
      reason = why;
    }
  };

  if (const auto loop = loop_start(trim_end(text)); loop != std::string_view::npos) {
    const auto line = loop == 0 ? std::string::npos : text.rfind('\n', loop - 1);
    finish_at(line == std::string::npos ? 0 : line, kLoops);
  }
  if (single_line_) finish_at(std::min(text.find('\n'), text.size()), kNothing);
  finish_at(std::min(surplus_closer(text), text.size()), kCloses);

  const bool fresh_line = trim(line_before_).empty();
  std::size_t line_start = 0, kept_lines = 0, blank_lines = 0;
  bool in_block = false;
  std::string so_far = line_before_;
  while (line_start <= text.size()) {
    const auto end = text.find('\n', line_start);
    const bool whole = end != std::string::npos;
    const std::string_view line(text.data() + line_start, (whole ? end : text.size()) - line_start);
    const bool first = line_start == 0;
    const bool blank = trim(line).empty() && !(first && !fresh_line);
    if (blank && whole) {
      // Inside a block one blank line is style; outside it is the end of the thought.
      if (kept_lines > 0 && (!in_block || ++blank_lines > 1)) {
        finish_at(line_start, kNothing);
        break;
      }
    } else if (!blank) {
      const std::size_t indent =
          first ? base_indent_ + (fresh_line ? columns(leading_space(line)) : 0)
                : columns(leading_space(line));
      // The first line of the model continues the cursor's line, so compare the two together.
      const std::string joined = first ? line_before_ + std::string(line) : std::string(line);
      const bool settled = whole || ended || cut;
      if (settled && repeats_suffix(joined) && !(first && !trim(line_after_).empty())) {
        finish_at(line_start, kRepeats);
        if (first) text.clear(), out.complete = true, reason = kRepeats;
        break;
      }
      if (!first) {
        if (indent < base_indent_ ||
            (indent == base_indent_ && !fresh_line && !starts_with_closer(line) &&
             !trim(line_before_).empty() && kept_lines > 0 && !trim(so_far).empty() &&
             !bracket_balance(so_far, rules_).openers.size())) {
          finish_at(line_start, kNothing);
          break;
        }
      }
      ++kept_lines;
      if (whole) so_far += first ? std::string(line) + "\n" : std::string(line) + "\n";
      if (whole) {
        const auto balance = bracket_balance(so_far, rules_);
        const auto code = trim_end(line);
        const bool opens = !balance.openers.empty() ||
                           (rules_.indented_blocks && !code.empty() && code.back() == ':');
        if (opens) in_block = true;
        const bool closed_block = in_block && balance.openers.empty() && !rules_.indented_blocks &&
                                  indent <= base_indent_;
        // The line that was being typed is done when it opened nothing; a block when it is closed.
        const bool typed_line_done =
            first && !fresh_line && !opens && !trim(text.substr(0, end)).empty();
        if (closed_block || typed_line_done || kept_lines >= options_.max_lines) {
          finish_at(end, kNothing);
          break;
        }
      }
    }
    if (!whole) break;
    line_start = end + 1;
  }

  // A tail that stands after the cursor already: `…")` before `")`.
  if (single_line_) {
    const std::string_view rest = line_after_;
    for (std::size_t n = std::min(text.size(), rest.size()); n > 0; --n) {
      if (rest.starts_with(std::string_view(text).substr(text.size() - n)) &&
          !trim(rest.substr(0, n)).empty()) {
        text.resize(text.size() - n);
        if (text.empty()) reason = kRepeats;
        break;
      }
    }
  }
  // A limit cut the last line somewhere: of several lines, show the whole ones.
  if (cut && !out.complete) {
    const auto last = text.rfind('\n');
    if (last != std::string::npos && !trim(std::string_view(text).substr(0, last)).empty()) {
      text.resize(last);
    }
  }
  text.resize(trim_end(text).size());
  if (trim(text).empty()) {
    text.clear();
    out.reason = reason;
    // White space alone is not a thought yet: wait for more, but not for ever.
    out.complete = out.complete || ended || cut || raw.size() > 256;
  }
  out.text = std::move(text);
  out.complete = out.complete || ended || cut;
  return out;
}

}  // namespace ambit::daemon
