// How much each definition of the repository matters at one cursor: the weighted sum of what is
// known of it (features.h), with weights learnt from the commits of other repositories
// (weights.inc, tests/bench/context/train_ranker.py), for the room that it takes. Pure functions of
// their input; no clock, no hash order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/graph.h"

namespace ambit::indexer::context {

class AtRest;

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

// Ranks the definitions of one graph. update() after the graph has changed; rank() from any thread
// while neither does.
class Ranker {
 public:
  explicit Ranker(const SymbolGraph& graph);  // which must outlive this
  ~Ranker();
  Ranker(const Ranker&) = delete;
  Ranker& operator=(const Ranker&) = delete;

  void update();
  [[nodiscard]] const SymbolGraph& graph() const { return graph_; }

  // Definitions outside the current file, best first, at most `limit`. Looks at what the cursor's
  // surroundings touch, and at the rest only where a bound says that it could be among the best.
  [[nodiscard]] std::vector<ScoredDefinition> rank(const CursorView& cursor,
                                                   std::size_t limit) const;
  // The same by looking at every definition: what rank() is tested against.
  [[nodiscard]] std::vector<ScoredDefinition> rank_all(const CursorView& cursor,
                                                       std::size_t limit) const;

 private:
  const SymbolGraph& graph_;
  const std::unique_ptr<AtRest> rest_;
};

// Files of the repository by how much they matter around these files (not at a cursor): what the
// stable part of a pack is chosen by. Sums to 1.
[[nodiscard]] std::vector<float> rank_files(const SymbolGraph& graph,
                                            const std::vector<std::string>& around);

}  // namespace ambit::indexer::context
