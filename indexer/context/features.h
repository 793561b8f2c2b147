// What is known of each definition of the repository at one cursor, as numbers of like size: what
// the ranking (signals.h) adds up with learned weights. Pure functions of their input; no clock, no
// hash order.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "indexer/context/graph.h"
#include "indexer/context/signals.h"
#include "indexer/context/surroundings.h"

namespace ambit::indexer::context {

// In the order of a Row. Of the name, unless said otherwise.
enum Feature : std::uint8_t {
  kNear,         // uses around the cursor, 1 at its line, less with distance
  kNearRare,     // the same, times how few files use it
  kUsedHere,     // used anywhere in the file
  kWords,        // words shared with the text at the cursor
  kCompleting,   // begins with the word being typed
  kNeighbour,    // used by the files of the same folder
  kKin,          // used by files that use what stands at the cursor
  kKinRare,      //
  kTogetherUse,  // used by files that change with this one
  kFlow,         // rank that flows through it in the symbol graph
  kDefiners,     // how many define it
  kUsers,        // how many files use it
  kUnused,       //
  kDistinctive,  //
  kHidden,       // begins with _
  kOwn,          // the file defines one of its own
  // Of the file that defines it:
  kImported,
  kFolder,      // closeness in the tree
  kSameFolder,  //
  kTogether,    // changes with this file
  kRank,        // in the symbol graph from the cursor
  kAffinity,    // how much of what stands near the cursor it defines
  kTestOnly,    // a test, where the cursor is in none
  kTested,      // no test, where the cursor is in one
  // Of the definition:
  kCallable,
  kType,
  kConstant,
  kField,
  kVariable,
  kModule,
  kExported,
  kSibling,  // stands beside a definition that is used near the cursor
  // Products:
  kNearImported,
  kNearFolder,
  kWordsImported,
  kWordsFolder,
  kKinFolder,
  kUsersFolder,
  kFeatures,
};
using Row = std::array<float, kFeatures>;
[[nodiscard]] float dot(const Row& a, const Row& b);

class AtRest;

// A feature is of one of four kinds, which is how a ranking knows where it can matter at all:
// - of a name around the cursor: NameSignals, set for few names (surroundings.h) -> of_name();
// - of a file -> of_file();
// - the same at every cursor: added up once for a tree (at_rest.h);
// - of a single definition because of the cursor: siblings; `most_of_definition_` bounds it.
// Whatever is not touched by the cursor's surroundings has only the second and the third.
class Features {
 public:
  // `rest`: of this graph and these weights. All arguments must outlive this.
  Features(const SymbolGraph& graph, const AtRest& rest, const CursorView& view,
           const Row& weights);

  // Whether the name can be wanted from elsewhere at all.
  [[nodiscard]] bool candidate(FileNumber file, const Definition& d) const {
    if (file == around_.own_file) return false;
    const NameSignals& n = around_.names[d.name];
    return !n.own || n.near > 0.0F;
  }
  // The weighted sum of row() for the room that the definition's line takes, from parts that are
  // added up once for a name and once for a file.
  [[nodiscard]] float score(FileNumber file, std::uint32_t definition);
  [[nodiscard]] Row row(FileNumber file, std::uint32_t definition);
  [[nodiscard]] std::string reason(FileNumber file, NameId name) const;

  // The names that something around the cursor speaks for; of all others no definition has a
  // higher score than bound_of_others() of its file.
  [[nodiscard]] const std::vector<NameSignals>& touched() const { return around_.names.touched(); }
  [[nodiscard]] bool touched(NameId name) const { return around_.names.slot(name) != 0; }
  // No definition of this touched name, by its index, has a higher score; nor in this file.
  [[nodiscard]] float bound_of_name(std::size_t index) const;
  [[nodiscard]] float bound_of_name(std::size_t index, FileNumber file) const;
  [[nodiscard]] float bound_of_others(FileNumber file) const;
  // Nor has this one, whose name is not touched.
  [[nodiscard]] float bound_of_other(FileNumber file, std::uint32_t definition) const;

 private:
  // What score() needs of a name and of a file: a sum, and the factors of their products.
  struct Part {
    float sum = 0, near = 0, words = 0, kin = 0, users = 0;
  };
  [[nodiscard]] Row of_name(const NameSignals& n) const;
  [[nodiscard]] Row of_file(FileNumber file) const;
  [[nodiscard]] Part part_of(const Row& file) const;
  [[nodiscard]] float sibling(FileNumber file, std::uint32_t definition);
  [[nodiscard]] static float products(const Part& name, const Part& file) {
    return name.near * file.near + name.words * file.words + name.kin * file.kin +
           name.users * file.users;
  }
  // The most that what stands beside a definition adds to it.
  [[nodiscard]] float most_of_definition(FileNumber file) const {
    return around_.affinity[file] > 0.0F ? most_of_definition_ : 0.0F;
  }
  [[nodiscard]] float users(NameId n) const { return 1.0F - graph_.rarity(n); }

  const SymbolGraph& graph_;
  const AtRest& rest_;
  const Row weights_;
  const Surroundings around_;
  std::vector<Part> names_;  // by slot; the first is of all names that are not touched
  std::vector<Part> files_;
  Part most_;  // over the files
  float most_of_definition_ = 0;
  std::unordered_map<FileNumber, std::vector<float>> siblings_;  // of the files asked for
};

}  // namespace ambit::indexer::context
