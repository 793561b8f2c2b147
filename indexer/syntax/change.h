// One change of a text, and what it does to facts that were learnt before it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "indexer/syntax/extract.h"

namespace ambit::indexer {

// Old bytes [begin, end) were replaced; what lies behind moves.
struct TextChange {
  std::uint32_t begin = 0, end = 0;
  std::int64_t bytes = 0, lines = 0;

  [[nodiscard]] bool before(ByteSpan s) const { return s.begin >= end; }
  [[nodiscard]] bool inside(ByteSpan s) const { return s.begin < end && s.end > begin; }
  // Strictly, so that the node's first and last byte are as they were.
  [[nodiscard]] bool deep_inside(ByteSpan s) const { return s.begin < begin && s.end > end; }
  [[nodiscard]] std::uint32_t moved(std::uint32_t at) const {
    return static_cast<std::uint32_t>(at + bytes);
  }
  [[nodiscard]] ByteSpan moved(ByteSpan s) const {
    if (before(s)) return {moved(s.begin), moved(s.end)};
    return {s.begin, inside(s) ? moved(s.end) : s.end};
  }
};

// From the first byte that differs to the last.
[[nodiscard]] TextChange change_between(std::string_view a, std::string_view b);

struct Shift {
  std::int64_t bytes = 0, lines = 0;
  void operator()(std::uint32_t& byte) const { byte = static_cast<std::uint32_t>(byte + bytes); }
  void operator()(ByteSpan& s) const {
    (*this)(s.begin);
    (*this)(s.end);
  }
  void line(std::uint32_t& l) const { l = static_cast<std::uint32_t>(l + lines); }
};

inline void move(Definition& d, const Shift& s) {
  s(d.name);
  s(d.span);
  s(d.declaration);
  s(d.signature_end);
  if (d.doc.end != 0) s(d.doc);
  s.line(d.line);
  s.line(d.end_line);
}
inline void move(Mention& m, const Shift& s) {
  s(m.span);
  s.line(m.line);
}
inline void move(Import& i, const Shift& s) {
  s(i.module);
  s(i.statement);
}
inline void move(Local& l, const Shift& s) {
  s(l.name);
  s(l.within);
  s.line(l.line);
}
inline void move(ByteSpan& e, const Shift& s) {
  s(e);
}
inline void move(Extractor::Item& i, const Shift& s) {
  s(i.span);
}

// Where a fact stands.
inline std::uint32_t place(const Definition& d) {
  return d.name.begin;
}
inline std::uint32_t place(const Mention& m) {
  return m.span.begin;
}
inline std::uint32_t place(const Import& i) {
  return i.module.begin;
}
inline std::uint32_t place(const Local& l) {
  return l.name.begin;
}
inline std::uint32_t place(const ByteSpan& e) {
  return e.begin;
}
// What it covers.
inline ByteSpan cover(const Definition& d) {
  return d.span;
}
inline ByteSpan cover(const Mention& m) {
  return m.span;
}
inline ByteSpan cover(const Import& i) {
  return i.statement;
}
inline ByteSpan cover(const Local& l) {
  return {std::min(l.name.begin, l.within.begin), std::max(l.name.end, l.within.end)};
}
inline ByteSpan cover(const ByteSpan& e) {
  return e;
}

template <class T>
bool ordered(const std::vector<T>& v) {
  return std::is_sorted(v.begin(), v.end(),
                        [](const T& a, const T& b) { return place(a) < place(b); });
}

// Whether the lines around [begin, end) have a '#'.
[[nodiscard]] bool touches_directive(std::string_view text, std::size_t begin, std::size_t end);
// Whether a comment or a string that may run on for lines begins here or ends here, but not both.
[[nodiscard]] bool opens_or_closes(std::string_view text);
// The bracket that somebody typed and has not closed yet (or has closed too early), when those of a
// node are not in balance: the innermost one before `end`.
[[nodiscard]] std::optional<std::size_t> odd_bracket(std::string_view node, std::size_t end);

}  // namespace ambit::indexer
