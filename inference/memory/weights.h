// What the voters of predictor.h are worth. Numbers: voters.inc and confidence.inc, written by
// completion_bench learn (tests/bench/completion).
#pragma once

#include <array>

#include "inference/memory/predictor.h"

namespace ambit::inference {

// The weight of a voter is exp(features · kVoterWeights[voter]), that of "something new" likewise;
// then all are divided by their sum.
extern const std::array<std::array<float, kVoterFeatures>, kVoters> kVoterWeights;
extern const std::array<float, kEscapeFeatures> kEscapeWeights;

// Probability that a completed line is exactly what a person would have written: a logistic
// function of what guess_features gives.
inline constexpr std::size_t kGuessFeatures = 6;
[[nodiscard]] std::array<double, kGuessFeatures> guess_features(const MemoryGuess& guess);
[[nodiscard]] double guess_confidence(const MemoryGuess& guess);
extern const std::array<double, kGuessFeatures> kGuessWeights;

}  // namespace ambit::inference
