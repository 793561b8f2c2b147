#include "indexer/syntax/live.h"

#include "indexer/syntax/change.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kParsedWhole = 8192;  // texts that are no work

const Parsed& sound(const Parsed& p) {
  return p->sound != nullptr ? p->sound : p;
}

KeptTree edited_tree(const Parsed& before, std::string_view text) {
  const auto c = change_between(*before->text, text);
  return edited(before->live.tree, *before->text, text, c.begin, c.end, c.moved(c.end));
}

// From the last sound text; null when that is not enough.
Parsed follow_sound(Extractor& extractor, LiveDetail detail, const Parsed& before,
                    const std::shared_ptr<const std::string>& text, const ExtractLimits& limits) {
  const auto& from = *sound(before);
  auto live = follow_change(extractor, from.language, detail, from.live, *from.text, *text, limits);
  if (!live) return nullptr;
  live->tree = edited_tree(before, *text);
  return std::make_shared<const ParsedText>(
      ParsedText{text, from.language, std::move(*live), false, nullptr});
}

// Null when limits.time was not enough, or the text cannot be parsed at all.
Parsed follow_whole(Extractor& extractor, Language language, LiveDetail detail,
                    const Parsed& before, const std::shared_ptr<const std::string>& text,
                    const ExtractLimits& limits) {
  auto live = parse_whole(extractor, language, detail, *text, limits,
                          before == nullptr ? nullptr : edited_tree(before, *text));
  if (!live) return nullptr;
  ParsedText out{text, language, std::move(*live), false, nullptr};
  if (before != nullptr) {
    const auto known = sound(before)->live.known_errors;
    out.live.disturbed = out.facts().errors.size() > known;
    out.live.known_errors = std::min(out.live.known_errors, known);
    if (out.live.disturbed) out.sound = sound(before);
  }
  return std::make_shared<const ParsedText>(std::move(out));
}

}  // namespace

Parsed follow(Extractor& extractor, Language language, LiveDetail detail, const Parsed& before,
              const std::shared_ptr<const std::string>& text, const ExtractLimits& limits) {
  auto known = before != nullptr && before->language == language ? before : nullptr;
  if (known != nullptr) {
    if (!known->provisional && *known->text == *text) return known;
    if (auto out = follow_sound(extractor, detail, known, text, limits)) return out;
  }
  if (auto out = follow_whole(extractor, language, detail, known, text, limits)) return out;
  return std::make_shared<const ParsedText>(
      ParsedText{text, language, {}, false, known == nullptr ? nullptr : sound(known)});
}

Parsed follow_typing(Extractor& extractor, LiveDetail detail, const Parsed& before,
                     const std::shared_ptr<const std::string>& text,
                     std::chrono::milliseconds time) {
  if (*before->text == *text) return before;
  ExtractLimits limits;
  limits.time = time;
  if (auto out = follow_sound(extractor, detail, before, text, limits)) return out;
  if (text->size() <= kParsedWhole && time.count() > 0) {
    if (auto out = follow_whole(extractor, before->language, detail, before, text, limits))
      return out;
  }
  ParsedText out{text, before->language, {}, true, sound(before)};
  out.live.facts = bridge(before->facts(), *before->text, *text);
  out.live.tree = edited_tree(before, *text);
  return std::make_shared<const ParsedText>(std::move(out));
}

}  // namespace ambit::indexer
