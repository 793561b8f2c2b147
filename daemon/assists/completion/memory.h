// What the repository's own text offers at a cursor (inference/memory), and when it is worth
// showing without asking a model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/assists/assist.h"
#include "daemon/assists/completion/clean.h"
#include "inference/backend.h"
#include "inference/memory/predictor.h"

namespace ambit::daemon {

// Weights below this are a model for a laptop; V4-Flash has 160 GB.
inline constexpr std::uint64_t kSmallModelBytes = std::uint64_t{2} << 30U;

enum class MemoryRole { kOff, kDraft, kLead };

// What the setting completion.memory means with this model. "auto": lead with a model of ours that
// is small or not there at all, so that a machine without V4's weights still completes.
[[nodiscard]] MemoryRole memory_role(const Config& config, const inference::BackendInfo& model);

struct MemoryAnswer {
  struct Item {
    std::string text;       // cleaned
    double confidence = 0;  // that a person would write exactly this, or go on so (a part)
  };
  std::vector<Item> items;  // best first; of likely parts of a line the longest first
  // Parts that are offered when whole lines are sure but none of them may be shown; longest first.
  std::vector<Item> instead;
  std::vector<inference::MemoryGuess> guesses;  // as they are, best first
  std::string_view reason;                      // why there is none; static text
  bool inside_word = false;  // nobody can tell how a line goes on in the middle of a word
};

// Shown while typing from here on, and when asked for by hand.
inline constexpr double kShowWhileTyping = 0.35, kShowWhenAsked = 0.12;
// Where no whole line is so sure, its first words are offered while they are at least so likely.
// While typing a wrong one costs a glance; by hand it would stand before the line that was asked
// for. The figures behind these are in docs/context.md.
struct PartLimits {
  double whole, part;
  std::size_t bytes;  // that a part must save
};
inline constexpr PartLimits kPartsWhileTyping{kShowWhileTyping, 0.4, 2};
inline constexpr PartLimits kPartsWhenAsked{kShowWhileTyping, 0.6, 3};

// Where a part of a line may end: behind a word or behind what closes something.
[[nodiscard]] bool ends_part(char c);
// Accepted as it is, it leaves no string or block open.
[[nodiscard]] bool stands_alone(std::string_view text);
// Likely beginnings of the guesses, longest first.
[[nodiscard]] std::vector<MemoryAnswer::Item> sure_parts(
    std::span<const inference::MemoryGuess> guesses, const PartLimits& limits);

// before, after: with \n line ends. On a cpu thread: milliseconds.
[[nodiscard]] MemoryAnswer ask_memory(const AssistContext& context, const std::string& path,
                                      std::string_view before, std::string_view after,
                                      const Cleaner& cleaner, std::size_t max_lines,
                                      const PartLimits& parts);

// What is likely typed next, by the same knowledge and, as much as that, by a model's (may be
// empty).
[[nodiscard]] std::vector<inference::MemoryKey> likely_keys(
    const AssistContext& context, const std::string& path, std::string_view before,
    std::string_view after, std::span<const inference::MemoryKey> model);

}  // namespace ambit::daemon
