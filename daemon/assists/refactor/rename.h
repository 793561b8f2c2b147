// Renames a symbol over a repository, by the index alone: every place where the name stands is
// judged, and comes with a confidence and the reason. What is not sure is listed, not changed.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "indexer/index.h"

namespace ambit::daemon {

struct RenameTarget {
  std::string name;          // "name", or with (the end of) its scope: "Scope::name", "Scope.name"
  std::string path;          // and/or a place where the name stands; "" for none
  std::uint32_t offset = 0;  // bytes into path
};

enum class Place : std::uint8_t { kCode, kComment, kString };
[[nodiscard]] std::string_view to_string(Place place);

struct RenameSite {
  indexer::ByteSpan span;
  std::uint32_t line = 0, column = 0;  // 0-based, UTF-8 bytes
  float confidence = 0;                // that this is the symbol: 0…1
  bool definition = false;
  Place place = Place::kCode;
  std::string_view why;  // lives for ever
  // Instead of the new name alone: "old: new" where a field takes its name from a variable.
  std::string before, after;
};

struct Rename;
// What takes the place of the old name there.
[[nodiscard]] std::string new_words(const RenameSite& site, const Rename& rename);

inline constexpr float kSureConfidence = 0.7F;

struct RenameFile {
  std::string path;
  indexer::BlobId blob;
  std::vector<RenameSite> sites;  // by position
};

struct Rename {
  std::string old_name, new_name;
  std::string symbol;  // with its scope, for people
  std::vector<indexer::Symbol> definitions;
  std::vector<RenameFile> files;  // by path; sure and unsure sites, comments and strings too
  std::vector<std::string> notes;
  // Why methods of other types change too.
  std::vector<std::string> tied;
};

// kNotFound: no such symbol. kInvalidArgument: more than one symbol has the name (the message lists
// them), the new name is none in this language, or it is taken where the symbol lives or is used.
[[nodiscard]] Result<Rename> plan_rename(const indexer::Snapshot& snapshot,
                                         const RenameTarget& target, const std::string& new_name,
                                         const std::vector<std::string>& paths = {},
                                         std::stop_token stop = {});

// May be an identifier there, and is no keyword.
[[nodiscard]] bool is_identifier(std::string_view name, indexer::Language language);
// A language that shares names with another: C, C++ and CUDA; JavaScript and TypeScript …
[[nodiscard]] bool same_family(indexer::Language a, indexer::Language b);

}  // namespace ambit::daemon
