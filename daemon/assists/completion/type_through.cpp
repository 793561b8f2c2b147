#include "daemon/assists/completion/type_through.h"

namespace ambit::daemon {

void TypeThrough::add(std::shared_ptr<const std::string> document, std::size_t cursor,
                      std::string text, bool ahead) {
  Entry entry;
  entry.cursor = cursor;
  const auto line_break = cursor == 0 ? std::string::npos : document->rfind('\n', cursor - 1);
  entry.line_start = line_break == std::string::npos ? 0 : line_break + 1;
  entry.full = document->substr(entry.line_start, cursor - entry.line_start) + text;
  entry.document = std::move(document);
  auto& entries = ahead ? ahead_ : shown_;
  entries.push_front(std::move(entry));
  if (entries.size() > (ahead ? kKeptAhead : kKept)) entries.pop_back();
}

std::optional<TypeThrough::Hit> TypeThrough::find(std::string_view document, std::size_t cursor) {
  for (const Entry& entry : shown_) {
    if (auto hit = match(entry, document, cursor)) return hit;
  }
  for (auto entry = ahead_.begin(); entry != ahead_.end(); ++entry) {
    if (cursor < entry->cursor) continue;
    auto hit = match(*entry, document, cursor);
    if (!hit) continue;
    hit->first = true;
    shown_.push_front(std::move(*entry));
    ahead_.erase(entry);
    if (shown_.size() > kKept) shown_.pop_back();
    return hit;
  }
  return std::nullopt;
}

std::optional<TypeThrough::Hit> TypeThrough::match(const Entry& entry, std::string_view document,
                                                   std::size_t cursor) {
  const std::string_view old = *entry.document;
  if (cursor < entry.line_start ||
      document.substr(0, entry.line_start) != old.substr(0, entry.line_start)) {
    return std::nullopt;
  }
  const auto typed = document.substr(entry.line_start, cursor - entry.line_start);
  if (typed.size() >= entry.full.size() || !entry.full.starts_with(typed)) return std::nullopt;
  const auto after = document.substr(cursor), old_after = old.substr(entry.cursor);
  Hit hit;
  hit.rest = entry.full.substr(typed.size());
  if (after == old_after) return hit;
  // foo(| became foo(|) by the editor's hand: the closer is part of the item.
  if (after.size() <= old_after.size() || !after.ends_with(old_after)) return std::nullopt;
  const auto added = after.substr(0, after.size() - old_after.size());
  const auto line = std::string_view(hit.rest).substr(0, hit.rest.find('\n'));
  if (added.size() > 3 || added.find_first_not_of(")]}>\"'`") != std::string_view::npos) {
    return std::nullopt;
  }
  std::size_t at = 0;
  for (const char c : added) {
    at = line.find(c, at);
    if (at == std::string_view::npos) return std::nullopt;
    ++at;
  }
  hit.replace_after = added.size();
  return hit;
}

}  // namespace ambit::daemon
