#include "daemon/session/documents.h"

#include <algorithm>

namespace ambit::daemon {

namespace {

// Bytes of the character that starts here; a broken byte is a character of its own.
std::size_t character_bytes(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t wanted = lead < 0x80    ? 1
                             : lead >= 0xF0 ? 4
                             : lead >= 0xE0 ? 3
                             : lead >= 0xC2 ? 2
                                            : 1;
  std::size_t n = 1;
  while (n < wanted && at + n < text.size() &&
         (static_cast<unsigned char>(text[at + n]) & 0xC0) == 0x80) {
    ++n;
  }
  return n == wanted ? n : 1;
}

std::uint32_t units(std::size_t bytes, PositionEncoding encoding) {
  switch (encoding) {
    case PositionEncoding::kUtf8:
      return static_cast<std::uint32_t>(bytes);
    case PositionEncoding::kUtf16:
      return bytes == 4 ? 2 : 1;
    case PositionEncoding::kUtf32:
      return 1;
  }
  return 1;
}

// The start of the next line, or npos.
std::size_t next_line(std::string_view text, std::size_t at) {
  const auto end = text.find_first_of("\r\n", at);
  if (end == std::string_view::npos) return end;
  return text[end] == '\r' && end + 1 < text.size() && text[end + 1] == '\n' ? end + 2 : end + 1;
}

}  // namespace

std::size_t offset_at(std::string_view text, Position position, PositionEncoding encoding) {
  std::size_t at = 0;
  for (std::uint32_t line = 0; line < position.line; ++line) {
    at = next_line(text, at);
    if (at == std::string_view::npos) return text.size();
  }
  std::uint32_t column = 0;
  while (at < text.size() && text[at] != '\n' && text[at] != '\r') {
    const std::size_t bytes = character_bytes(text, at);
    column += units(bytes, encoding);
    if (column > position.character) break;
    at += bytes;
  }
  return at;
}

Position position_at(std::string_view text, std::size_t offset, PositionEncoding encoding) {
  Position position;
  std::size_t at = 0;
  while (true) {
    const auto next = next_line(text, at);
    if (next == std::string_view::npos || next > offset) break;
    at = next;
    ++position.line;
  }
  while (at < offset && at < text.size()) {
    const std::size_t bytes = character_bytes(text, at);
    if (at + bytes > offset) break;
    position.character += units(bytes, encoding);
    at += bytes;
  }
  return position;
}

void Documents::open(std::string uri, std::string language, std::int64_t version,
                     std::string text) {
  Document document;
  document.uri = uri;
  document.language = std::move(language);
  document.version = version;
  document.text = std::make_shared<const std::string>(std::move(text));
  document.opened = ++clock_;
  documents_.insert_or_assign(std::move(uri), std::move(document));
}

Document* Documents::find(const std::string& uri) {
  const auto found = documents_.find(uri);
  return found == documents_.end() ? nullptr : &found->second;
}

void Documents::replace(Document& document, std::string text) {
  document.text = std::make_shared<const std::string>(std::move(text));
  document.opened = ++clock_;
}

void Documents::replace(Document& document, Position start, Position end, std::string_view text,
                        PositionEncoding encoding) {
  const std::string& old = *document.text;
  const std::size_t from = offset_at(old, start, encoding);
  const std::size_t to = std::max(from, offset_at(old, end, encoding));
  std::string next;
  next.reserve(old.size() - (to - from) + text.size());
  next.append(old, 0, from).append(text).append(old, to);
  replace(document, std::move(next));
}

}  // namespace ambit::daemon
