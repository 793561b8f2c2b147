// Text for terminals and Markdown.
#include <algorithm>
#include <cstdio>

#include "daemon/assists/review/format.h"
#include "daemon/support/words.h"

namespace ambit::daemon::review {
namespace {

std::string place(const std::string& path, const Range& r) {
  return path + ":" + std::to_string(r.line + 1) + ":" + std::to_string(r.column + 1);
}

// Control bytes of a file (escape sequences above all) must not reach a terminal.
std::string printable(std::string_view s) {
  std::string out;
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '\t' || c == '\n') {
      out.push_back(c);
    } else if (u < 0x20 || u == 0x7F) {
      out += "\xEF\xBF\xBD";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string summary(const Report& r) {
  std::size_t n[3] = {0, 0, 0};
  for (const auto& f : r.findings) ++n[static_cast<std::size_t>(f.severity)];
  std::string out = r.findings.empty() ? "no findings" : "";
  const auto add = [&](std::size_t count, const char* what) {
    if (count == 0) return;
    if (!out.empty()) out += ", ";
    out += counted(count, what);
  };
  add(n[2], "error");
  add(n[1], "warning");
  if (n[0] > 0) out += (out.empty() ? "" : ", ") + std::to_string(n[0]) + " info";
  out += " in " + counted(r.files, "file") + " (+" + std::to_string(r.added) + " -" +
         std::to_string(r.removed) + ")";
  if (r.suppressed > 0) out += ", " + std::to_string(r.suppressed) + " suppressed";
  return out;
}

}  // namespace

std::string format_text(const Report& report, bool colours) {
  const auto paint = [&](const char* code, const std::string& s) {
    return colours ? std::string("\033[") + code + "m" + s + "\033[0m" : s;
  };
  const char* const kColour[] = {"36", "33", "31;1"};
  std::string out;
  for (const auto& f : report.findings) {
    const auto* colour = kColour[static_cast<std::size_t>(f.severity)];
    out += paint("1", printable(place(f.path, f.range))) + ": " +
           paint(colour, std::string(to_string(f.severity))) + ": " + printable(f.message) + " " +
           paint("2", "[" + f.rule + "]") + "\n";
    const auto end = f.snippet.find('\n');
    const auto first = f.snippet.substr(0, std::min(end, std::size_t{200}));
    if (!first.empty()) {
      const auto number = std::to_string(f.range.line + 1);
      out += paint("2", "  " + number + " | ") + printable(first) + "\n";
      const auto from = std::min<std::size_t>(f.range.column, first.size());
      const auto to = f.range.end_line > f.range.line
                          ? first.size()
                          : std::min<std::size_t>(f.range.end_column, first.size());
      if (to > from) {
        // Tabs stay tabs and bytes of one character take one place.
        std::string mark(number.size() + 2, ' ');
        mark += " | ";
        for (std::size_t i = 0; i < to; ++i) {
          if ((static_cast<unsigned char>(first[i]) & 0xC0U) == 0x80U) continue;
          mark += i < from ? (first[i] == '\t' ? "\t" : " ") : "^";
        }
        out += paint(colour, mark) + "\n";
      }
    }
    for (const auto& r : f.related) {
      out +=
          "  " + paint("2", printable(place(r.path, r.range)) + ": " + printable(r.message)) + "\n";
    }
    if (!f.explanation.empty()) out += "  " + printable(f.explanation) + "\n";
    if (f.fix) out += "  " + paint("32", "fix: " + printable(f.fix->title)) + "\n";
  }
  for (const auto& note : report.notes) out += paint("2", "note: " + printable(note)) + "\n";
  out += summary(report) + "\n";
  return out;
}

std::string finding_markdown(const Finding& f) {
  const char* const kMark[] = {"info", "**warning**", "**error**"};
  std::string out = std::string(kMark[static_cast<std::size_t>(f.severity)]) + " `" + f.rule +
                    "`: " + printable(f.message) + "\n";
  if (!f.explanation.empty()) out += "\n" + printable(f.explanation) + "\n";
  if (!f.snippet.empty()) {
    // A fence longer than any inside, so that code with fences stays code.
    std::size_t run = 0, longest = 2;
    for (const char c : f.snippet) {
      run = c == '`' ? run + 1 : 0;
      longest = std::max(longest, run);
    }
    const std::string fence(longest + 1, '`');
    out += "\n" + fence + "\n" + printable(f.snippet) + (f.snippet.ends_with('\n') ? "" : "\n") +
           fence + "\n";
  }
  for (const auto& r : f.related) {
    out += "- `" + place(r.path, r.range) + "`: " + printable(r.message) + "\n";
  }
  if (f.fix) out += "\nFix: " + printable(f.fix->title) + "\n";
  return out;
}

std::string format_markdown(const Report& report) {
  std::string out = "## Review: " + summary(report) + "\n";
  for (const auto& f : report.findings) {
    out += "\n### `" + place(f.path, f.range) + "`\n\n" + finding_markdown(f);
  }
  for (const auto& note : report.notes) out += "\n> " + printable(note) + "\n";
  return out;
}

}  // namespace ambit::daemon::review
