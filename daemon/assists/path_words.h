// What the words of a path and a language say, for all assists.
#pragma once

#include <string_view>

#include "indexer/syntax/languages.h"

namespace ambit::daemon {

// "a/b" of "a/b/c.x", "" of "c.x".
[[nodiscard]] inline std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}
// "c.x" of "a/b/c.x".
[[nodiscard]] inline std::string_view base_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

[[nodiscard]] inline bool c_family(indexer::Language l) {
  return l == indexer::Language::kC || l == indexer::Language::kCpp ||
         l == indexer::Language::kCuda;
}
[[nodiscard]] inline bool script_family(indexer::Language l) {
  return l == indexer::Language::kJavaScript || l == indexer::Language::kTypeScript ||
         l == indexer::Language::kTsx;
}

}  // namespace ambit::daemon
