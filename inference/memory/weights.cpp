#include "inference/memory/weights.h"

#include <algorithm>
#include <cmath>

namespace ambit::inference {

#include "inference/memory/confidence.inc"
#include "inference/memory/voters.inc"

std::array<double, kGuessFeatures> guess_features(const MemoryGuess& guess) {
  double least = 1;
  for (const auto& piece : guess.pieces)
    least = std::min(least, static_cast<double>(piece.probability));
  const auto lexemes = static_cast<double>(guess.pieces.size());
  return {1.0,
          guess.log_probability,
          least,
          std::log2(1 + lexemes),
          std::exp(guess.log_probability),
          std::log2(1 + static_cast<double>(guess.text.size()))};
}

double guess_confidence(const MemoryGuess& guess) {
  const auto x = guess_features(guess);
  double z = 0;
  for (std::size_t i = 0; i < kGuessFeatures; ++i) z += x[i] * kGuessWeights[i];
  return 1 / (1 + std::exp(-z));
}

}  // namespace ambit::inference
