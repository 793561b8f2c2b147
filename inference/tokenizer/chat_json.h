// JSON text with the spacing of Python's json.dumps(ensure_ascii=False), which DeepSeek-V4's
// training prompts have: ", " and ": " as separators, keys in their order.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ambit::inference {

[[nodiscard]] std::string dump_spaced(const nlohmann::ordered_json& value);

}  // namespace ambit::inference
