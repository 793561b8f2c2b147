// The base protocol: "Content-Length: N\r\n\r\n" and N bytes, over any split of the byte stream.
//
// A FrameReader never trusts the peer: a length above the limit is refused before a byte of it is
// stored, a header block is at most kMaxHeaderBytes, and memory grows with the bytes that arrived,
// not with the bytes announced. After an error it finds the next frame by itself: it skips to the
// next raw "Content-Length: N\r\n". That cannot be part of a message, because JSON has no raw line
// break inside a string and no such word outside one; for the same reason a header inside an
// unfinished body shows that the sender cut that body short.
//
// One thread. Errors are values in the stream, in the order of the bytes; the split of the bytes
// changes neither frames nor errors (a test checks every split).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/support/result.h"

namespace ambit::lsp {

inline constexpr std::size_t kMaxFrameBytes = std::size_t{512} << 20;
inline constexpr std::size_t kMaxHeaderBytes = 8192;

struct Frame {
  std::string body;  // UTF-8 by the header's word; not yet parsed
};

// Code: kResourceExhausted for a length above the limit (reply -32600), kCorrupt for everything
// else (reply -32700): a header that cannot be read, another charset, a body cut short.
using FrameEvent = std::variant<Frame, Error>;

class FrameReader {
 public:
  explicit FrameReader(std::size_t max_frame_bytes = kMaxFrameBytes)
      : max_frame_(max_frame_bytes) {}

  void feed(std::string_view bytes);
  // The next frame or error; nullopt when more bytes are needed. Call until nullopt after each
  // feed.
  [[nodiscard]] std::optional<FrameEvent> next();
  // At the end of the stream: an Error when it ended inside a frame.
  [[nodiscard]] std::optional<Error> finish() const;
  // Bytes held back, waiting for the rest of a frame.
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - start_; }

 private:
  enum class State { kHeader, kBody, kResync };
  [[nodiscard]] std::optional<FrameEvent> read_header();
  [[nodiscard]] std::optional<FrameEvent> read_body();
  [[nodiscard]] bool resync();
  [[nodiscard]] std::size_t find_header(std::size_t from, std::size_t end);
  void consume(std::size_t n);

  std::size_t max_frame_;
  State state_ = State::kHeader;
  std::string buffer_;         // bytes from start_ on are unread
  std::size_t start_ = 0;      //
  std::size_t scanned_ = 0;    // relative to start_: no line break to look at before here
  std::size_t body_size_ = 0;  // in kBody
};

// The header for a body, and the body.
[[nodiscard]] std::string frame(std::string_view body);

}  // namespace ambit::lsp
