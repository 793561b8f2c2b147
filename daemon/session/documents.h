// Open buffers of one editor window. One strand.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ambit::daemon {

enum class PositionEncoding { kUtf8, kUtf16, kUtf32 };

struct Position {
  std::uint32_t line = 0;
  std::uint32_t character = 0;  // in units of the negotiated encoding
};

// Byte offset of a position. Past the end of a line: its end; past the last line: the end of the
// text; inside a character: its start. Lines end in \n, \r\n or \r.
[[nodiscard]] std::size_t offset_at(std::string_view text, Position position,
                                    PositionEncoding encoding);
[[nodiscard]] Position position_at(std::string_view text, std::size_t offset,
                                   PositionEncoding encoding);

struct Document {
  std::string uri, language;
  std::int64_t version = 0;
  std::shared_ptr<const std::string> text = std::make_shared<std::string>();
  std::uint64_t opened = 0;  // rises with each didOpen and edit: most recently used last
};

class Documents {
 public:
  void open(std::string uri, std::string language, std::int64_t version, std::string text);
  void close(const std::string& uri) { documents_.erase(uri); }
  // Null when it is not open.
  [[nodiscard]] Document* find(const std::string& uri);
  void replace(Document& document, std::string text);
  void replace(Document& document, Position start, Position end, std::string_view text,
               PositionEncoding encoding);
  [[nodiscard]] const std::map<std::string, Document>& all() const { return documents_; }

 private:
  std::map<std::string, Document> documents_;
  std::uint64_t clock_ = 0;
};

}  // namespace ambit::daemon
