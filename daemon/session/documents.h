// Open buffers of one editor window. One strand.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lsp/position.h"

namespace ambit::daemon {

using lsp::PositionEncoding;
using Position = lsp::LineColumn;  // in units of the negotiated encoding

// The same for a text whose lines nobody has counted yet; the rules are those of lsp/position.h.
[[nodiscard]] std::size_t offset_at(std::string_view text, Position position,
                                    PositionEncoding encoding);
[[nodiscard]] Position position_at(std::string_view text, std::size_t offset,
                                   PositionEncoding encoding);

struct Document {
  std::string uri, language;
  std::int64_t version = 0;
  std::shared_ptr<const std::string> text = std::make_shared<std::string>();
  lsp::LineTable lines{""};  // of *text
  std::uint64_t opened = 0;  // rises with each didOpen and edit: most recently used last

  [[nodiscard]] std::size_t offset_at(Position position, PositionEncoding encoding) const {
    return lines.offset_at(*text, position, encoding);
  }
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
