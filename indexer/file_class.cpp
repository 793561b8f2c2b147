#include "indexer/file_class.h"

#include <array>
#include <string>

namespace ambit::indexer {

std::string_view to_string(FileClass c) {
  constexpr std::array<std::string_view, 15> kNames{
      "source",    "binary",    "too large", "minified",    "generated",
      "registers", "lock file", "vendored",  "LFS pointer", "symlink",
      "submodule", "ignored",   "secret",    "data",        "unreadable"};
  const auto i = static_cast<std::size_t>(c);
  return i < kNames.size() ? kNames[i] : "source";
}

bool is_test_path(std::string_view path) {
  std::string low = "/";
  for (const char c : path) low += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto name = std::string_view(low).substr(low.rfind('/') + 1);
  const auto has = [](std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  return has(low, "/test/") || has(low, "/tests/") || has(low, "/testing/") ||
         has(low, "/__tests__/") || has(low, "/spec/") || name.starts_with("test_") ||
         name.starts_with("test-") || has(name, "_test.") || has(name, ".test.") ||
         has(name, ".spec.") || has(name, "_spec.") || has(name, "tests.") ||
         path.ends_with("Test.java") || path.ends_with("Test.kt");
}

}  // namespace ambit::indexer
