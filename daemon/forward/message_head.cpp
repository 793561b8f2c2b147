#include "daemon/forward/message_head.h"

namespace ambit::daemon {

namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void skip_space() {
    while (pos_ < text_.size() && (text_[pos_] == ' ' || text_[pos_] == '\t' ||
                                   text_[pos_] == '\n' || text_[pos_] == '\r')) {
      ++pos_;
    }
  }
  bool take(char c) {
    skip_space();
    if (pos_ >= text_.size() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }
  bool at_end() {
    skip_space();
    return pos_ == text_.size();
  }
  // A string with its quotes.
  std::optional<std::string_view> string() {
    skip_space();
    const std::size_t begin = pos_;
    if (!take('"')) return std::nullopt;
    while (true) {
      const std::size_t next = text_.find_first_of("\"\\", pos_);
      if (next == std::string_view::npos) return std::nullopt;
      pos_ = next + 1;
      if (text_[next] == '"') return text_.substr(begin, pos_ - begin);
      if (pos_ >= text_.size()) return std::nullopt;
      ++pos_;
    }
  }
  // Any value. Brackets are counted, not matched by kind: the daemon parses for real.
  std::optional<std::string_view> value() {
    skip_space();
    const std::size_t begin = pos_;
    std::size_t depth = 0;
    while (pos_ < text_.size()) {
      const char c = text_[pos_];
      if (c == '"') {
        if (!string()) return std::nullopt;
        if (depth == 0) break;
        continue;
      }
      if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) break;
        if (--depth == 0) {
          ++pos_;
          break;
        }
      } else if (depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
        break;
      }
      ++pos_;
    }
    if (depth != 0 || pos_ == begin) return std::nullopt;
    return text_.substr(begin, pos_ - begin);
  }

 private:
  std::string_view text_;
  std::size_t pos_ = 0;
};

}  // namespace

std::optional<MessageHead> read_head(std::string_view json) {
  Scanner scanner(json);
  MessageHead head;
  if (!scanner.take('{')) return std::nullopt;
  if (scanner.take('}')) return scanner.at_end() ? std::optional(head) : std::nullopt;
  do {
    const auto key = scanner.string();
    if (!key || !scanner.take(':')) return std::nullopt;
    const auto value = scanner.value();
    if (!value) return std::nullopt;
    if (*key == "\"id\"" && *value != "null") {
      head.id = *value;
    } else if (*key == "\"method\"" && value->size() >= 2 && value->front() == '"') {
      for (std::size_t i = 1; i + 1 < value->size(); ++i) {
        if ((*value)[i] == '\\' && (*value)[i + 1] == '/') continue;
        head.method += (*value)[i];
      }
    } else if (*key == "\"params\"") {
      head.params = *value;
    } else if (*key == "\"error\"") {
      head.is_error = true;
    }
  } while (scanner.take(','));
  return scanner.take('}') && scanner.at_end() ? std::optional(head) : std::nullopt;
}

}  // namespace ambit::daemon
