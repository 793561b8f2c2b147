// A text that is open in an editor and what is known of it, from one state to the next.
//
// follow() says exactly what the text holds, however long that takes. A keystroke has no time for
// that: follow_typing() takes a few milliseconds at most. What it cannot find out in them it leaves
// as it was before (moved to where it stands now, the changed range among the errors), and calls
// the result provisional; follow() settles it while nobody waits.
//
// Both begin with the last text that was sound, that is, had no errors but those it had when it was
// opened. So a statement that is being typed costs the parse of a whole file at no key, and
// nothing that its unfinished states did to the tree lives on in the facts of the finished one.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "indexer/syntax/incremental.h"

namespace ambit::indexer {

// Immutable.
struct ParsedText {
  std::shared_ptr<const std::string> text;
  Language language = Language::kNone;
  LiveFacts live;            // empty when the text could not be parsed at all
  bool provisional = false;  // near the change the facts are those of an earlier text
  std::shared_ptr<const ParsedText> sound;  // the last one that was; null when it is this one

  [[nodiscard]] const Facts& facts() const { return live.facts; }
};
using Parsed = std::shared_ptr<const ParsedText>;

// `before`: what was known of the same file in the same detail, or null.
[[nodiscard]] Parsed follow(Extractor& extractor, Language language, LiveDetail detail,
                            const Parsed& before, const std::shared_ptr<const std::string>& text,
                            const ExtractLimits& limits = {});
// `before` is not null, and of the same language.
[[nodiscard]] Parsed follow_typing(Extractor& extractor, LiveDetail detail, const Parsed& before,
                                   const std::shared_ptr<const std::string>& text,
                                   std::chrono::milliseconds time = std::chrono::milliseconds(2));

// The facts of old_text for a text that one change made of it, without a parse: what the change
// touches goes, what holds it grows, what is behind it moves.
[[nodiscard]] Facts bridge(const Facts& before, std::string_view old_text, std::string_view text);

}  // namespace ambit::indexer
