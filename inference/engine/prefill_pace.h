// How many tokens of a prompt one step reads. A step cannot be interrupted, so a keystroke waits
// for the one that runs; but a step also has a cost of its own, however few its tokens: a model
// with many experts reads most of its weights for a hundred tokens as for two thousand. The pace
// learns both, ms = fixed + each · tokens, from the steps that it is told of, the last dozen
// counting most.
#pragma once

#include <cstddef>

namespace ambit::inference {

class PrefillPace {
 public:
  // A step that read `tokens` of one prompt and did nothing else took `ms`. The first one is not
  // counted: it brings weights from the disk, and memory to its size.
  void note(std::size_t tokens, double ms);

  // Tokens of a step that takes about wait_ms; or, where most of that would be the fixed cost, of
  // one whose fixed cost is half of it, as long as it takes no more than most_ms. Between
  // kFewest and `most`; kFirst as long as nothing is known.
  [[nodiscard]] std::size_t next(double wait_ms, double most_ms, std::size_t most) const;

  static constexpr std::size_t kFewest = 16, kFirst = 32;

 private:
  bool warm_ = false;
  // Sums over steps, older ones fading: of weights, tokens, their squares, ms and ms · tokens.
  double n_ = 0, x_ = 0, xx_ = 0, y_ = 0, xy_ = 0;
};

}  // namespace ambit::inference
