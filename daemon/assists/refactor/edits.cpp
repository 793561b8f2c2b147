#include "daemon/assists/refactor/edits.h"

#include <algorithm>

#include "indexer/git/text_diff.h"
#include "indexer/syntax/extract.h"

namespace ambit::daemon {
namespace {

bool inside_character(std::string_view text, std::size_t at) {
  return at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U &&
         static_cast<unsigned char>(text[at - 1]) >= 0x80U;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

Result<std::string> apply_edits(std::string_view text, std::vector<TextEdit>& edits) {
  std::stable_sort(edits.begin(), edits.end(),
                   [](const TextEdit& a, const TextEdit& b) { return a.span < b.span; });
  std::size_t grown = text.size();
  for (std::size_t i = 0; i < edits.size(); ++i) {
    const auto& e = edits[i];
    if (e.span.begin > e.span.end || e.span.end > text.size()) {
      return make_error(Code::kInvalidArgument, "an edit leaves the file");
    }
    if (inside_character(text, e.span.begin) || inside_character(text, e.span.end)) {
      return make_error(Code::kInvalidArgument, "an edit cuts a character in two");
    }
    if (i > 0) {
      const auto& before = edits[i - 1];
      const bool same_insertion = before.span == e.span && e.span.size() == 0;
      if (before.span.end > e.span.begin || same_insertion) {
        return make_error(Code::kInvalidArgument, "two edits change the same place");
      }
    }
    grown += e.text.size();
  }
  std::string out;
  out.reserve(grown);
  std::size_t at = 0;
  for (const auto& e : edits) {
    out.append(text.substr(at, e.span.begin - at));
    out += e.text;
    at = e.span.end;
  }
  out.append(text.substr(at));
  return out;
}

std::string_view line_end_of(std::string_view text) {
  std::size_t crlf = 0, lf = 0;
  for (auto at = text.find('\n'); at != std::string_view::npos && crlf + lf < 1000;
       at = text.find('\n', at + 1)) {
    (at > 0 && text[at - 1] == '\r' ? crlf : lf) += 1;
  }
  return crlf > lf ? "\r\n" : "\n";
}

std::string with_line_ends(std::string_view text, std::string_view line_end) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\n') {
      out += line_end;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::size_t syntax_errors(indexer::Language language, std::string_view text) {
  if (language == indexer::Language::kNone) return 0;
  thread_local indexer::Extractor extractor;
  const auto errors = extractor.grammar_errors(language, text);
  return errors ? errors->size() : 0;
}

Result<void> check_syntax(const FileChange& change) {
  if (!change.after) return {};
  const std::string_view before = change.before ? std::string_view(*change.before) : "";
  const auto language = indexer::language_of(
      change.path, std::string_view(*change.after).substr(0, std::size_t{1} << 16));
  const auto old_errors = change.before ? syntax_errors(language, before) : 0;
  const auto new_errors = syntax_errors(language, *change.after);
  if (new_errors <= old_errors) return {};
  return make_error(Code::kInvalidArgument,
                    change.path + " would not parse: " + std::to_string(new_errors) +
                        " syntax errors, " + std::to_string(old_errors) + " before");
}

Result<std::string> unified_diff_of(const ChangeSet& changes) {
  std::string out;
  for (const auto& [path, c] : changes) {
    if (c.before == c.after) continue;
    const auto view = [](const std::optional<std::string>& t) -> std::optional<std::string_view> {
      if (!t) return std::nullopt;
      return std::string_view(*t);
    };
    AMBIT_TRY(diff, indexer::unified_diff(path, view(c.before), view(c.after)));
    out += diff;
  }
  return out;
}

Result<void> check_path(std::string_view path) {
  const auto refuse = [&] {
    std::string shown(path.substr(0, 200));
    for (auto& c : shown) {
      if (static_cast<unsigned char>(c) < 0x20) c = '?';
    }
    return make_error(Code::kPermission, "'" + shown + "' is not a path inside the repository");
  };
  if (path.empty() || path.size() > 4096 || path.front() == '/') return refuse();
  for (const char c : path) {
    if (c == '\0' || c == '\n' || c == '\r' || c == '\\') return refuse();
  }
  for (std::size_t at = 0; at <= path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    const auto part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return refuse();
    if (part.size() == 4 && part[0] == '.' && lower(part[1]) == 'g' && lower(part[2]) == 'i' &&
        lower(part[3]) == 't') {
      return refuse();
    }
    at = end + 1;
  }
  return {};
}

}  // namespace ambit::daemon
