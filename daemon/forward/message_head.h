// What the forwarder must know of a message, read without building a document: who it is from its
// top-level keys. Values are raw slices of the input.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ambit::daemon {

struct MessageHead {
  std::string_view id;  // raw JSON: 7 or "abc"; empty when absent
  std::string method;   // without quotes, "\/" as "/" (Neovim 0.10 writes that); empty when absent
  std::string_view params;  // raw JSON; empty when absent
  bool is_error = false;    // has an "error" member
  [[nodiscard]] bool is_request() const { return !id.empty() && !method.empty(); }
  [[nodiscard]] bool is_response() const { return !id.empty() && method.empty(); }
};

// nullopt when the text is not one JSON object. Depth is not limited: nothing recurses.
[[nodiscard]] std::optional<MessageHead> read_head(std::string_view json);

}  // namespace ambit::daemon
