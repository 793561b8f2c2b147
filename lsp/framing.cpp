#include "lsp/framing.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace ambit::lsp {
namespace {

constexpr std::string_view kLengthName = "content-length";
constexpr std::string_view kTypeName = "content-type";
// The longest "Content-Length: N\r\n" that resynchronisation looks for, blanks included.
constexpr std::size_t kMaxLengthLine = 64;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same_word(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(),
                    [](char a, char b) { return lower(a) == b; });
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool all_digits(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Saturates: a length of thirty digits is merely too long.
std::uint64_t parse_length(std::string_view digits) {
  std::uint64_t value = 0;
  const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return r.ec == std::errc{} ? value : UINT64_MAX;
}

// The offset in `line` (a line without its break) where "Content-Length: N" starts, if it ends so.
std::size_t length_header_in(std::string_view line) {
  if (line.size() < kLengthName.size() + 2) return std::string_view::npos;
  for (std::size_t at = line.size() - kLengthName.size() - 1;; --at) {
    if (same_word(line.substr(at, kLengthName.size()), kLengthName)) {
      std::string_view rest = line.substr(at + kLengthName.size());
      if (rest.starts_with(':') && all_digits(trim(rest.substr(1)))) return at;
      return std::string_view::npos;
    }
    if (at == 0) return std::string_view::npos;
  }
}

// Whether `tail` can be the start of "Content-Length: N\r\n", the whole of it excluded.
bool starts_length_header(std::string_view tail) {
  const auto name = tail.substr(0, kLengthName.size());
  if (!same_word(name, kLengthName.substr(0, name.size()))) return false;
  std::string_view rest = tail.substr(name.size());
  if (rest.empty()) return true;
  if (rest.front() != ':') return false;
  if (rest.back() == '\r') rest.remove_suffix(1);
  rest = trim(rest.substr(1));
  return rest.empty() || all_digits(rest);
}

// Where a length header begins that the end of the body cuts in two; npos when there is none. Such
// a body is no JSON, so nothing good is lost.
std::size_t header_cut_by_end(std::string_view body) {
  for (auto at = body.size() > kMaxLengthLine ? body.size() - kMaxLengthLine : 0; at < body.size();
       ++at) {
    if (lower(body[at]) == 'c' && starts_length_header(body.substr(at))) return at;
  }
  return std::string_view::npos;
}

struct Header {
  std::optional<std::uint64_t> length;
  std::string problem;  // empty: fine
};

bool utf8_charset(std::string_view content_type) {
  std::string text;
  for (const char c : content_type) {
    if (c != '"' && c != ' ' && c != '\t') text += lower(c);
  }
  const auto at = text.find("charset=");
  if (at == std::string::npos) return true;
  const auto name = std::string_view(text).substr(at + 8);
  const auto value = name.substr(0, name.find(';'));
  return value == "utf-8" || value == "utf8";
}

Header parse_header(std::string_view block) {
  Header h;
  while (!block.empty()) {
    const auto end = block.find("\r\n");
    const std::string_view line = block.substr(0, end);
    block.remove_prefix(end == std::string_view::npos ? block.size() : end + 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
      h.problem = "a header line has no ':'";
      return h;
    }
    const auto name = trim(line.substr(0, colon));
    const auto value = trim(line.substr(colon + 1));
    if (same_word(name, kLengthName)) {
      if (!all_digits(value)) {
        h.problem = "Content-Length is not a number";
        return h;
      }
      const auto length = parse_length(value);
      if (h.length && *h.length != length) {
        h.problem = "two different Content-Length headers";
        return h;
      }
      h.length = length;
    } else if (same_word(name, kTypeName) && !utf8_charset(value)) {
      h.problem = "Content-Type names a charset other than utf-8";
    }
  }
  if (!h.length && h.problem.empty()) h.problem = "no Content-Length header";
  return h;
}

Error corrupt(std::string message) {
  return make_error(Code::kCorrupt, std::move(message));
}

}  // namespace

void FrameReader::feed(std::string_view bytes) {
  buffer_.append(bytes);
}

std::optional<FrameEvent> FrameReader::next() {
  for (;;) {
    switch (state_) {
      case State::kResync:
        if (!resync()) return std::nullopt;
        break;
      case State::kHeader: {
        auto event = read_header();
        if (event || state_ == State::kHeader) return event;
        break;
      }
      case State::kBody:
        return read_body();
    }
  }
}

std::optional<FrameEvent> FrameReader::read_header() {
  // Empty lines between frames are harmless: some clients end each body with one.
  while (buffered() >= 2 && buffer_[start_] == '\r' && buffer_[start_ + 1] == '\n') consume(2);
  const std::string_view rest = std::string_view(buffer_).substr(start_);
  const auto from = scanned_ < 3 ? 0 : scanned_ - 3;
  const auto end = rest.substr(0, kMaxHeaderBytes).find("\r\n\r\n", from);
  if (end == std::string_view::npos) {
    scanned_ = std::min(rest.size(), kMaxHeaderBytes);
    if (rest.size() < kMaxHeaderBytes) return std::nullopt;
    consume(1);  // one byte on, or the search would find this very place again
    state_ = State::kResync;
    return corrupt("no end of the header within 8192 bytes; expected 'Content-Length: N'");
  }
  const Header header = parse_header(rest.substr(0, end));
  if (!header.problem.empty()) {
    consume(1);
    state_ = State::kResync;
    return corrupt(header.problem + "; expected 'Content-Length: N' and an empty line");
  }
  consume(end + 4);
  if (*header.length > max_frame_) {
    state_ = State::kResync;
    return make_error(Code::kResourceExhausted, "a message of " + std::to_string(*header.length) +
                                                    " bytes is over the limit of " +
                                                    std::to_string(max_frame_));
  }
  body_size_ = static_cast<std::size_t>(*header.length);
  state_ = State::kBody;
  return std::nullopt;
}

std::optional<FrameEvent> FrameReader::read_body() {
  const auto have = std::min(buffered(), body_size_);
  const auto cut = find_header(scanned_, have);
  if (cut != std::string::npos) {
    consume(cut);
    state_ = State::kHeader;
    return corrupt("a message was cut short: its body holds the header of the next one");
  }
  // A break whose second half is still to come is looked at again.
  scanned_ = have == 0 ? 0 : have - 1;
  if (have < body_size_) return std::nullopt;
  const auto half = header_cut_by_end(std::string_view(buffer_).substr(start_, body_size_));
  if (half != std::string_view::npos) {
    consume(half);
    state_ = State::kHeader;
    return corrupt("a message was cut short: its body ends with the header of the next one");
  }
  Frame f;
  if (start_ == 0 && buffer_.size() == body_size_) {
    f.body = std::move(buffer_);
    buffer_.clear();
    scanned_ = 0;
  } else {
    f.body = buffer_.substr(start_, body_size_);
    consume(body_size_);
  }
  state_ = State::kHeader;
  return f;
}

// Drops bytes up to the next length header; false when there is none yet.
bool FrameReader::resync() {
  const auto at = find_header(scanned_, buffered());
  if (at != std::string::npos) {
    consume(at);
    state_ = State::kHeader;
    return true;
  }
  const auto keep = std::min(buffered(), kMaxLengthLine);
  consume(buffered() - keep);
  scanned_ = keep == 0 ? 0 : keep - 1;
  return false;
}

// The first "Content-Length: N" whose line break lies at or after `from` and ends before `end`;
// both and the result are relative to start_.
std::size_t FrameReader::find_header(std::size_t from, std::size_t end) {
  const std::string_view rest = std::string_view(buffer_).substr(start_, end);
  for (auto at = rest.find("\r\n", from); at != std::string_view::npos;
       at = rest.find("\r\n", at + 2)) {
    const auto line_start = at > kMaxLengthLine - 2 ? at - (kMaxLengthLine - 2) : 0;
    const auto in_line = length_header_in(rest.substr(line_start, at - line_start));
    if (in_line != std::string_view::npos) return line_start + in_line;
  }
  return std::string::npos;
}

void FrameReader::consume(std::size_t n) {
  start_ += n;
  scanned_ = 0;
  // Give memory back in steps, so that many small frames in one read cost no repeated moves.
  if (start_ == buffer_.size()) {
    buffer_.clear();
    start_ = 0;
  } else if (start_ > buffer_.size() / 2) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
}

std::optional<Error> FrameReader::finish() const {
  if (state_ == State::kBody) {
    return corrupt("the stream ended inside a message: " + std::to_string(buffered()) + " of " +
                   std::to_string(body_size_) + " bytes came");
  }
  if (state_ == State::kHeader && buffered() > 0)
    return corrupt("the stream ended inside a header");
  return std::nullopt;
}

std::string frame(std::string_view body) {
  std::string out = "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out.append(body);
  return out;
}

}  // namespace ambit::lsp
