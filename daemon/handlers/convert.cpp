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

indexer::ByteSpan word_span(std::string_view text, std::size_t at) {
  const auto part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  auto begin = std::min(at, text.size());
  auto end = begin;
  while (begin > 0 && part(text[begin - 1])) --begin;
  while (end < text.size() && part(text[end])) ++end;
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

}  // namespace ambit::daemon
