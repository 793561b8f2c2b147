// The tests that a file declares, by the habits of the common frameworks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "indexer/syntax/languages.h"

namespace ambit::daemon::review {

struct NamedTest {
  std::string name;
  std::uint32_t line = 0;
  std::size_t begin = 0, end = 0;  // from its name to the next test
};

// In their order; none where the language's frameworks are not known. Time grows with the size of
// the text, whatever is in it.
[[nodiscard]] std::vector<NamedTest> tests_in(std::string_view text, indexer::Language language);

}  // namespace ambit::daemon::review
