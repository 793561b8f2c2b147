#include "daemon/assists/refactor/asked_elsewhere.h"

#include <algorithm>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::Language;
using indexer::Symbol;

namespace {

bool asked_elsewhere(const indexer::Snapshot& snapshot, const std::vector<Symbol>& all,
                     const Symbol& d) {
  if (d.kind != indexer::SymbolKind::kMethod) return false;
  const bool alone = all.size() == 1;
  const auto language = indexer::language_of(d.path);
  if (language == Language::kPython) {
    return d.name.size() > 4 && d.name.starts_with("__") && d.name.ends_with("__");
  }
  if (!alone) return false;
  const auto text = snapshot.text(d.path);
  if (!text) return false;
  const auto words = std::string_view(*text);
  if (language == Language::kCpp) {
    const auto end = std::min(words.find_first_of("{;", d.name_span.end), words.size());
    return has_word(words.substr(d.name_span.end, end - d.name_span.end), "override");
  }
  const auto head = words.substr(d.span.begin, d.name_span.begin - d.span.begin);
  return head.find("@Override") != std::string_view::npos;
}

}  // namespace

Result<void> check_not_asked_elsewhere(const indexer::Snapshot& snapshot,
                                       const std::vector<Symbol>& all) {
  for (const auto& d : all) {
    if (!asked_elsewhere(snapshot, all, d)) continue;
    return refusal(
        d.path, d.line,
        d.name +
            " is a method that others ask for by an interface or a class that this does not see");
  }
  return {};
}

}  // namespace ambit::daemon
