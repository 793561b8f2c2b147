// Protocol shapes <-> our types; nowhere else.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "daemon/session/documents.h"
#include "indexer/types.h"

namespace ambit::daemon {

// A Position; numbers are clamped to what LSP allows. Throws nlohmann's exceptions on a wrong type,
// which the dispatcher answers with -32602.
[[nodiscard]] Position position_of(const nlohmann::json& value);
[[nodiscard]] nlohmann::json to_json(Position position);
// The Range of bytes [begin, end) of a text.
[[nodiscard]] nlohmann::json range_json(std::string_view text, std::size_t begin, std::size_t end,
                                        PositionEncoding encoding);
// The word around a byte of the text, as most languages make names; empty between words.
[[nodiscard]] indexer::ByteSpan word_span(std::string_view text, std::size_t at);

}  // namespace ambit::daemon
