// An immutable JSON value that headers can hold without the JSON library: LSPAny fields (`data`,
// settings, command arguments) and the params and results between framing and typed structs.
// Copies share the tree. Only json.cpp and its like include nlohmann/json itself, so that the rest
// of the tree compiles fast.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "daemon/support/result.h"

namespace ambit::lsp {

class Json {
 public:
  Json() = default;  // null
  explicit Json(nlohmann::json value);

  // kCorrupt when the text is not JSON, is not UTF-8 or nests deeper than kMaxDepth. An escaped
  // lone surrogate ("\ud83d", which an editor sends while half of a pair is deleted) becomes
  // U+FFFD: one UTF-16 unit for one, so that columns still agree.
  [[nodiscard]] static Result<Json> parse(std::string_view text);
  // Compact JSON; bytes that are not UTF-8 become U+FFFD.
  [[nodiscard]] std::string dump() const;

  // Text, number or truth as JSON, for small arguments without the JSON library.
  [[nodiscard]] static Json string(std::string_view text);
  [[nodiscard]] static Json integer(std::int64_t value);
  [[nodiscard]] static Json boolean(bool value);

  [[nodiscard]] bool is_null() const;
  // The value itself: include <nlohmann/json.hpp> to use it. Lives as long as this object or a
  // copy.
  [[nodiscard]] const nlohmann::json& value() const;

  friend bool operator==(const Json& a, const Json& b);

  static constexpr int kMaxDepth = 256;

 private:
  std::shared_ptr<const nlohmann::json> value_;  // null pointer: JSON null
};

// What Json::parse reads, as a tree of its own to move parts out of; same errors.
[[nodiscard]] Result<nlohmann::json> parse_tree(std::string_view text);

}  // namespace ambit::lsp
