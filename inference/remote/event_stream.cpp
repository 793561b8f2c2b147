#include "inference/remote/event_stream.h"

namespace ambit::inference::remote {

bool EventStream::take_line(std::string_view line) {
  if (line.empty()) return has_data_;
  if (!line.starts_with("data")) return false;
  line.remove_prefix(4);
  if (!line.empty()) {
    if (line[0] != ':') return false;
    line.remove_prefix(1);
    if (line.starts_with(' ')) line.remove_prefix(1);
  }
  if (has_data_) data_ += '\n';
  data_ += line;
  has_data_ = true;
  return false;
}

Result<bool> EventStream::push(std::string_view bytes,
                               const std::function<bool(std::string_view)>& on_data) {
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes[0] == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const auto end = bytes.find_first_of("\r\n");
    const auto piece = bytes.substr(0, end);
    if (line_.size() + data_.size() + piece.size() > kMaxEventBytes) {
      return make_error(Code::kResourceExhausted,
                        "the model server sent an event of more than 1 MiB");
    }
    line_ += piece;
    if (end == std::string_view::npos) return true;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    const bool whole = take_line(line_);
    line_.clear();
    if (!whole) continue;
    const std::string data = std::move(data_);
    data_.clear();
    has_data_ = false;
    if (!on_data(data)) return false;
  }
  return true;
}

}  // namespace ambit::inference::remote
