// The golden checkpoints: tests/golden/NAME when it is there, else ../shared/golden/NAME.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "inference/weights/safetensors.h"

namespace ambit::inference::golden {

// Folder of a checkpoint ("f32-a", "bf16-b", "q-c"), or nullopt when it is nowhere.
std::optional<std::filesystem::path> folder(const std::string& name);
// Its trace.safetensors, which may lie in the other place.
std::optional<std::filesystem::path> trace(const std::string& name);
// A file beside the checkpoints ("units.safetensors").
std::optional<std::filesystem::path> file(const std::string& name);

std::vector<float> floats(const Safetensors& file, const std::string& name);
std::vector<std::int32_t> ints(const Safetensors& file, const std::string& name);
std::vector<std::uint8_t> bytes(const Safetensors& file, const std::string& name);

}  // namespace ambit::inference::golden
