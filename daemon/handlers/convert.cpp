#include "daemon/handlers/convert.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ambit::daemon {

using nlohmann::json;

Position position_of(const json& value) {
  const auto number = [&](const char* key) {
    const auto n = value.at(key).get<std::int64_t>();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(n, 0, 2147483647));
  };
  return {number("line"), number("character")};
}

json to_json(Position position) {
  return {{"line", position.line}, {"character", position.character}};
}

json range_json(std::string_view text, std::size_t begin, std::size_t end,
                PositionEncoding encoding) {
  return {{"start", to_json(position_at(text, begin, encoding))},
          {"end", to_json(position_at(text, end, encoding))}};
}

}  // namespace ambit::daemon
