#include "inference/tokenizer/pre_tokenizer.h"

#include <array>

#include "inference/tokenizer/char_class.h"
#include "inference/tokenizer/utf8.h"

namespace ambit::inference {
namespace {

constexpr std::uint8_t kEnd = 0xFF;  // the zone ends here

constexpr std::uint8_t id(CharClass c) {
  return static_cast<std::uint8_t>(c);
}

bool is_word(std::uint8_t c) {
  return c == id(CharClass::kLetter) || c == id(CharClass::kMark);
}
bool is_punct(std::uint8_t c) {
  return c == id(CharClass::kPunctuation) || c == id(CharClass::kSymbol);
}
bool is_newline(char c) {
  return c == '\n' || c == '\r';
}
bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_cjk(std::uint32_t cp) {
  return (cp >= 0x4E00 && cp <= 0x9FA5) || (cp >= 0x3040 && cp <= 0x30FF);
}

const std::array<std::uint8_t, 128>& ascii_classes() {
  static const auto table = [] {
    std::array<std::uint8_t, 128> t{};
    for (std::uint32_t c = 0; c < 128; ++c) t[c] = id(CharClasses::get().of(c));
    return t;
  }();
  return table;
}

}  // namespace

PieceScanner::Char PieceScanner::peek(std::size_t pos) const {
  if (pos >= text_.size()) return {kEnd, 0};
  const auto byte = static_cast<std::uint8_t>(text_[pos]);
  if (byte < 0x80) {
    static const auto& ascii = ascii_classes();
    const std::uint8_t cls = ascii[byte];
    if (zone_ == Zone::kCjk || cls == id(CharClass::kNumber)) return {kEnd, 0};
    return {cls, 1};
  }
  const Utf8Char c = decode_utf8(text_.substr(pos, 4));
  if (c.state != Utf8Char::State::kValid) {
    return zone_ == Zone::kCjk ? Char{kEnd, 0} : Char{id(CharClass::kOther), 1};
  }
  const CharClass cls = CharClasses::get().of(c.code_point);
  if (cls == CharClass::kNumber || is_cjk(c.code_point) != (zone_ == Zone::kCjk)) return {kEnd, 0};
  return {id(cls), static_cast<std::uint8_t>(c.length)};
}

std::size_t PieceScanner::run_of_letters(std::size_t pos) const {
  for (;;) {
    const Char c = peek(pos);
    if (!is_word(c.cls)) return pos;
    pos += c.length;
  }
}

// The end of the main expression's match at pos, or pos when it does not match there.
std::size_t PieceScanner::match(std::size_t pos) const {
  const Char first = peek(pos);
  if (first.cls == kEnd) return pos;
  const char byte = text_[pos];
  std::size_t next = pos + first.length;

  if (is_punct(first.cls) && first.length == 1 && next < text_.size() &&
      is_ascii_letter(text_[next])) {
    while (next < text_.size() && is_ascii_letter(text_[next])) ++next;
    return next;
  }
  if (is_word(first.cls)) return run_of_letters(next);
  if (!is_punct(first.cls) && !is_newline(byte)) {
    const std::size_t end = run_of_letters(next);
    if (end != next) return end;
  }
  if (is_punct(first.cls) || (byte == ' ' && is_punct(peek(next).cls))) {
    for (Char c = peek(next); is_punct(c.cls); c = peek(next)) next += c.length;
    while (next < text_.size() && is_newline(text_[next]) && zone_ != Zone::kCjk) ++next;
    return next;
  }
  if (first.cls != id(CharClass::kSpace)) return pos;

  // White space: up to the last line end of the run; else the run without the character before a
  // visible one; else the single character.
  std::size_t end = pos;
  std::size_t last_begin = pos;
  std::size_t after_newline = pos;
  Char c = first;
  for (; c.cls == id(CharClass::kSpace); c = peek(end)) {
    last_begin = end;
    end += c.length;
    if (is_newline(text_[last_begin])) after_newline = end;
  }
  if (after_newline != pos) return after_newline;
  if (c.cls == kEnd || last_begin == pos) return end;
  return last_begin;
}

std::string_view PieceScanner::next() {
  const std::size_t begin = pos_;
  if (begin == text_.size()) return {};
  if (kind_ == PreTokenizer::kNone) {
    pos_ = text_.size();
    return text_;
  }
  if (zone_ == Zone::kUnset || peek(begin).cls == kEnd) {
    const Utf8Char c = decode_utf8(text_.substr(begin, 4));
    zone_ = Zone::kRest;
    if (c.state == Utf8Char::State::kValid) {
      if (CharClasses::get().of(c.code_point) == CharClass::kNumber) {
        std::size_t end = begin + c.length;
        for (int digits = 1; digits < 3 && end < text_.size(); ++digits) {
          const Utf8Char d = decode_utf8(text_.substr(end, 4));
          if (d.state != Utf8Char::State::kValid ||
              CharClasses::get().of(d.code_point) != CharClass::kNumber) {
            break;
          }
          end += d.length;
        }
        pos_ = end;
        zone_ = Zone::kUnset;
        return text_.substr(begin, end - begin);
      }
      if (is_cjk(c.code_point)) zone_ = Zone::kCjk;
    }
  }
  // What does not match gathers until something does.
  std::size_t gap_end = begin;
  for (;;) {
    const std::size_t end = match(gap_end);
    if (end != gap_end) {
      pos_ = gap_end == begin ? end : gap_end;
      break;
    }
    const Char c = peek(gap_end);
    if (c.cls == kEnd) {
      pos_ = gap_end;
      break;
    }
    gap_end += c.length;
  }
  return text_.substr(begin, pos_ - begin);
}

}  // namespace ambit::inference
