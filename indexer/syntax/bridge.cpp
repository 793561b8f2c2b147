#include "indexer/syntax/c_text.h"
#include "indexer/syntax/change.h"
#include "indexer/syntax/live.h"

namespace ambit::indexer {
namespace {

// Where things of the old text are in the new one.
class Bridge {
 public:
  Bridge(std::string_view old_text, std::string_view text)
      : text_(text), change_(change_between(old_text, text)) {
    const auto newline = old_text.find('\n', change_.end);
    line_end_ = static_cast<std::uint32_t>(std::min(newline, old_text.size()));
    const auto before = text.substr(0, change_.moved(line_end_)).rfind('\n');
    line_start_ = before == std::string_view::npos ? 0 : static_cast<std::uint32_t>(before + 1);
  }

  Facts facts(const Facts& before) const {
    Facts out;
    definitions(before.definitions, out.definitions);
    for (auto m : before.mentions) {
      if (touched(m.span)) continue;
      line_and_column(m.span.begin, m.line, m.column);
      m.span = change_.moved(m.span);
      out.mentions.push_back(m);
    }
    for (const auto& i : before.imports) {
      if (!touched(i.module)) out.imports.push_back({change_.moved(i.module), grown(i.statement)});
    }
    for (auto l : before.locals) {
      if (touched(l.name)) continue;
      line_and_column(l.name.begin, l.line, l.column);
      l.name = change_.moved(l.name);
      l.within = grown(l.within);
      out.locals.push_back(l);
    }
    const ByteSpan hole{change_.begin, std::max(change_.moved(change_.end), change_.begin + 1)};
    bool noted = false;
    for (const auto& e : before.errors) {
      if (touched(e)) continue;
      if (!noted && e.begin >= change_.end) {
        out.errors.push_back(hole);
        noted = true;
      }
      out.errors.push_back(change_.moved(e));
    }
    if (!noted) out.errors.push_back(hole);
    return out;
  }

 private:
  [[nodiscard]] bool touched(ByteSpan s) const {
    return s.begin <= change_.end && s.end >= change_.begin;
  }
  // A span that may reach into the change; what is left of it when the rest is gone.
  [[nodiscard]] ByteSpan grown(ByteSpan s) const {
    const auto now = change_.moved(change_.end);
    if (s.begin >= change_.end) {
      s.begin = change_.moved(s.begin);
    } else if (s.begin > change_.begin) {
      s.begin = now;
    }
    if (s.end > change_.begin) s.end = s.end < change_.end ? now : change_.moved(s.end);
    return {s.begin, std::max(s.begin, s.end)};
  }
  void line_and_column(std::uint32_t begin, std::uint32_t& line, std::uint32_t& column) const {
    if (begin < change_.end) return;
    line = static_cast<std::uint32_t>(line + change_.lines);
    if (begin <= line_end_) column = change_.moved(begin) - line_start_;
  }
  [[nodiscard]] bool word_before(std::uint32_t at) const {
    return at > change_.begin && word_byte(text_[at - 1]);
  }
  // The name with what was typed into it or at its end; empty when it is not there any more.
  [[nodiscard]] ByteSpan name(ByteSpan s) const {
    if (!touched(s)) return change_.moved(s);
    if (s.begin == change_.end && !word_before(change_.moved(s.begin))) return change_.moved(s);
    if (s.begin > change_.begin) return {};
    return {s.begin, static_cast<std::uint32_t>(word_end(text_, s.begin))};
  }

  void definitions(const std::vector<Definition>& before, std::vector<Definition>& out) const {
    out.reserve(before.size());
    std::vector<std::int32_t> place(before.size(), -1);  // of the nearest that is still there
    for (std::size_t i = 0; i < before.size(); ++i) {
      auto d = before[i];
      const auto parent = d.parent < 0 ? -1 : place[static_cast<std::size_t>(d.parent)];
      const auto now = name(d.name);
      if (now.size() == 0) {
        place[i] = parent;
        continue;
      }
      const auto end = d.span.end;
      if (now.begin == change_.moved(d.name.begin)) line_and_column(d.name.begin, d.line, d.column);
      d.name = now;
      d.span = grown(d.span);
      d.span.end = std::max(d.span.end, d.name.end);
      if (end >= change_.end && end > change_.begin)
        d.end_line = static_cast<std::uint32_t>(d.end_line + change_.lines);
      d.end_line = std::max(d.end_line, d.line);
      d.declaration = std::min(grown({d.declaration, d.declaration}).begin, d.name.begin);
      d.signature_end = std::max(grown({d.signature_end, d.signature_end}).end, d.name.end);
      if (d.doc.end != 0) d.doc = grown(d.doc);
      if (d.doc.size() == 0) d.doc = {};
      d.parent = parent;
      place[i] = static_cast<std::int32_t>(out.size());
      out.push_back(std::move(d));
    }
  }

  const std::string_view text_;
  const TextChange change_;
  std::uint32_t line_end_ = 0;    // of the line on which the change ends, in the old text
  std::uint32_t line_start_ = 0;  // of the same line, in the new text
};

}  // namespace

Facts bridge(const Facts& before, std::string_view old_text, std::string_view text) {
  return Bridge(old_text, text).facts(before);
}

}  // namespace ambit::indexer
