#include "daemon/assists/refactor/visibility.h"

#include <algorithm>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;

Visibility::Visibility(const indexer::Snapshot& snapshot, const RenameGroup& group)
    : snapshot_(snapshot), group_(group) {
  for (const auto& d : group.definitions) targets_.insert(d.path);
  for (const auto& f : snapshot.files()) by_name_[std::string(base_of(f.path))].push_back(f.path);
}

// Files of the repository that #include "…" and <…> of a file may name.
const std::vector<std::string>& Visibility::includes_of(const std::string& path) {
  const auto [it, fresh] = includes_.try_emplace(path);
  if (!fresh) return it->second;
  const auto text = snapshot_.text(path);
  if (!text) return it->second;
  for (auto pos = text->find('#'); pos != std::string::npos; pos = text->find('#', pos + 1)) {
    auto rest = std::string_view(*text).substr(pos + 1, 300);
    const auto skip = [&] {
      while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
    };
    skip();
    if (!rest.starts_with("include")) continue;
    rest.remove_prefix(7);
    skip();
    if (rest.empty() || (rest.front() != '"' && rest.front() != '<')) continue;
    const auto close = rest.find(rest.front() == '"' ? '"' : '>', 1);
    if (close == std::string_view::npos) continue;
    auto name = rest.substr(1, close - 1);
    while (name.starts_with("../") || name.starts_with("./")) {
      name.remove_prefix(name.find('/') + 1);
    }
    const auto found = by_name_.find(std::string(base_of(name)));
    if (found == by_name_.end()) continue;
    for (const auto& candidate : found->second) {
      if (candidate.ends_with(name)) it->second.push_back(candidate);
    }
  }
  return it->second;
}

// C and C++: the transitive closure of includes. Without recursion: chains are long, and may be
// circles.
bool Visibility::reaches(const std::string& path) {
  if (targets_.contains(path)) return true;
  if (const auto it = reaches_.find(path); it != reaches_.end()) return it->second;
  std::set<std::string> seen{path};
  std::vector<std::string> queue{path};
  bool found = false;
  while (!queue.empty() && !found) {
    const auto at = queue.back();
    queue.pop_back();
    if (const auto it = reaches_.find(at); it != reaches_.end()) {
      found = it->second;
      continue;
    }
    for (const auto& next : includes_of(at)) {
      if (targets_.contains(next)) found = true;
      if (seen.insert(next).second) queue.push_back(next);
    }
  }
  reaches_[path] = found;
  return found;
}

// A piece without includes of its own ("list.inc") sees what the files see that include it.
bool Visibility::read_where_seen(const std::string& path) {
  const auto found = snapshot_.search(base_of(path), false, 50);
  if (!found) return false;
  return std::any_of(found->begin(), found->end(), [&](const auto& match) {
    if (match.path == path || !c_family(indexer::language_of(match.path))) return false;
    const auto& includes = includes_of(match.path);
    return std::find(includes.begin(), includes.end(), path) != includes.end() &&
           reaches(match.path);
  });
}

int Visibility::of(const ParsedFile& f) {
  if (targets_.contains(f.path)) return 2;
  const auto& text = f.text;
  if (c_family(f.language)) return reaches(f.path) || read_where_seen(f.path) ? 2 : 0;
  const bool by_folder = f.language == Language::kGo || f.language == Language::kJava ||
                         f.language == Language::kKotlin || f.language == Language::kScala ||
                         f.language == Language::kCSharp || f.language == Language::kSwift;
  for (const auto& target : targets_) {
    if (by_folder && folder_of(target) == folder_of(f.path)) return 2;
  }
  int best = f.language == Language::kCSharp || f.language == Language::kSwift ||
                     f.language == Language::kRuby || f.language == Language::kPhp ||
                     f.language == Language::kLua || f.language == Language::kBash
                 ? 1
                 : 0;
  for (const auto& i : f.facts.imports) {
    const auto statement = std::string_view(text).substr(i.statement.begin, i.statement.size());
    auto module = std::string_view(text).substr(i.module.begin, i.module.size());
    const bool names_it = has_word(statement, group_.name) || has_word(module, group_.name);
    for (const auto& target : targets_) {
      const auto folder = base_of(folder_of(target));
      const bool fits = has_word(module, stem_of(target)) || has_word(module, folder) ||
                        module.find(stem_of(target)) != std::string_view::npos;
      if (fits) best = 2;
    }
    if (names_it) best = std::max(best, 1);
    // "from . import x", "use super::*", "import './'": the folder itself.
    if (module == "." || module == ".." || module.find("super") != std::string_view::npos ||
        module.find("self") != std::string_view::npos || module.starts_with("\"./") ||
        module.starts_with("'./") || module.starts_with("'../") || module.starts_with("\"../") ||
        module.starts_with(".") || module.find("crate") != std::string_view::npos) {
      best = std::max(best, 1);
    }
  }
  return best;
}

int module_fits(const ParsedFile& f, const std::string& qualifier, const RenameGroup& g) {
  int best = -1;
  for (const auto& i : f.facts.imports) {
    const auto text = std::string_view(f.text);
    auto module = text.substr(i.module.begin, i.module.size());
    while (!module.empty() && (module.front() == '"' || module.front() == '\'')) {
      module.remove_prefix(1);
    }
    while (!module.empty() && (module.back() == '"' || module.back() == '\'')) {
      module.remove_suffix(1);
    }
    const auto statement = text.substr(i.statement.begin, i.statement.size());
    auto last = module.substr(std::min(module.size(), module.find_last_of("/.:") + 1));
    if (last.size() < 4 && last.starts_with('v') && f.language == Language::kGo) {  // …/store/v2
      const auto shorter = module.substr(0, module.size() - last.size() - 1);
      last = shorter.substr(std::min(shorter.size(), shorter.find_last_of('/') + 1));
    }
    // Go brings a package under its last name, or under the word in front of the path.
    const auto line = text.rfind('\n', i.module.begin);
    const auto alias =
        text.substr(line == std::string_view::npos ? 0 : line + 1,
                    i.module.begin - (line == std::string_view::npos ? 0 : line + 1));
    const bool brings = f.language == Language::kGo
                            ? has_word(alias, qualifier) || last == qualifier
                            : has_word(statement, qualifier);
    if (!brings) continue;
    bool fits = false;
    for (const auto& d : g.definitions) {
      const auto folder = base_of(folder_of(d.path));
      if (f.language == Language::kGo) {
        const auto whole = folder_of(d.path);
        // The module's root has a path of its own; folders below it end alike.
        fits = fits || whole.empty() || module.ends_with(whole) || whole.ends_with(module) ||
               (folder == last && module.find('.') != std::string_view::npos);
      } else {
        fits = fits || has_word(statement, stem_of(d.path)) || has_word(statement, folder) ||
               module.starts_with(".") || module.starts_with("crate") ||
               module.starts_with("super");
      }
    }
    best = std::max(best, fits ? 1 : 0);
  }
  return best;
}

}  // namespace ambit::daemon
