// What of the repository the text at a cursor touches: which names and files a signal speaks for,
// and how loudly. All that is not named here has a zero in every signal, so that a ranking need not
// look at it. Each signal's work is bounded, however large the repository is: in a large one those
// that say least are left out. Pure functions of their input; no clock, no hash order.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "indexer/context/graph.h"
#include "indexer/context/signals.h"

namespace ambit::indexer::context {

// Of one name.
struct NameSignals {
  NameId name = 0;
  float near = 0;          // uses around the cursor: 1 at its line, less with distance
  float words = 0;         // share of its words that stand around the cursor, rare ones for more
  float neighbour = 0;     // used by the files of the same folder and the open ones
  float kin = 0;           // used by files that use what stands at the cursor
  float together = 0;      // used by files that change with this one
  float flow = 0;          // rank that flows through it in the symbol graph
  bool own = false;        // the file defines one of its own
  bool used = false;       // anywhere in the file
  bool completes = false;  // begins with the word being typed
};

// Signals by name, for the few names that have any.
class NameTable {
 public:
  explicit NameTable(std::size_t names) : pages_(names / kPage + 1) {}
  // All zero when nothing was said of the name.
  [[nodiscard]] const NameSignals& operator[](NameId name) const {
    static const NameSignals kNothing;
    const std::uint32_t at = slot(name);
    return at == 0 ? kNothing : touched_[at - 1];
  }
  // Index into touched() plus one, 0 when nothing was said of the name.
  [[nodiscard]] std::uint32_t slot(NameId name) const {
    const auto& page = pages_[name / kPage];
    return page ? (*page)[name % kPage] : 0;
  }
  [[nodiscard]] NameSignals& touch(NameId name);
  // In the order in which they were touched first.
  [[nodiscard]] const std::vector<NameSignals>& touched() const { return touched_; }

 private:
  static constexpr std::size_t kPage = 1024;
  using Page = std::array<std::uint32_t, kPage>;  // slots
  std::vector<std::unique_ptr<Page>> pages_;
  std::vector<NameSignals> touched_;
};

struct Surroundings {
  Surroundings(const SymbolGraph& graph, const CursorView& view);

  FileNumber own_file = kNoFile;
  bool in_test = false;
  NameTable names;
  float top_flow = 0;  // over all names
  float top_near = 0;
  float all_near = 0;  // what affinity adds up to
  // [files]
  std::vector<char> imported;
  std::vector<float> together;   // changes with this file
  std::vector<float> rank;       // in the symbol graph from the cursor
  std::vector<float> affinity;   // how much of what stands near the cursor it defines
  float top_rank = 0;            // of the others
  std::vector<float> closeness;  // [folders]
  // Whether any of these is of this file itself, not only of its folder.
  [[nodiscard]] bool touches(FileNumber f) const {
    return imported[f] != 0 || together[f] > 0.0F || rank[f] > 0.0F || affinity[f] > 0.0F;
  }

 private:
  void near_names();
  void word_overlap();
  void imports();
  void neighbours();
  void kin();
  void changed_together();
  void completing();
  void walk();
  void flow();
  void add_uses(FileNumber file, float weight, float NameSignals::*to);

  const SymbolGraph& graph_;
  const CursorView& view_;
};

}  // namespace ambit::indexer::context
