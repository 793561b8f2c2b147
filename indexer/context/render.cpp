#include "indexer/context/render.h"

#include <algorithm>
#include <map>
#include <set>

#include "indexer/file_class.h"

namespace ambit::indexer::context {
namespace {

// Appends text with LF line ends and exactly one newline at the end.
void append_text(std::string& out, std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      if (i + 1 >= text.size() || text[i + 1] != '\n') out += '\n';
      continue;
    }
    out += text[i];
  }
  out += '\n';
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto n = text.find('\n');
    lines.push_back(text.substr(0, n));
    if (n == std::string_view::npos) break;
    text.remove_prefix(n + 1);
  }
  return lines;
}

bool is_type(SymbolKind kind) {
  return kind == SymbolKind::kClass || kind == SymbolKind::kStruct || kind == SymbolKind::kEnum ||
         kind == SymbolKind::kInterface || kind == SymbolKind::kUnion || kind == SymbolKind::kTrait;
}

}  // namespace

std::string render_preamble(std::string_view repository) {
  return "Repository " + std::string(repository) + ".\n\n";
}

std::string render_map(const std::vector<FileInfo>& files, std::size_t max_bytes) {
  std::map<std::string_view, std::vector<std::string_view>> directories;
  for (const FileInfo& f : files) {
    if (f.skipped == to_string(FileClass::kIgnored) || f.skipped == to_string(FileClass::kSecret)) {
      continue;
    }
    const std::string_view path = f.path;
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) {
      directories["."].push_back(path);
    } else {
      directories[path.substr(0, slash)].push_back(path.substr(slash + 1));
    }
  }
  std::string out = "Files:\n";
  std::size_t left_out = 0;
  for (const auto& [directory, names] : directories) {
    std::string line(directory);
    line += ':';
    for (const auto n : names) {
      line += ' ';
      line += n;
    }
    line += '\n';
    if (left_out > 0 || out.size() + line.size() > max_bytes) {
      ++left_out;
    } else {
      out += line;
    }
  }
  if (left_out > 0) out += "and " + std::to_string(left_out) + " more directories\n";
  out += '\n';
  return out;
}

std::string render_file(std::string_view path, std::string_view text) {
  std::string out = "### " + std::string(path) + "\n";
  append_text(out, text);
  out += '\n';
  return out;
}

std::string render_lines(std::string_view path, std::uint32_t first, std::uint32_t last,
                         std::string_view text) {
  std::string out = "### " + std::string(path) + ":" + std::to_string(first + 1) + "-" +
                    std::to_string(last + 1) + "\n";
  append_text(out, text);
  out += '\n';
  return out;
}

bool in_outline(const Symbol& s) {
  return s.kind != SymbolKind::kLabel && s.kind != SymbolKind::kSection && !s.signature.empty();
}

std::vector<std::uint32_t> enclosing(const std::vector<Symbol>& symbols, std::uint32_t c) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < symbols.size(); ++i) {
    const Symbol& p = symbols[i];
    if (i != c && p.span.begin <= symbols[c].span.begin && p.span.end >= symbols[c].span.end &&
        p.span.size() > symbols[c].span.size() &&
        (is_type(p.kind) || p.kind == SymbolKind::kNamespace)) {
      out.push_back(i);
    }
  }
  return out;
}

std::string render_outline(std::string_view path, const std::vector<Symbol>& symbols,
                           const std::vector<std::uint32_t>& chosen, std::string_view text,
                           const OutlineOptions& options) {
  std::vector<std::uint32_t> shown;
  if (chosen.empty()) {
    for (std::uint32_t i = 0; i < symbols.size(); ++i) {
      if (in_outline(symbols[i])) shown.push_back(i);
    }
  } else {
    std::set<std::uint32_t> with_parents;
    for (const std::uint32_t c : chosen) {
      if (c >= symbols.size()) continue;
      with_parents.insert(c);
      for (const std::uint32_t p : enclosing(symbols, c)) with_parents.insert(p);
    }
    shown.assign(with_parents.begin(), with_parents.end());
  }
  std::stable_sort(shown.begin(), shown.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (symbols[a].span.begin != symbols[b].span.begin) {
      return symbols[a].span.begin < symbols[b].span.begin;
    }
    return symbols[a].span.end > symbols[b].span.end;
  });
  const std::set<std::uint32_t> asked(chosen.begin(), chosen.end());
  std::string out = "### " + std::string(path) + "\n";
  std::vector<ByteSpan> open;
  std::uint32_t shown_until = 0;  // bytes before this stand in a body already
  for (const std::uint32_t i : shown) {
    const Symbol& s = symbols[i];
    if (s.span.begin < shown_until && s.span.end <= shown_until) continue;
    while (!open.empty() && open.back().end <= s.span.begin) open.pop_back();
    const std::string indent(open.size() * 2, ' ');
    const bool rich = options.rich == nullptr || options.rich->contains(i);
    if (rich && options.docs && !s.doc.empty()) out += indent + "// " + s.doc + "\n";
    const std::uint32_t lines = s.end_line >= s.line ? s.end_line - s.line + 1 : 1;
    if (rich && options.bodies && is_type(s.kind) && lines <= options.max_body_lines &&
        s.span.end <= text.size() && asked.contains(i)) {
      // From the line of the name, not from the doc comment, which may be long.
      append_text(out, lines_of(text, s.line, s.end_line));
      shown_until = s.span.end;
    } else {
      out += indent + s.signature + "\n";
      open.push_back(s.span);
    }
  }
  out += '\n';
  return out;
}

std::string_view lines_of(std::string_view text, std::uint32_t first, std::uint32_t last) {
  std::size_t begin = 0;
  for (std::uint32_t i = 0; i < first; ++i) {
    const auto n = text.find('\n', begin);
    if (n == std::string_view::npos) return {};
    begin = n + 1;
  }
  std::size_t end = begin;
  for (std::uint32_t i = first; i <= last; ++i) {
    const auto n = text.find('\n', end);
    if (n == std::string_view::npos) return text.substr(begin);
    end = n + 1;
  }
  return text.substr(begin, end > begin ? end - 1 - begin : 0);
}

std::vector<LineRange> changed_lines(std::string_view before, std::string_view now,
                                     std::uint32_t join) {
  const auto a = split_lines(before);
  const auto b = split_lines(now);
  std::size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  std::size_t tail = 0;
  while (tail + head < a.size() && tail + head < b.size() &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) {
    ++tail;
  }
  if (head == a.size() && head == b.size()) return {};
  const auto last_line = static_cast<std::uint32_t>(b.empty() ? 0 : b.size() - 1);
  const std::size_t n = a.size() - head - tail;
  const std::size_t m = b.size() - head - tail;
  std::vector<char> kept(m, 0);
  // The longest common subsequence of the middle; past this size one range says it well enough.
  if (n * m <= 1'000'000) {
    std::vector<std::uint16_t> length((n + 1) * (m + 1), 0);
    for (std::size_t i = n; i-- > 0;) {
      for (std::size_t j = m; j-- > 0;) {
        length[i * (m + 1) + j] =
            a[head + i] == b[head + j]
                ? static_cast<std::uint16_t>(length[(i + 1) * (m + 1) + j + 1] + 1)
                : std::max(length[(i + 1) * (m + 1) + j], length[i * (m + 1) + j + 1]);
      }
    }
    for (std::size_t i = 0, j = 0; i < n && j < m;) {
      if (a[head + i] == b[head + j]) {
        kept[j] = 1;
        ++i;
        ++j;
      } else if (length[(i + 1) * (m + 1) + j] >= length[i * (m + 1) + j + 1]) {
        ++i;
      } else {
        ++j;
      }
    }
  }
  std::vector<LineRange> ranges;
  const auto add = [&](std::uint32_t line) {
    line = std::min(line, last_line);
    if (!ranges.empty() && line <= ranges.back().last + join) {
      ranges.back().last = std::max(ranges.back().last, line);
    } else {
      ranges.push_back({line, line});
    }
  };
  for (std::size_t j = 0; j < m; ++j) {
    if (kept[j] == 0) add(static_cast<std::uint32_t>(head + j));
  }
  if (ranges.empty()) add(static_cast<std::uint32_t>(head));  // only deletions
  return ranges;
}

}  // namespace ambit::indexer::context
