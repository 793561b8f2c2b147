#include "indexer/file_class.h"

#include <array>

namespace ambit::indexer {

std::string_view to_string(FileClass c) {
  constexpr std::array<std::string_view, 15> kNames{
      "source",    "binary",    "too large", "minified",    "generated",
      "registers", "lock file", "vendored",  "LFS pointer", "symlink",
      "submodule", "ignored",   "secret",    "data",        "unreadable"};
  const auto i = static_cast<std::size_t>(c);
  return i < kNames.size() ? kNames[i] : "source";
}

}  // namespace ambit::indexer
