// Holes in real files: what completion is measured and learnt on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::bench {

struct SourceFile {
  std::string path;  // relative to the root
  std::string text;  // \n line ends
};
struct Repository {
  std::string name;
  std::vector<SourceFile> files;  // what the packer would take, sorted by path
};
// Reads a checkout: files that the index's filter calls source code, without .git.
[[nodiscard]] Result<Repository> read_repository(const std::filesystem::path& root);

// Where the cursor stands: before the first character of a line, behind a word or sign in its
// middle, or inside a word.
enum class HoleKind : std::uint8_t { kLine, kRest, kWord };
[[nodiscard]] std::string_view to_string(HoleKind kind);

struct Hole {
  std::size_t file = 0;
  HoleKind kind = HoleKind::kLine;
  std::string before, after;  // the file without the hidden text
  std::string hidden;         // from the cursor to the line's end
};
// Deterministic in the seed. Lines with at least four characters to hide, in files of a programming
// language; never two holes in one line.
[[nodiscard]] std::vector<Hole> make_holes(const Repository& repository, std::size_t count,
                                           std::uint64_t seed);

// 1 - Levenshtein distance / longer length.
[[nodiscard]] double edit_similarity(std::string_view a, std::string_view b);

}  // namespace ambit::bench
