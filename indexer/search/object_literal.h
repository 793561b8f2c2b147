// Object literals and patterns of JavaScript and TypeScript, { key: value, … }, read from the text.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace ambit::indexer {

// The keys of the literal or pattern in which a key stands at `at`; none when it is no key.
[[nodiscard]] std::set<std::string> keys_around(std::string_view text, std::size_t at);
// Position of `key` among the keys of the literal that opens at `brace`; 0 when it has none.
[[nodiscard]] std::uint32_t key_of_literal(std::string_view text, std::uint32_t brace,
                                           std::string_view key);

}  // namespace ambit::indexer
