#include "indexer/syntax/incremental.h"

#include <algorithm>

namespace ambit::indexer {
namespace {

struct Shift {
  std::int64_t bytes = 0, lines = 0;
  void operator()(std::uint32_t& byte) const { byte = static_cast<std::uint32_t>(byte + bytes); }
  void operator()(ByteSpan& s) const {
    (*this)(s.begin);
    (*this)(s.end);
  }
  void line(std::uint32_t& l) const { l = static_cast<std::uint32_t>(l + lines); }
};

void move(Definition& d, const Shift& s, std::int64_t index) {
  s(d.name);
  s(d.span);
  s(d.declaration);
  s(d.signature_end);
  if (d.doc.end != 0) s(d.doc);
  s.line(d.line);
  s.line(d.end_line);
  if (d.parent >= 0) d.parent = static_cast<std::int32_t>(d.parent + index);
}
void move(Mention& m, const Shift& s) {
  s(m.span);
  s.line(m.line);
}
void move(Import& i, const Shift& s) {
  s(i.module);
  s(i.statement);
}
void move(Local& l, const Shift& s) {
  s(l.name);
  s(l.within);
  s.line(l.line);
}

// Replaces what begins in [begin, end) by `inside`, and moves what comes after.
template <class T, class Begin>
std::vector<T> splice(const std::vector<T>& before, const std::vector<T>& inside, ByteSpan item,
                      const Shift& in, const Shift& after, Begin begin_of) {
  std::vector<T> out;
  out.reserve(before.size() + inside.size());
  const auto first =
      std::lower_bound(before.begin(), before.end(), item.begin,
                       [&](const T& x, std::uint32_t at) { return begin_of(x) < at; });
  const auto last =
      std::lower_bound(first, before.end(), item.end,
                       [&](const T& x, std::uint32_t at) { return begin_of(x) < at; });
  out.insert(out.end(), before.begin(), first);
  for (auto x : inside) {
    move(x, in);
    out.push_back(std::move(x));
  }
  for (auto it = last; it != before.end(); ++it) {
    out.push_back(*it);
    move(out.back(), after);
  }
  return out;
}

// Whether the lines around [begin, end) have a '#'.
bool touches_directive(std::string_view text, std::size_t begin, std::size_t end) {
  while (begin > 0 && text[begin - 1] != '\n') --begin;
  end = std::min(text.find('\n', end), text.size());
  return text.substr(begin, end - begin).find('#') != std::string_view::npos;
}

template <class T, class Begin>
bool ordered(const std::vector<T>& v, Begin begin_of) {
  return std::is_sorted(v.begin(), v.end(),
                        [&](const T& a, const T& b) { return begin_of(a) < begin_of(b); });
}

}  // namespace

Result<LiveFacts> parse_live(Extractor& extractor, Language language, Detail detail,
                             std::string_view text, const ExtractLimits& limits) {
  LiveFacts out;
  AMBIT_TRY(facts, detail == Detail::kOutline
                       ? extractor.outline(language, text, limits, &out.items)
                       : extractor.extract(language, text, limits, &out.items));
  out.facts = std::move(facts);
  return out;
}

std::optional<LiveFacts> update_live(Extractor& extractor, Language language, Detail detail,
                                     const LiveFacts& before, std::string_view old_text,
                                     std::string_view text, const ExtractLimits& limits) {
  // Languages whose blocks end by indentation or at the next heading depend on what follows.
  if (language == Language::kPython || language == Language::kYaml ||
      language == Language::kMarkdown) {
    return std::nullopt;
  }
  const auto common = static_cast<std::ptrdiff_t>(std::min(old_text.size(), text.size()));
  const auto prefix = static_cast<std::size_t>(
      std::mismatch(old_text.begin(), old_text.begin() + common, text.begin()).first -
      old_text.begin());
  const auto left = common - static_cast<std::ptrdiff_t>(prefix);
  const auto suffix = static_cast<std::size_t>(
      std::mismatch(old_text.rbegin(), old_text.rbegin() + left, text.rbegin()).first -
      old_text.rbegin());
  const auto change_end = old_text.size() - suffix;
  const auto it =
      std::upper_bound(before.items.begin(), before.items.end(), prefix,
                       [](std::size_t at, const Extractor::Item& i) { return at < i.span.begin; });
  if (it == before.items.begin()) return std::nullopt;
  const auto& item = *std::prev(it);
  // Strictly inside, so that neither neighbour can join in.
  if (!item.named || item.error || prefix <= item.span.begin || change_end >= item.span.end)
    return std::nullopt;
  if (touches_directive(old_text, prefix, change_end) ||
      touches_directive(text, prefix, text.size() - suffix)) {
    return std::nullopt;  // what #if and #endif enclose may be far away
  }
  if (item.span.begin != 0 && old_text[item.span.begin - 1] != '\n') return std::nullopt;
  const auto delta =
      static_cast<std::int64_t>(text.size()) - static_cast<std::int64_t>(old_text.size());
  const auto new_size = static_cast<std::size_t>(item.span.size() + delta);
  const auto slice = text.substr(item.span.begin, new_size);
  auto part = parse_live(extractor, language, detail, slice, limits);
  if (!part || part->items.size() != 1 || part->items[0].error ||
      part->items[0].type != item.type ||
      part->items[0].span != ByteSpan{0, static_cast<std::uint32_t>(new_size)} ||
      !part->facts.errors.empty()) {
    return std::nullopt;
  }

  const auto lines = [](std::string_view s) { return std::count(s.begin(), s.end(), '\n'); };
  const Shift in{item.span.begin, lines(text.substr(0, item.span.begin))};
  const Shift after{delta,
                    lines(slice) - lines(old_text.substr(item.span.begin, item.span.size()))};
  const auto& old = before.facts;
  const auto name_begin = [](const auto& x) { return x.name.begin; };
  const auto span_begin = [](const auto& x) { return x.span.begin; };
  const auto module_begin = [](const auto& x) { return x.module.begin; };
  if (!ordered(old.definitions, name_begin) || !ordered(old.locals, name_begin))
    return std::nullopt;
  LiveFacts out;
  out.items = before.items;
  const auto index = static_cast<std::size_t>(std::distance(before.items.begin(), std::prev(it)));
  out.items[index].span.end = static_cast<std::uint32_t>(item.span.begin + new_size);
  for (auto i = index + 1; i < out.items.size(); ++i) after(out.items[i].span);
  out.facts.mentions = splice(old.mentions, part->facts.mentions, item.span, in, after, span_begin);
  out.facts.imports = splice(old.imports, part->facts.imports, item.span, in, after, module_begin);
  out.facts.locals = splice(old.locals, part->facts.locals, item.span, in, after, name_begin);
  for (auto e : old.errors) {
    if (e.begin >= item.span.end) after(e);
    out.facts.errors.push_back(e);
  }

  // Definitions: the comment in front of the item stands outside of the part.
  ByteSpan doc;
  std::size_t first = 0;
  while (first < old.definitions.size() && old.definitions[first].name.begin < item.span.begin)
    ++first;
  auto last = first;
  while (last < old.definitions.size() && old.definitions[last].name.begin < item.span.end) ++last;
  for (auto i = first; i < last; ++i) {
    const auto& d = old.definitions[i];
    if (d.doc.end != 0 && d.doc.end <= item.span.begin) doc = d.doc;
  }
  // The change is in the comment of what comes next.
  if (last < old.definitions.size() && old.definitions[last].span.begin < item.span.end)
    return std::nullopt;
  const bool had_outer =
      std::any_of(old.definitions.begin() + static_cast<std::ptrdiff_t>(first),
                  old.definitions.begin() + static_cast<std::ptrdiff_t>(last),
                  [&](const auto& d) { return d.declaration == item.span.begin; });
  auto& definitions = out.facts.definitions;
  definitions.assign(old.definitions.begin(),
                     old.definitions.begin() + static_cast<std::ptrdiff_t>(first));
  for (auto d : part->facts.definitions) {
    if (d.declaration == 0 && !had_outer) return std::nullopt;  // its comment is not known
    const bool outer = d.declaration == 0 && d.doc.end == 0;
    move(d, in, static_cast<std::int64_t>(first));
    if (outer && doc.end != 0) {
      d.doc = doc;
      d.span.begin = doc.begin;
    }
    definitions.push_back(std::move(d));
  }
  const auto moved = static_cast<std::int64_t>(part->facts.definitions.size()) -
                     static_cast<std::int64_t>(last - first);
  for (auto i = last; i < old.definitions.size(); ++i) {
    auto d = old.definitions[i];
    // A comment of the next item does not lie in this one, but its span may begin before: all
    // moves.
    move(d, after, moved);
    definitions.push_back(std::move(d));
  }
  return out;
}

}  // namespace ambit::indexer
