// The grammar of edit_format.h for one question: only the files that were offered can be named, and
// only lines that stand in them, in their order, can be quoted.
#pragma once

#include <string>
#include <vector>

#include "daemon/assists/refactor/model_plan.h"

namespace ambit::daemon {

// Files with more lines than a grammar can hold apart may quote any lines.
[[nodiscard]] std::string steps_grammar(const std::vector<OfferedFile>& offered);

// What read_replacement() reads.
[[nodiscard]] std::string replacement_grammar();

}  // namespace ambit::daemon
