// A GGUF file for llama.cpp, made by the test: a byte vocabulary with V4's special tokens and one
// transformer block whose answers are known. After the fill-in-the-middle markup it says `fill`
// and ends; after an assistant's turn it says `loop` for ever. No byte may occur twice in a text.
#pragma once

#include <filesystem>
#include <string>

namespace ambit::testing {

void write_tiny_gguf(const std::filesystem::path& path, const std::string& fill,
                     const std::string& loop);

}  // namespace ambit::testing
