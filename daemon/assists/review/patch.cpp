#include "daemon/assists/review/patch.h"

#include <charconv>
#include <vector>

namespace ambit::daemon::review {
namespace {

using indexer::Change;
using indexer::LineOrigin;

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

Error bad(std::size_t line, std::string_view what) {
  return make_error(Code::kInvalidArgument, "the patch is not a unified diff: line " +
                                                std::to_string(line + 1) + ": " +
                                                std::string(what));
}

// "a/src/x.c\t2020-01-01" -> "src/x.c"; /dev/null -> "".
std::string path_of(std::string_view word) {
  word = word.substr(0, word.find('\t'));
  if (word.ends_with('\r')) word.remove_suffix(1);
  if (word == "/dev/null") return "";
  if (word.starts_with("a/") || word.starts_with("b/")) word.remove_prefix(2);
  return std::string(word);
}

bool inside(std::string_view path) {
  if (path.starts_with('/')) return false;
  const std::string padded = "/" + std::string(path) + "/";
  return padded.find("/../") == std::string::npos && path.find('\0') == std::string_view::npos;
}

// "12,3" of "@@ -12,3 +14,5 @@"; git counts from 1, an empty side names the line before it.
bool side(std::string_view& rest, char mark, std::uint32_t& start, std::uint32_t& count) {
  if (!rest.starts_with(mark)) return false;
  rest.remove_prefix(1);
  const auto number = [&](std::uint32_t& value) {
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc{}) return false;
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    return value < (1U << 30);
  };
  count = 1;
  if (!number(start)) return false;
  if (rest.starts_with(',')) {
    rest.remove_prefix(1);
    if (!number(count)) return false;
  }
  if (count > 0 && start == 0) return false;
  if (count > 0) --start;
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  return true;
}

}  // namespace

Result<indexer::Diff> parse_patch(std::string_view text) {
  if (text.size() > (std::size_t{64} << 20)) {
    return make_error(Code::kResourceExhausted, "the patch is larger than 64 MiB");
  }
  const auto lines = split_lines(text);
  indexer::Diff out;
  out.name = "patch";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with("--- ") || i + 1 >= lines.size() ||
        !lines[i + 1].starts_with("+++ ")) {
      continue;  // headers of git, of mail, renames without a change
    }
    indexer::FileDiff f;
    f.old_path = path_of(lines[i].substr(4));
    f.new_path = path_of(lines[i + 1].substr(4));
    f.old_mode = f.new_mode = 0100644;
    if (!inside(f.old_path) || !inside(f.new_path)) return bad(i, "a path leaves the repository");
    if (f.old_path.empty() && f.new_path.empty()) return bad(i, "both sides are /dev/null");
    f.change = f.old_path.empty()         ? Change::kAdded
               : f.new_path.empty()       ? Change::kDeleted
               : f.old_path == f.new_path ? Change::kModified
                                          : Change::kRenamed;
    if (f.old_path.empty()) f.old_path = f.new_path;
    if (f.new_path.empty()) f.new_path = f.old_path;
    i += 2;
    for (; i < lines.size() && lines[i].starts_with("@@ "); ++i) {
      indexer::Hunk hunk;
      auto rest = lines[i].substr(3);
      if (!side(rest, '-', hunk.old_start, hunk.old_count) ||
          !side(rest, '+', hunk.new_start, hunk.new_count) || !rest.starts_with("@@")) {
        return bad(i, "a hunk's header is not @@ -A,B +C,D @@");
      }
      std::uint32_t old_line = hunk.old_start, new_line = hunk.new_start;
      const auto old_end = old_line + hunk.old_count, new_end = new_line + hunk.new_count;
      while (old_line < old_end || new_line < new_end) {
        if (++i >= lines.size()) return bad(i, "the hunk ends too early");
        auto line = lines[i];
        if (line.starts_with('\\')) continue;
        const char mark = line.empty() ? ' ' : line.front();
        if (!line.empty()) line.remove_prefix(1);
        indexer::DiffLine d;
        d.old_line = old_line;
        d.new_line = new_line;
        d.text = line;
        if (d.text.ends_with('\r')) d.text.pop_back();
        if (mark == '+' && new_line < new_end) {
          d.origin = LineOrigin::kAdded;
          ++new_line;
          ++f.added;
        } else if (mark == '-' && old_line < old_end) {
          d.origin = LineOrigin::kRemoved;
          ++old_line;
          ++f.removed;
        } else if (mark == ' ' && old_line < old_end && new_line < new_end) {
          ++old_line;
          ++new_line;
        } else {
          return bad(i, "the lines do not fit the hunk's header");
        }
        hunk.lines.push_back(std::move(d));
      }
      if (i + 1 < lines.size() && lines[i + 1].starts_with('\\')) ++i;
      f.hunks.push_back(std::move(hunk));
    }
    --i;
    out.files.push_back(std::move(f));
  }
  if (out.files.empty() && text.find_first_not_of(" \t\r\n") != std::string_view::npos &&
      text.find("diff --git ") == std::string_view::npos) {
    return make_error(Code::kInvalidArgument,
                      "the patch holds no file: give the output of git diff");
  }
  return out;
}

namespace {

// The text with one side of the hunks turned into the other; nullopt when it does not fit.
std::optional<std::string> turn(std::string_view text, const indexer::FileDiff& file,
                                bool to_after) {
  const auto lines = split_lines(text);
  std::string out;
  std::size_t at = 0;
  const auto put = [&](std::string_view line) {
    out += line;
    out.push_back('\n');
  };
  const auto same = [](std::string_view a, std::string_view b) {
    if (a.ends_with('\r')) a.remove_suffix(1);
    return a == b;
  };
  for (const auto& hunk : file.hunks) {
    const std::size_t start = to_after ? hunk.old_start : hunk.new_start;
    if (start < at || start > lines.size()) return std::nullopt;
    while (at < start) put(lines[at++]);
    for (const auto& line : hunk.lines) {
      const bool added = line.origin == LineOrigin::kAdded;
      const bool removed = line.origin == LineOrigin::kRemoved;
      const bool in_text = to_after ? !added : !removed;
      const bool in_out = to_after ? !removed : !added;
      if (in_text && (at >= lines.size() || !same(lines[at], line.text))) return std::nullopt;
      if (in_out) put(in_text ? lines[at] : std::string_view(line.text));
      if (in_text) ++at;
    }
  }
  while (at < lines.size()) put(lines[at++]);
  if (!text.empty() && !text.ends_with('\n') && !out.empty()) out.pop_back();
  return out;
}

}  // namespace

Result<PatchSides> sides_of(
    const indexer::FileDiff& file,
    const std::function<Result<std::string>(const std::string& path)>& read) {
  PatchSides out;
  if (file.change == Change::kAdded) {
    if (auto made = turn("", file, true)) {
      out.after = std::move(*made);
      return out;
    }
  }
  if (auto text = read(file.new_path); text && file.change != Change::kDeleted) {
    if (auto before = turn(*text, file, false)) {
      out.before = std::move(*before);
      out.after = std::move(*text);
      return out;
    }
  }
  if (auto text = read(file.old_path)) {
    if (auto after = turn(*text, file, true)) {
      out.before = std::move(*text);
      out.after = std::move(*after);
      return out;
    }
  } else if (file.change == Change::kDeleted) {
    if (auto before = turn("", file, false)) {
      out.before = std::move(*before);
      return out;
    }
  }
  return make_error(Code::kInvalidArgument, "the patch of " + file.new_path +
                                                " fits neither before nor after the files here");
}

}  // namespace ambit::daemon::review
