// Refactors from instruction to plan. Plain forms are carried out by the index, exactly:
//
//   rename A to B                     A may be Scope::name or Scope.name; left out, it
//                                     is the symbol at the place that the request names
//   add parameter DECL to F with V    the declaration; callers pass V unless DECL has a default;
//                                     "to F before P with V" says where
//   remove parameter P from F
//   reorder parameters of F to B, A   every parameter once
//   move NAME to PATH                 a function or class of Python, JavaScript or TypeScript
//   move PATH to PATH                 a file or folder, with the imports that name it
//
// Several forms may stand in one instruction, separated by ';': each refers to the tree as it is.
// Everything else is for a model (model_plan.h).
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/assists/refactor/plan.h"
#include "indexer/index.h"

namespace ambit::daemon {

struct RefactorRequest {
  std::string instruction;
  std::vector<std::string> paths;  // only below these, relative to the root; empty: everywhere
  std::string at_path;             // where the symbol stands, "" for none
  std::uint32_t at_offset = 0;     // bytes
  bool comments = false, strings = false;
};

// An instruction in one of the plain forms.
struct Instruction {
  enum Kind { kRename, kAddParameter, kRemoveParameter, kReorderParameters, kMove } kind = kRename;
  std::string symbol;  // what is renamed, or whose parameters change
  std::string to;      // the new name, the declaration, the parameter, the path, the names
  std::string value;   // what callers pass
  std::string before;  // the parameter that the new one stands in front of, "" for the last place
};
[[nodiscard]] std::optional<Instruction> parse_instruction(std::string_view text);

// What the index does by itself, for messages about what it does not: " (rename A to B; …): ".
[[nodiscard]] std::string plain_forms();

// kUnsupported when the instruction has none of the plain forms.
[[nodiscard]] Result<Plan> plan_by_index(const indexer::Snapshot& snapshot,
                                         const RefactorRequest& request, std::stop_token stop = {});

// Text of a path from the snapshot (buffers, then disk); ignored files and links are refused.
[[nodiscard]] FileReader reader_of(const indexer::Snapshot& snapshot);

}  // namespace ambit::daemon
