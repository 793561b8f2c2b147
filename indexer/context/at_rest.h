// The part of each definition's score that is the same at every cursor, added up once for a tree:
// what it is, how many files use its name, how long its line is. Made anew after the graph changed;
// not thread-safe while it is.
#pragma once

#include <vector>

#include "indexer/context/features.h"
#include "indexer/context/graph.h"

namespace ambit::indexer::context {

class AtRest {
 public:
  void update(const SymbolGraph& graph, const Row& weights);

  [[nodiscard]] float of(FileNumber file, std::uint32_t definition) const {
    return scores_[begin_[file] + definition];
  }
  // The highest of the file's, and of those of this name; very low when there is none.
  [[nodiscard]] float best_in(FileNumber file) const { return best_in_[file]; }
  [[nodiscard]] float best_named(NameId name) const { return best_named_[name]; }

 private:
  std::vector<std::size_t> begin_;  // [files]
  std::vector<float> scores_;
  std::vector<float> best_in_, best_named_;
};

// The features that do not depend on the cursor.
[[nodiscard]] Row row_at_rest(const SymbolGraph& graph, const Definition& d);

// What the room of a line of so many bytes takes from a score. The learned sum is the logarithm of
// how likely a definition is wanted; what counts is that for the room it takes.
[[nodiscard]] float cost_of_room(std::size_t bytes);

}  // namespace ambit::indexer::context
