#include "daemon/assists/refactor/edit_format.h"

#include <algorithm>

namespace ambit::daemon {
namespace {

constexpr std::size_t kMaxSteps = 64, kMaxEdits = 500;
constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxTitle = 200, kMaxPath = 4096, kMaxProblems = 20;

constexpr std::string_view kOld = "@@ old", kNew = "@@ new", kEnd = "@@ end";

// The text line by line, without line ends.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  [[nodiscard]] bool done() const { return at_ >= text_.size(); }
  [[nodiscard]] std::string_view peek() const {
    auto line = text_.substr(at_, text_.find('\n', at_) - at_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  std::string_view next() {
    const auto line = peek();
    const auto end = text_.find('\n', at_);
    at_ = end == std::string_view::npos ? text_.size() : end + 1;
    return line;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// Everything up to a line that is `mark`; nullopt when none comes, or another mark before it.
std::optional<std::string> body_until(Lines& lines, std::string_view mark) {
  std::string out;
  while (!lines.done()) {
    const auto line = lines.peek();
    if (line == mark) {
      lines.next();
      return out;
    }
    if (line == kOld || line == kNew || line == kEnd) return std::nullopt;
    out += line;
    out += '\n';
    lines.next();
  }
  return std::nullopt;
}

std::optional<std::string_view> after(std::string_view line, std::string_view word) {
  if (!line.starts_with(word)) return std::nullopt;
  line.remove_prefix(word.size());
  while (line.starts_with(' ')) line.remove_prefix(1);
  while (line.ends_with(' ')) line.remove_suffix(1);
  return line;
}

std::string_view unquoted(std::string_view text) {
  if (text.size() > 1 && text.front() == '`' && text.back() == '`') {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

}  // namespace

std::string printable_line(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text.substr(0, most * 2)) {
    const auto u = static_cast<unsigned char>(c);
    const bool blank = u <= 0x20 || u == 0x7F;
    if (!blank) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  if (out.size() > most) {
    while (most > 0 && (static_cast<unsigned char>(out[most]) & 0xC0U) == 0x80U) --most;
    out.resize(most);
  }
  return out;
}

ModelSteps read_model_steps(std::string_view answer) {
  ModelSteps out;
  const auto problem = [&](std::string words) {
    if (out.problems.size() < kMaxProblems) out.problems.push_back(std::move(words));
  };
  if (answer.size() > kMaxBytes) {
    problem("the answer is longer than 4 MiB");
    return out;
  }
  Lines lines(answer);
  std::size_t edits = 0;
  const auto step = [&]() -> ModelStep& {
    if (out.steps.empty()) out.steps.push_back({"change the code", "", {}});
    return out.steps.back();
  };
  while (!lines.done()) {
    const auto line = lines.next();
    if (const auto title = after(line, "step:")) {
      if (out.steps.size() >= kMaxSteps) {
        problem("only the first 64 steps were read");
        break;
      }
      auto words = printable_line(*title, kMaxTitle);
      out.steps.push_back({words.empty() ? "change the code" : std::move(words), "", {}});
      continue;
    }
    if (const auto words = after(line, "index:")) {
      if (!step().instruction.empty() || !step().edits.empty()) {
        out.steps.push_back({printable_line(*words, kMaxTitle), "", {}});
      }
      step().instruction = printable_line(unquoted(*words), 1000);
      continue;
    }
    const auto changes = after(line, "edit:");
    const auto makes = after(line, "create:");
    if (!changes && !makes) continue;  // words around the edits
    ModelEdit edit;
    edit.create = makes.has_value();
    edit.path = unquoted(changes ? *changes : *makes).substr(0, kMaxPath);
    // Several pairs may follow one path.
    bool any = false;
    while (!lines.done() && (lines.peek().empty() || lines.peek() == (edit.create ? kNew : kOld))) {
      if (lines.next().empty()) continue;
      if (!edit.create) {
        auto old_text = body_until(lines, kNew);
        if (!old_text) break;
        edit.old_text = std::move(*old_text);
      }
      auto new_text = body_until(lines, kEnd);
      if (!new_text) break;
      edit.new_text = std::move(*new_text);
      if (++edits > kMaxEdits) {
        problem("only the first 500 edits were read");
        return out;
      }
      step().edits.push_back(edit);
      any = true;
      if (edit.create) break;
    }
    if (!any) problem("an edit of " + printable_line(edit.path, 100) + " has no end");
  }
  std::erase_if(out.steps,
                [](const ModelStep& s) { return s.edits.empty() && s.instruction.empty(); });
  if (out.steps.empty() && out.problems.empty()) problem("the answer holds no steps");
  return out;
}

std::optional<std::string> read_replacement(std::string_view answer) {
  if (answer.size() > kMaxBytes) return std::nullopt;
  std::optional<std::string> out;
  Lines lines(answer);
  while (!lines.done()) {
    const auto line = lines.next();
    if (line == kOld || line == kEnd) return std::nullopt;
    if (line != kNew) continue;
    if (out) return std::nullopt;
    out = body_until(lines, kEnd);
    if (!out) return std::nullopt;
  }
  return out;
}

std::string_view steps_format() {
  return "Answer with steps in this format and nothing else:\n\n"
         "step: what the step does, in one line\n"
         "edit: path/of/the/file\n"
         "@@ old\n"
         "whole lines, word for word, that stand in that file exactly once\n"
         "@@ new\n"
         "the lines that take their place\n"
         "@@ end\n\n"
         "A step may hold several edits, also of several files. Quote as few lines as make the "
         "place certain. A new file is \"create: path\" with \"@@ new\" and \"@@ end\" alone.\n"
         "What a program can do exactly is not written as edits: a step with one line \"index: "
         "rename A to B\", \"index: add parameter \"DECL\" to F with VALUE\", \"index: remove "
         "parameter P from F\" or \"index: move NAME to PATH\" changes all uses over the whole "
         "repository.\n"
         "All edits refer to the files as shown; two edits never touch the same lines.\n";
}

std::string_view replacement_format() {
  return "Answer with the lines that take the place of the marked ones, in this format and nothing "
         "else:\n\n@@ new\nthe lines\n@@ end\n";
}

}  // namespace ambit::daemon
