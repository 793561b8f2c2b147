#include "indexer/syntax/splice.h"

#include <algorithm>

namespace ambit::indexer {
namespace {

class Splice {
 public:
  Splice(const LiveFacts& before, const TextChange& change, const Replaced& again)
      : before_(before), change_(change), again_(again) {}

  std::optional<LiveFacts> merge(LiveFacts part) const {
    LiveFacts out;
    out.known_errors = before_.known_errors;
    const auto& old = before_.facts;
    if (!splice_definitions(std::move(part.facts.definitions), out.facts.definitions) ||
        !splice(old.mentions, part.facts.mentions, out.facts.mentions) ||
        !splice(old.imports, part.facts.imports, out.facts.imports) ||
        !splice(old.locals, part.facts.locals, out.facts.locals) ||
        // What is missing at the end of a node stands behind it.
        !splice(old.errors, part.facts.errors, out.facts.errors, 1)) {
      return std::nullopt;
    }
    out.items.reserve(before_.items.size() + part.items.size());
    const auto order = [](const Extractor::Item& a, const Extractor::Item& b) {
      return std::pair(a.span.begin, a.depth) < std::pair(b.span.begin, b.depth);
    };
    auto next = part.items.begin();
    for (const auto& x : before_.items) {
      if (again_.contains(x.span.begin)) continue;
      auto moved = x;
      move(moved, shift_of(x.span));
      while (next != part.items.end() && order(*next, moved)) out.items.push_back(*next++);
      out.items.push_back(moved);
    }
    out.items.insert(out.items.end(), next, part.items.end());
    return out;
  }

 private:
  [[nodiscard]] Shift shift_of(ByteSpan s) const {
    return change_.before(s) ? Shift{change_.bytes, change_.lines} : Shift{};
  }

  // False when a fact that stays covers the change.
  template <class T>
  bool splice(const std::vector<T>& old, const std::vector<T>& part, std::vector<T>& out,
              std::uint32_t behind = 0) const {
    const Replaced again{{again_.whole.begin, again_.whole.end + behind}, again_.cuts};
    out.reserve(old.size() + part.size());
    auto next = part.begin();
    for (const auto& x : old) {
      if (again.contains(place(x))) continue;
      if (change_.inside(cover(x))) return false;
      auto moved = x;
      move(moved, shift_of(cover(x)));
      while (next != part.end() && place(*next) < place(moved)) out.push_back(*next++);
      out.push_back(std::move(moved));
    }
    out.insert(out.end(), next, part.end());
    return true;
  }

  // Definitions name their parents by index.
  bool splice_definitions(std::vector<Definition> part, std::vector<Definition>& out) const {
    const auto& old = before_.facts.definitions;
    constexpr std::int32_t kGone = -2;
    std::vector<std::int32_t> of_old(old.size(), kGone), of_part(part.size());
    out.reserve(old.size() + part.size());
    std::size_t next = 0;
    const auto take = [&] {
      of_part[next] = static_cast<std::int32_t>(out.size());
      out.push_back(std::move(part[next++]));
    };
    std::vector<std::pair<std::size_t, std::size_t>> kept;  // index in `out`, index in `old`
    for (std::size_t i = 0; i < old.size(); ++i) {
      if (again_.contains(place(old[i]))) continue;
      if (change_.inside(cover(old[i]))) return false;
      auto moved = old[i];
      move(moved, shift_of(cover(old[i])));
      while (next < part.size() && place(part[next]) < place(moved)) take();
      of_old[i] = static_cast<std::int32_t>(out.size());
      kept.emplace_back(out.size(), i);
      out.push_back(std::move(moved));
    }
    while (next < part.size()) take();
    for (std::size_t i = 0; i < of_part.size(); ++i) {
      auto& d = out[static_cast<std::size_t>(of_part[i])];
      if (d.parent >= 0) d.parent = of_part[static_cast<std::size_t>(d.parent)];
    }
    for (const auto& [to, was] : kept) {
      auto& d = out[to];
      if (d.parent < 0) continue;
      const auto parent = static_cast<std::size_t>(d.parent);
      d.parent = of_old[parent];
      if (d.parent != kGone) continue;
      const auto at = change_.moved(old[parent].name).begin;
      const auto it = std::find_if(of_part.begin(), of_part.end(), [&](std::int32_t p) {
        return place(out[static_cast<std::size_t>(p)]) == at;
      });
      if (it == of_part.end()) return false;
      d.parent = *it;
    }
    return true;
  }

  const LiveFacts& before_;
  const TextChange& change_;
  const Replaced& again_;
};

}  // namespace

bool Replaced::contains(std::uint32_t at) const {
  if (at < whole.begin || at >= whole.end) return false;
  const auto c = std::upper_bound(cuts.begin(), cuts.end(), at,
                                  [](std::uint32_t a, ByteSpan s) { return a < s.begin; });
  return c == cuts.begin() || at >= std::prev(c)->end;
}

std::optional<LiveFacts> splice(const LiveFacts& before, LiveFacts part, const TextChange& change,
                                const Replaced& again) {
  return Splice(before, change, again).merge(std::move(part));
}

void put_in_place(LiveFacts& part, const Cuts& cuts, std::string_view text, std::uint32_t begin) {
  const auto now = text.substr(begin);
  if (!cuts.empty()) {
    cuts.restore(now, part.facts);
    for (auto& l : part.facts.locals) {
      l.name = cuts.original(l.name);
      l.within = cuts.original(l.within);
    }
    for (auto& i : part.items) i.span = cuts.original(i.span);
    std::uint32_t line = 0, start = 0;
    const auto set = [&](auto& fact) {
      for (auto n = now.find('\n', start); n < place(fact); n = now.find('\n', start)) {
        ++line;
        start = static_cast<std::uint32_t>(n + 1);
      }
      fact.line = line;
      fact.column = place(fact) - start;
    };
    for (auto& m : part.facts.mentions) set(m);
    line = start = 0;
    for (auto& l : part.facts.locals) set(l);
  }
  const Shift in{begin, std::count(text.begin(), text.begin() + begin, '\n')};
  for (auto& x : part.facts.definitions) move(x, in);
  for (auto& x : part.facts.mentions) move(x, in);
  for (auto& x : part.facts.imports) move(x, in);
  for (auto& x : part.facts.locals) move(x, in);
  for (auto& x : part.facts.errors) move(x, in);
  for (auto& x : part.items) move(x, in);
}

}  // namespace ambit::indexer
