// What the fuzz targets of the engine's readers share: a file that holds the input, and what every
// refusal must be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "daemon/support/result.h"

namespace ambit::fuzz {

// A file of this process with the input's bytes; the same path every time.
[[nodiscard]] std::filesystem::path file_with(const std::uint8_t* data, std::size_t size,
                                              std::string_view name);

// One clear line, of a bounded length.
void require_clear(const Error& error);

}  // namespace ambit::fuzz
