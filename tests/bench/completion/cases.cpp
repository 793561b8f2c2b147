#include "tests/bench/completion/cases.h"

#include <algorithm>
#include <random>
#include <set>

#include "daemon/support/file.h"
#include "indexer/filter.h"

namespace ambit::bench {

namespace fs = std::filesystem;

Result<Repository> read_repository(const fs::path& root) {
  Repository out;
  out.name = root.filename().string();
  std::error_code error;
  fs::recursive_directory_iterator walk(root, error), end;
  if (error) return make_error(Code::kNotFound, "no folder " + root.string());
  for (; walk != end; walk.increment(error)) {
    if (error) break;
    if (walk->is_directory() && walk->path().filename() == ".git") walk.disable_recursion_pending();
    if (!walk->is_regular_file() || walk->is_symlink()) continue;
    auto text = read_file(walk->path(), std::uint64_t{4} << 20U);
    if (!text) continue;
    const auto path = walk->path().lexically_relative(root).string();
    const auto kind = indexer::classify(path, std::string_view(*text).substr(0, 65536),
                                        text->size(), std::uint64_t{4} << 20U);
    if (!indexer::is_packable(kind)) continue;
    std::erase(*text, '\r');
    out.files.push_back({path, std::move(*text)});
  }
  std::sort(out.files.begin(), out.files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return out;
}

std::string_view to_string(HoleKind kind) {
  switch (kind) {
    case HoleKind::kLine:
      return "line";
    case HoleKind::kRest:
      return "rest";
    case HoleKind::kWord:
      return "word";
  }
  return "?";
}

std::vector<Hole> make_holes(const Repository& repository, std::size_t count, std::uint64_t seed) {
  static const std::set<std::string> kLanguages{".c",  ".h",  ".cc",  ".cpp", ".hpp", ".py", ".go",
                                                ".rs", ".js", ".mjs", ".ts",  ".tsx", ".jsx"};
  const auto is_word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  // Lines are drawn evenly, so a file counts as much as it is long.
  struct Line {
    std::size_t file, begin, end;
  };
  std::vector<Line> lines;
  for (std::size_t f = 0; f < repository.files.size(); ++f) {
    if (!kLanguages.contains(fs::path(repository.files[f].path).extension().string())) continue;
    const std::string& text = repository.files[f].text;
    for (std::size_t at = 0; at < text.size();) {
      auto end = std::min(text.find('\n', at), text.size());
      const auto start = std::min(text.find_first_not_of(" \t", at), end);
      if (end - start >= 6 && end - start <= 200) lines.push_back({f, at, end});
      at = end + 1;
    }
  }
  std::mt19937_64 random(seed);
  std::shuffle(lines.begin(), lines.end(), random);
  std::vector<Hole> out;
  for (const Line& line : lines) {
    if (out.size() == count) break;
    const std::string& text = repository.files[line.file].text;
    std::size_t last = line.end;
    while (last > line.begin && (text[last - 1] == ' ' || text[last - 1] == '\t')) --last;
    const auto start = text.find_first_not_of(" \t", line.begin);
    Hole hole;
    hole.kind = static_cast<HoleKind>(out.size() % 3);
    std::vector<std::size_t> cursors;
    for (std::size_t c = start; c + 4 <= last; ++c) {
      const bool in_word = c > start && is_word(text[c - 1]) && is_word(text[c]);
      const bool boundary = c > start && !in_word;
      if (hole.kind == HoleKind::kLine   ? c == start
          : hole.kind == HoleKind::kRest ? boundary
                                         : in_word) {
        cursors.push_back(c);
      }
    }
    if (cursors.empty()) continue;
    const std::size_t cursor = cursors[random() % cursors.size()];
    hole.file = line.file;
    hole.before = text.substr(0, cursor);
    hole.hidden = text.substr(cursor, last - cursor);
    hole.after = text.substr(line.end);
    out.push_back(std::move(hole));
  }
  return out;
}

double edit_similarity(std::string_view a, std::string_view b) {
  if (a.empty() && b.empty()) return 1;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t k = 0; k <= b.size(); ++k) row[k] = k;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t k = 1; k <= b.size(); ++k) {
      const std::size_t change = diagonal + (a[i - 1] == b[k - 1] ? 0 : 1);
      diagonal = row[k];
      row[k] = std::min({row[k] + 1, row[k - 1] + 1, change});
    }
  }
  return 1 - static_cast<double>(row[b.size()]) / static_cast<double>(std::max(a.size(), b.size()));
}

}  // namespace ambit::bench
