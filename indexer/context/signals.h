// How much each definition of the repository matters at one cursor: the weighted sum of what is
// known of it (features.h), with weights learnt from the commits of other repositories
// (weights.inc, tests/bench/context/train_ranker.py), for the room that it takes. Pure functions of
// their input; no clock, no hash order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/graph.h"

namespace ambit::indexer::context {

// The document at the cursor, unsaved text included.
struct CursorView {
  std::string path;
  std::string_view text;
  std::uint32_t cursor = 0;             // byte offset into text
  std::vector<Reference> references;    // of this text
  std::vector<Symbol> symbols;          // of this text
  std::vector<std::string> open_files;  // others, most recent first
  bool whole = false;                   // no cursor: every name of the text counts alike
  const History* history = nullptr;     // of the commits; may be null
};

struct ScoredDefinition {
  FileNumber file = 0;
  std::uint32_t definition = 0;  // index into graph.facts(file).definitions
  double score = 0;              // higher is better; comparable within one call only
  std::string reason;            // for people
};

// Definitions outside the current file, best first, at most `limit`.
[[nodiscard]] std::vector<ScoredDefinition> rank_definitions(const SymbolGraph& graph,
                                                             const CursorView& cursor,
                                                             std::size_t limit);

// Files of the repository by how much they matter around these files (not at a cursor): what the
// stable part of a pack is chosen by. Sums to 1.
[[nodiscard]] std::vector<float> rank_files(const SymbolGraph& graph,
                                            const std::vector<std::string>& around);

}  // namespace ambit::indexer::context
