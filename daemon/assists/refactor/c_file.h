// Where things go in a file of C or C++.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/assists/refactor/source_file.h"

namespace ambit::daemon {

// #include lines with these words, and where they go: behind the last one before anything is
// declared, else behind what the file begins with.
struct Insertion {
  std::uint32_t at = 0;
  std::string text;
};
[[nodiscard]] Insertion include_lines(const SourceFile& file,
                                      const std::vector<std::string>& words);

// Where the last namespace of these names ends, outermost first.
[[nodiscard]] std::optional<std::uint32_t> end_of_namespace(
    const SourceFile& file, const std::vector<std::string>& namespaces);
// The named namespaces around a node, outermost first.
[[nodiscard]] std::vector<std::string> namespaces_around(const SourceFile& file,
                                                         std::uint32_t node);

}  // namespace ambit::daemon
