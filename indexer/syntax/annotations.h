// Names of macros that annotate a declaration in C and C++.
#pragma once

#include <string_view>

namespace ambit::indexer {

// Of kernels and C libraries, between the words of a declaration: __init, __aligned.
[[nodiscard]] bool is_annotation(std::string_view word);
// By its ending, in front of a declaration: LIB_EXPORT.
[[nodiscard]] bool is_front_macro(std::string_view word);
// By its ending, with arguments behind a declarator: LIB_GUARDED_BY(mu).
[[nodiscard]] bool is_back_macro(std::string_view word);

[[nodiscard]] bool no_lower_case(std::string_view word);
// Capitals, digits and '_', at least two, and a capital first.
[[nodiscard]] bool all_caps(std::string_view word);

}  // namespace ambit::indexer
