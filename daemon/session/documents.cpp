#include "daemon/session/documents.h"

#include <algorithm>

namespace ambit::daemon {

std::size_t offset_at(std::string_view text, Position position, PositionEncoding encoding) {
  return lsp::LineTable(text).offset_at(text, position, encoding);
}

Position position_at(std::string_view text, std::size_t offset, PositionEncoding encoding) {
  return lsp::LineTable(text).position_at(text, offset, encoding);
}

void Documents::open(std::string uri, std::string language, std::int64_t version,
                     std::string text) {
  Document document;
  document.uri = uri;
  document.language = std::move(language);
  document.version = version;
  replace(document, std::move(text));
  documents_.insert_or_assign(std::move(uri), std::move(document));
}

Document* Documents::find(const std::string& uri) {
  const auto found = documents_.find(uri);
  return found == documents_.end() ? nullptr : &found->second;
}

void Documents::replace(Document& document, std::string text) {
  document.lines = lsp::LineTable(text);
  document.text = std::make_shared<const std::string>(std::move(text));
  document.opened = ++clock_;
}

void Documents::replace(Document& document, Position start, Position end, std::string_view text,
                        PositionEncoding encoding) {
  const std::string& old = *document.text;
  const std::size_t from = document.offset_at(start, encoding);
  const std::size_t to = std::max(from, document.offset_at(end, encoding));
  std::string next;
  next.reserve(old.size() - (to - from) + text.size());
  next.append(old, 0, from).append(text).append(old, to);
  document.lines.edit(next, from, to, text.size());
  document.text = std::make_shared<const std::string>(std::move(next));
  document.opened = ++clock_;
}

}  // namespace ambit::daemon
