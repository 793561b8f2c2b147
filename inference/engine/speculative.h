// Drafts by look-up: what followed the last few tokens the last time they occurred, in text that
// the answer is likely to repeat (the file that is being edited), in the prompt, or in the answer
// so far. A draft is only ever a guess: the engine accepts a token when the model chooses it.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "inference/request.h"

namespace ambit::inference {

class LookupDrafter {
 public:
  // Copies the tail of the prompt (at most kMemory tokens) and the draft text.
  LookupDrafter(std::span<const TokenId> prompt, std::span<const TokenId> draft);
  // The answer grew by these tokens.
  void push(std::span<const TokenId> ids);
  // Appends at most `most` guesses for what follows.
  void propose(std::size_t most, std::vector<TokenId>& out) const;
  // How many of the last proposal were right: proposals shrink and grow with success.
  void report(std::size_t proposed, std::size_t accepted);

  static constexpr std::size_t kMemory = 32768;
  static constexpr std::size_t kLongest = 8;

 private:
  void index_to(std::size_t end);
  std::vector<TokenId> text_;                              // draft, then prompt tail, then answer
  std::unordered_map<std::uint64_t, std::uint32_t> last_;  // trigram -> position behind it
  std::size_t indexed_ = 0;
  std::size_t length_ = 4;  // of the next proposal
};

// Whether the model's own draft blocks are worth their time: for an answer whose drafts keep being
// wrong they are not.
class DraftPace {
 public:
  [[nodiscard]] bool pays() const { return accepted_ > 0.4; }
  void report(std::size_t accepted) {
    accepted_ += 0.1 * (static_cast<double>(accepted) - accepted_);
  }

 private:
  double accepted_ = 0.75;  // running mean over drafts
};

}  // namespace ambit::inference
