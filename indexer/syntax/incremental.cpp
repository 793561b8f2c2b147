#include "indexer/syntax/incremental.h"

#include <algorithm>
#include <optional>

#include "indexer/syntax/change.h"
#include "indexer/syntax/skim.h"
#include "indexer/syntax/splice.h"

namespace ambit::indexer {
namespace {

using Item = Extractor::Item;

constexpr std::uint32_t kWorthCutting = 160;  // bytes of a sibling
constexpr std::uint32_t kSmallNode = 8192;
constexpr int kMaxAttempts = 3;
constexpr std::size_t kMaxBlanks = 2;

// Neighbours in one level of the tree, as indices of items.
using Siblings = std::vector<std::size_t>;

Siblings children(const std::vector<Item>& items, std::size_t first, std::uint8_t depth) {
  Siblings out;
  for (auto i = first; i < items.size() && items[i].depth >= depth; ++i) {
    if (items[i].depth == depth) out.push_back(i);
  }
  return out;
}

class Update {
 public:
  Update(Extractor& extractor, Language language, LiveDetail detail, const LiveFacts& before,
         std::string_view old_text, std::string_view text, const ExtractLimits& limits)
      : extractor_(extractor),
        language_(language),
        detail_(detail),
        before_(before),
        old_text_(old_text),
        text_(text),
        limits_(limits),
        change_(change_between(old_text, text)) {}

  std::optional<LiveFacts> run() {
    const auto& facts = before_.facts;
    if (!ordered(facts.definitions) || !ordered(facts.mentions) || !ordered(facts.imports) ||
        !ordered(facts.locals) || !ordered(facts.errors)) {
      return std::nullopt;
    }
    if (has_outline(language_) &&  // what #if and #endif enclose may be far away
        (touches_directive(old_text_, change_.begin, change_.end) ||
         touches_directive(text_, change_.begin, change_.moved(change_.end)))) {
      return std::nullopt;
    }
    find_chain();
    // From the largest node that is no more work than a smaller one, outwards.
    std::size_t start = 0;
    while (start < chain_.size() && item(chain_[start]).span.size() > kSmallNode) ++start;
    int attempts = 0;
    for (auto level = start + 1; level-- > 0 && attempts < kMaxAttempts;) {
      if (level < chain_.size()) {
        const auto at = index_in(level);
        ++attempts;
        if (auto out = attempt(level, {at, at, true})) return out;
      }
      // The nearest neighbours that are understood, and all between them.
      const auto& s = levels_[level];
      if (s.empty()) continue;
      Window w{0, s.size() - 1};
      for (std::size_t i = 0; i < s.size(); ++i) {
        if (!clean(s[i]) || item(s[i]).span.end > change_.begin) continue;
        w.first = i;
        w.left = true;
      }
      for (auto i = s.size(); i-- > 0;) {
        if (!clean(s[i]) || !change_.before(item(s[i]).span)) continue;
        w.last = i;
        w.right = true;
      }
      ++attempts;
      if (auto out = attempt(level, w)) return out;
    }
    return std::nullopt;
  }

 private:
  // Siblings that are parsed again.
  struct Window {
    std::size_t first = 0, last = 0;
    bool single = false;  // one node, which must come out as one of its kind without errors
    bool left = false, right = false;  // the outermost are neighbours that must not change
  };

  const Item& item(std::size_t i) const { return before_.items[i]; }
  [[nodiscard]] bool clean(std::size_t i) const {
    return item(i).named && !item(i).error && !item(i).extra;
  }
  [[nodiscard]] std::size_t index_in(std::size_t level) const {
    const auto& s = levels_[level];
    return static_cast<std::size_t>(std::find(s.begin(), s.end(), chain_[level]) - s.begin());
  }

  // Of the root's children: the last of the semicolons behind one.
  [[nodiscard]] std::size_t with_marks(std::size_t i) const {
    const auto& roots = levels_[0];
    while (i + 1 < roots.size() && !item(roots[i + 1]).named) ++i;
    return i;
  }

  void find_chain() {
    levels_.push_back(children(before_.items, 0, 0));
    for (;;) {
      const auto& s = levels_.back();
      const auto it = std::find_if(s.begin(), s.end(), [&](std::size_t i) {
        return item(i).named && change_.deep_inside(item(i).span);
      });
      if (it == s.end()) return;
      chain_.push_back(*it);
      levels_.push_back(
          children(before_.items, *it + 1, static_cast<std::uint8_t>(item(*it).depth + 1)));
    }
  }

  // Parses siblings of a level again, inside of what encloses them.
  std::optional<LiveFacts> attempt(std::size_t level, const Window& w) {
    const auto& siblings = levels_[level];
    if (w.single && item(siblings[w.first]).error) return std::nullopt;
    // What is parsed, in the old text.
    ByteSpan whole{0, static_cast<std::uint32_t>(old_text_.size())};
    const auto& roots = levels_[0];
    if (level > 0 || w.single || w.left)
      whole.begin = item(roots[level > 0 ? index_in(0) : w.first]).span.begin;
    if (level > 0 || w.single || w.right)
      whole.end = item(roots[with_marks(level > 0 ? index_in(0) : w.last)]).span.end;
    const auto& all = before_.facts.definitions;
    const auto d =
        std::lower_bound(all.begin(), all.end(), whole.begin,
                         [](const Definition& x, std::uint32_t at) { return place(x) < at; });
    if (d != all.end() && place(*d) < whole.end)  // its comment
      whole.begin = std::min(whole.begin, d->span.begin);
    if (whole.begin != 0 && old_text_[whole.begin - 1] != '\n') return std::nullopt;
    if (has_outline(language_) && !margin_follows(text_, change_.moved(whole.end), 0))
      return std::nullopt;

    choose_cuts(level, w);
    std::uint32_t left = whole.size();
    Cuts cuts;
    for (const auto& c : cuts_) {
      left -= c.size();
      const auto now = change_.moved(c);
      cuts.add(now.begin - whole.begin, now.end - whole.begin);
    }
    if (left > limit_) return std::nullopt;
    limit_ -= left;
    const auto now = text_.substr(whole.begin, change_.moved(whole.end) - whole.begin);
    std::vector<std::uint32_t> blanks;  // brackets that are left out, in the new text
    for (;;) {
      if (auto part = parse_part(now, cuts, blanks, whole.begin, level)) {
        const auto between = gap(level, w, whole);
        // Errors elsewhere in the part were there before.
        const bool understood =
            w.single ? std::none_of(part->facts.errors.begin(), part->facts.errors.end(),
                                    [&](ByteSpan e) {
                                      return e.begin <= between.end && e.end > between.begin;
                                    })
                     : part->facts.errors.empty() ||
                           !opens_or_closes(text_.substr(between.begin, between.size()));
        if (understood && same_shape(*part, level, w)) {
          for (const auto at : blanks) part->facts.errors.push_back({at, at + 1});
          std::sort(part->facts.errors.begin(), part->facts.errors.end());
          return splice(before_, std::move(*part), change_, {whole, cuts_});
        }
      }
      // An outline ends blocks by the layout (skim.h).
      if (!w.single || has_outline(language_) || blanks.size() == kMaxBlanks || left > limit_)
        return std::nullopt;
      limit_ -= left;
      const auto node = gap(level, w, whole);
      std::string words(text_.substr(node.begin, node.size()));
      for (const auto at : blanks) words[at - node.begin] = ' ';
      const auto odd = odd_bracket(words, change_.moved(change_.end) - node.begin);
      if (!odd) return std::nullopt;
      blanks.push_back(node.begin + static_cast<std::uint32_t>(*odd));
    }
  }

  std::optional<LiveFacts> parse_part(std::string_view now, Cuts& cuts,
                                      const std::vector<std::uint32_t>& blanks, std::uint32_t begin,
                                      std::size_t level) {
    std::string changed;
    if (!cuts.empty() || !blanks.empty()) {
      changed.assign(now);
      for (const auto at : blanks) changed[at - begin] = ' ';
      if (!cuts.empty()) cuts.apply(changed);
      now = changed;
    }
    auto limits = limits_;
    limits.item_depth = static_cast<std::uint8_t>(level + 1);
    limits.time = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline_ - std::chrono::steady_clock::now());
    if (limits.time.count() <= 0) return std::nullopt;
    auto part = parse_whole(extractor_, language_, detail_, now, limits, nullptr);
    if (!part) return std::nullopt;
    put_in_place(*part, cuts, text_, begin);
    return std::move(*part);
  }

  // In the new text: the node that is parsed again, or all between the neighbours of the change.
  [[nodiscard]] ByteSpan gap(std::size_t level, const Window& w, ByteSpan whole) const {
    if (w.single) return change_.moved(item(levels_[level][w.first]).span);
    const auto begin = w.left ? item(levels_[level][w.first]).span.end : whole.begin;
    const auto end = w.right ? item(levels_[level][w.last]).span.begin : whole.end;
    return {begin, change_.moved(end)};
  }

  // Large siblings of what is parsed, apart from the next ones, with the comments before them.
  void choose_cuts(std::size_t level, const Window& w) {
    cuts_.clear();
    kept_.clear();
    for (std::size_t l = 1; l <= level; ++l) {
      const auto& s = levels_[l];
      const auto from = l == level ? w.first : index_in(l);
      const auto to = l == level ? w.last : from;
      const auto code = [&](std::size_t i) { return item(s[i]).named && !item(s[i]).extra; };
      auto low = from, high = to;  // the neighbours stay
      while (low > 0 && !code(--low)) {
      }
      while (high + 1 < s.size() && !code(++high)) {
      }
      // So do the first and the last, which may be where the parent begins and ends.
      std::size_t begin = 0, end = s.size();
      while (begin < end && !code(begin)) ++begin;
      while (end > begin && !code(end - 1)) --end;
      std::vector<bool> cut(s.size());
      bool next_is_cut = false;
      for (auto i = s.size(); i-- > 0;) {
        const auto& x = item(s[i]);
        if ((i >= low && i <= high) || i <= begin || i + 1 >= end) {
          next_is_cut = false;
        } else if (!x.extra) {
          next_is_cut = x.named && !x.error && x.span.size() >= kWorthCutting;
        }
        cut[i] = next_is_cut;
      }
      for (std::size_t i = 0; i < s.size(); ++i) {
        if (cut[i]) {
          cuts_.push_back(item(s[i]).span);
        } else {
          kept_.push_back(s[i]);
        }
      }
    }
    std::sort(cuts_.begin(), cuts_.end());
    std::sort(kept_.begin(), kept_.end());
  }

  // Whether all nodes that were kept beside and around the change are still what they were.
  [[nodiscard]] bool same_shape(const LiveFacts& part, std::size_t level, const Window& w) const {
    const auto same = [&](const Item& now, std::size_t i, bool errors) {
      const auto& was = item(i);
      return now.type == was.type && now.span == change_.moved(was.span) &&
             (errors || !now.error || was.error);
    };
    std::size_t from = 0;  // in part.items
    for (std::size_t l = 0; l <= level; ++l) {
      Siblings now = children(part.items, from, static_cast<std::uint8_t>(l));
      Siblings was;
      const auto& s = levels_[l];
      std::size_t window_begin = 0, window_end = 0;  // in `was`
      const bool deepest = l == level;
      const auto one = deepest ? w.first : index_in(l);
      const auto other = deepest ? w.last : one;
      if (l == 0) {  // comments around the items do not matter
        std::erase_if(now, [&](std::size_t i) { return part.items[i].extra; });
        for (auto i = one; i <= with_marks(other); ++i) {
          if (!item(s[i]).extra) was.push_back(s[i]);
          if (i == other) window_end = was.size();
        }
      } else {
        for (std::size_t i = 0; i < s.size(); ++i) {
          if (i == one) window_begin = was.size();
          if (std::binary_search(kept_.begin(), kept_.end(), s[i])) was.push_back(s[i]);
          if (i == other) window_end = was.size();
        }
      }
      const auto behind = was.size() - window_end;
      if (!deepest || w.single) {
        if (now.size() != was.size()) return false;
        for (std::size_t i = 0; i < was.size(); ++i) {
          const bool chain = !deepest && was[i] == chain_[l];
          if (!same(part.items[now[i]], was[i], chain && !w.single)) return false;
          if (chain) from = now[i] + 1;
        }
        continue;
      }
      if (now.size() < window_begin + behind) return false;
      for (std::size_t i = 0; i < window_begin; ++i) {
        if (!same(part.items[now[i]], was[i], false)) return false;
      }
      for (std::size_t i = 0; i < behind; ++i) {
        if (!same(part.items[now[now.size() - 1 - i]], was[was.size() - 1 - i], false))
          return false;
      }
      if ((w.left || w.right) && now.size() == window_begin + behind) return false;
      if (w.left && !same(part.items[now[window_begin]], was[window_begin], false)) return false;
      if (w.right && !same(part.items[now[now.size() - 1 - behind]], was[window_end - 1], false))
        return false;
    }
    return true;
  }

  Extractor& extractor_;
  const Language language_;
  const LiveDetail detail_;
  const LiveFacts& before_;
  const std::string_view old_text_, text_;
  const ExtractLimits& limits_;
  const TextChange change_;
  const std::chrono::steady_clock::time_point deadline_ =  // of all attempts together
      std::chrono::steady_clock::now() + limits_.time;
  // Bytes to parse before a fresh parse is cheaper; what an outline leaves out costs little.
  std::size_t limit_ = std::max<std::size_t>(
      has_outline(language_) ? old_text_.size() * 2 : old_text_.size() / 2, std::size_t{16} << 10);
  std::vector<std::size_t> chain_;  // nodes around the change, outermost first
  std::vector<Siblings> levels_;    // the root's children, then those of each node of the chain
  std::vector<ByteSpan> cuts_;      // of the attempt, in the old text
  std::vector<std::size_t> kept_;   // items below the root that are not cut
};

}  // namespace

Result<LiveFacts> parse_whole(Extractor& extractor, Language language, LiveDetail detail,
                              std::string_view text, const ExtractLimits& limits, KeptTree tree) {
  LiveFacts out;
  // Softened texts change far from an edit, so their trees are not kept.
  auto* const keep = has_outline(language) ? nullptr : &tree;
  AMBIT_TRY(facts, detail == LiveDetail::kOutline && has_outline(language)
                       ? extractor.outline(language, text, limits, &out.items)
                       : extractor.extract(language, text, limits, &out.items, keep));
  out.facts = std::move(facts);
  out.known_errors = out.facts.errors.size();
  if (keep != nullptr) out.tree = std::move(tree);
  return out;
}

std::optional<LiveFacts> follow_change(Extractor& extractor, Language language, LiveDetail detail,
                                       const LiveFacts& before, std::string_view old_text,
                                       std::string_view text, const ExtractLimits& limits) {
  // Headings depend on what follows.
  if (before.disturbed || language == Language::kYaml || language == Language::kMarkdown)
    return std::nullopt;
  return Update(extractor, language, detail, before, old_text, text, limits).run();
}

}  // namespace ambit::indexer
