#include "daemon/assists/review/uses.h"

#include <algorithm>

#include "daemon/assists/review/use_rules.h"

namespace ambit::daemon::review {

using indexer::Language;

namespace {

bool means(Texts& texts, const Here& h, const Subject& s) {
  if (c_family(s.language)) return c_use(h, s);
  if (script_family(s.language)) return javascript_use(h, s);
  switch (s.language) {
    case Language::kPython:
      return python_use(texts, h, s);
    case Language::kGo:
      return go_use(texts, h, s);
    case Language::kRust:
      return rust_use(h, s);
    case Language::kJava:
      return java_use(h, s);
    default:
      return false;
  }
}

}  // namespace

const Texts::Entry& Texts::at(const std::string& path) {
  const auto [it, fresh] = entries_.try_emplace(path);
  if (!fresh) return it->second;
  auto text = snapshot_.text(path);
  if (!text) return it->second;
  auto& e = it->second;
  e.text = std::move(*text);
  const auto info = snapshot_.file(path);
  e.language = info ? info->language : indexer::language_of(path);
  e.code = code_only(e.text, e.language);
  indexer::ExtractLimits limits;
  limits.time = std::chrono::milliseconds(2000);
  if (auto facts = extractor_.extract(e.language, e.text, limits))
    e.imports = std::move(facts->imports);
  return e;
}

bool same_family(Language a, Language b) {
  return a == b || (c_family(a) && c_family(b)) || (script_family(a) && script_family(b));
}

std::vector<Use> uses_of(Texts& texts, const Subject& subject, std::size_t limit,
                         std::stop_token stop) {
  std::vector<Use> out;
  for (const auto& r : texts.snapshot().references(subject.name, 2000)) {
    if (stop.stop_requested() || out.size() >= limit) break;
    const auto info = texts.snapshot().file(r.path);
    if (!info || !same_family(info->language, subject.language)) continue;
    // In Go such names are the package's, which is a folder.
    const auto sees = [&](const std::string& p) {
      return p == r.path ||
             (subject.language == Language::kGo && folder_of(p) == folder_of(r.path));
    };
    // Python imports names with an underscore like any other.
    if (!subject.exported && subject.language != Language::kPython &&
        std::none_of(subject.paths.begin(), subject.paths.end(), sees)) {
      continue;
    }
    const auto& file = texts.at(r.path);
    if (r.span.end > file.code.size() ||
        std::string_view(file.code).substr(r.span.begin, r.span.size()) != subject.name) {
      continue;  // in a comment or a string
    }
    Here h{file, r.path, r.span, std::string_view(file.code).substr(0, r.span.begin)};
    h.next_at = std::min(file.code.find_first_not_of(" \t\r\n", r.span.end), file.code.size());
    if (h.next_at < file.code.size()) h.next = file.code[h.next_at];
    for (const auto& i : file.imports) {
      if (i.statement.begin <= r.span.begin && r.span.end <= i.statement.end) h.import = &i;
    }
    if (!means(texts, h, subject)) continue;
    Use use;
    use.path = r.path;
    use.span = r.span;
    use.range = {r.line, r.column, r.line, r.column + r.span.size()};
    use.in_import = h.import != nullptr;
    use.call = h.next == '(';
    use.open = h.next_at;
    out.push_back(std::move(use));
  }
  return out;
}

std::string place(const std::string& path, std::uint32_t line) {
  return path + ":" + std::to_string(line + 1);
}

void add_related(Finding& f, const std::vector<Use>& uses, std::string_view what) {
  for (const auto& use : uses) {
    if (f.related.size() >= 10) break;
    f.related.push_back({use.path, use.range, std::string(what)});
  }
}

}  // namespace ambit::daemon::review
