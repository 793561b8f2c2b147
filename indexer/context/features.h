// What is known of each definition of the repository at one cursor, as numbers of like size: what
// the ranking (signals.h) adds up with learned weights. Pure functions of their input; no clock, no
// hash order.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/context/graph.h"
#include "indexer/context/signals.h"

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

class Features {
 public:
  Features(const SymbolGraph& graph, const CursorView& view, const Row& weights);

  // Whether the name can be wanted from elsewhere at all.
  [[nodiscard]] bool candidate(FileNumber file, const Definition& d) const {
    return file != own_file_ && !(own_[d.name] != 0 && near_[d.name] == 0.0F);
  }
  // Fills what is of the file; then row() and score() may be asked for its definitions.
  void enter(FileNumber file);
  // The weighted sum of row(), from parts that are added up once for a name and once for a file.
  [[nodiscard]] float score(std::uint32_t definition) const;
  [[nodiscard]] Row row(std::uint32_t definition) const;
  [[nodiscard]] std::string reason(FileNumber file, NameId name) const;

 private:
  void near_names();
  void word_overlap();
  void imports();
  void neighbours();
  void kin();
  void together();
  void completing();
  void flow();
  [[nodiscard]] Row name_row(NameId name) const;
  void add_up_names();

  const SymbolGraph& graph_;
  const CursorView& view_;
  const Row weights_;
  std::uint32_t line_ = 0;
  FileNumber own_file_ = kNoFile;
  // [names]
  std::vector<float> near_, words_, neighbour_, kin_, together_use_, flow_;
  std::vector<char> own_, used_, completing_;
  // [files]
  std::vector<char> imported_;
  std::vector<float> together_, rank_, affinity_;
  float top_flow_ = 0, top_rank_ = 0, all_near_ = 0;
  bool in_test_ = false;
  // What score() needs of a name, side by side.
  struct Named {
    float sum = 0, near = 0, words = 0, kin = 0, users = 0;
  };
  std::vector<Named> named_;  // [names]
  // Of the file entered.
  FileNumber file_ = kNoFile;
  Row base_{};
  Named factor_;                // sum: of the file; the others: of its products with the name's
  std::vector<float> sibling_;  // [definitions]
};

[[nodiscard]] float closeness(std::string_view path, std::string_view other);

}  // namespace ambit::indexer::context
