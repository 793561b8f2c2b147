// The ballot box of one step of predictor.h.
#pragma once

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>
#include <vector>

#include "inference/memory/predictor.h"

namespace ambit::inference {

struct MemoryQuery::Votes {
  struct Candidate {
    LexemeId id = 0;
    std::array<float, 4> spaces{};
  };
  struct Tally {
    float total = 0;
    std::vector<std::pair<std::uint32_t, float>> votes;
  };
  std::vector<Candidate> candidates;
  std::unordered_map<LexemeId, std::uint32_t> by_id;
  std::array<Tally, kVoters> tallies;
  // What the next lexeme must begin with; empty: anything. And whether a space stands before it.
  std::string_view prefix;
  bool after_space = false, first = false;
  const MemoryQuery* query = nullptr;
  std::unordered_map<LexemeId, bool> fits;

  [[nodiscard]] bool may(LexemeId id) {
    if (prefix.empty()) return true;
    const auto [at, fresh] = fits.try_emplace(id, false);
    if (fresh) at->second = !is_line_start(id) && query->words_.text(id).starts_with(prefix);
    return at->second;
  }
  void add(std::size_t voter, Lexeme lexeme, float weight) {
    // The end of a file ends the line too.
    if (id_of(lexeme) == kNoLexeme) lexeme = kLineMuchShallower << 2U;
    const LexemeId id = id_of(lexeme);
    if (!may(id)) return;
    // After a space somebody typed, only what is written after a space.
    if (first && after_space && prefix.empty() && space_of(lexeme) == 0 && !is_line_start(id)) {
      weight *= 0.05F;
    }
    const auto [at, fresh] = by_id.try_emplace(id, static_cast<std::uint32_t>(candidates.size()));
    if (fresh) candidates.push_back({id, {}});
    candidates[at->second].spaces[space_of(lexeme)] += weight;
    Tally& tally = tallies[voter];
    tally.total += weight;
    for (auto& [index, sum] : tally.votes) {
      if (index == at->second) {
        sum += weight;
        return;
      }
    }
    tally.votes.emplace_back(at->second, weight);
  }
};

}  // namespace ambit::inference
