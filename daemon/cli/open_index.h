// What the verbs that look at code share: an index in this process, and positions in files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "daemon/config.h"
#include "daemon/support/result.h"
#include "indexer/index.h"

namespace ambit::daemon {

struct OpenIndex {
  std::unique_ptr<indexer::RepoIndex> index;
  indexer::BuildReport report;
};

// Where the facts about blobs are kept, for all repositories.
[[nodiscard]] std::filesystem::path index_directory();

// Opens the repository that holds `root` ("" : the current folder), with the cache and the settings
// that the daemon uses, and brings the index up to date with the disk. Says on stderr how far it is
// when that takes long. kCancelled after a stop request; what was learnt is kept for the next time.
[[nodiscard]] Result<OpenIndex> open_index(const std::string& root, const Config& config,
                                           std::stop_token stop = {});

// FILE:LINE:COL as people give it; line and column start at 1, the column counts UTF-8 bytes.
struct FilePosition {
  std::filesystem::path file;  // absolute
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};
// kInvalidArgument when it does not have this form.
[[nodiscard]] Result<FilePosition> parse_position(const std::string& text);

// `file` relative to `root`, '/' separated; kInvalidArgument when it lies outside. Links in the
// folders above the file are followed.
[[nodiscard]] Result<std::string> path_in(const std::filesystem::path& root,
                                          const std::filesystem::path& file);

// One document (pretty) or one line (compact) on stdout. Bytes that are not UTF-8 become U+FFFD; an
// object whose "path" has some gets "path_escaped", the same with every byte outside of letters,
// digits and "-._~/" as %XX.
void print_json(const nlohmann::json& value, bool pretty = true);

}  // namespace ambit::daemon
