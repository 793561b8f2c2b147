// What the rules about definitions that are gone share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/uses.h"

namespace ambit::daemon::review {

// A kind whose uses can be told for sure: no variables, no fields.
[[nodiscard]] bool worth_a_look(indexer::SymbolKind kind);
// Where something that is gone stood: the added line that took its place, else the line after it.
// The file must have an `after`.
[[nodiscard]] Range place_of_removal(const ChangedFile& file, std::uint32_t old_line);
// The name that most likely took its place, a new definition of its kind on the lines that replaced
// the old; "" when there is none.
[[nodiscard]] std::string new_name(const ChangedFile& file, std::uint32_t old_line,
                                   indexer::SymbolKind kind);
// Whether a Python module makes names while it runs: any name may be there then.
[[nodiscard]] bool makes_names(std::string_view code);
// Writes the new name at every use. `import name as name`, which brings it on, changes both words.
[[nodiscard]] Fix use_new_name(Texts& texts, const std::vector<Use>& uses, const std::string& name,
                               const std::string& renamed);

}  // namespace ambit::daemon::review
