// The JSON of safetensors: a file's header, and the index of a checkpoint in shards. Both are read
// as a stream, so that a hostile one costs no memory: what is nested deeper than either ever is
// ends it at once, and nothing is kept of what they do not need.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ambit::inference {

// One tensor of a header, as written; what is missing or of another kind is empty.
struct HeaderEntry {
  std::optional<std::string> dtype;
  std::optional<std::vector<std::uint64_t>> shape;         // at most 8 dimensions
  std::optional<std::vector<std::uint64_t>> data_offsets;  // two
  bool complete = false;                                   // all three are there, of whatever kind
};

// Calls `entry` for each tensor in the text's order, until one returns a complaint. Returns that
// complaint, or what is wrong with the JSON; empty when nothing is.
[[nodiscard]] std::string read_header(
    std::string_view json,
    const std::function<std::string(const std::string& name, const HeaderEntry&)>& entry);

// The same for the pairs of tensor and file in an index's weight_map.
[[nodiscard]] std::string read_index(
    std::string_view json,
    const std::function<std::string(const std::string& name, const std::string& file)>& pair);

}  // namespace ambit::inference
