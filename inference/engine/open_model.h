// Which of the machine's processors computes a checkpoint: the setting engine.device.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "inference/model/model.h"

namespace ambit::inference {

// auto: the graphics card when its driver is loaded and the model fits, else the CPU.
enum class DeviceChoice : std::uint8_t { kAuto, kCpu, kCuda };

// "auto", "cpu" or "cuda"; kInvalidArgument for anything else.
[[nodiscard]] Result<DeviceChoice> parse_device(std::string_view name);

// The setting engine.cards: "auto" (none) or numbers with commas between; kInvalidArgument for
// anything else.
[[nodiscard]] Result<std::vector<int>> parse_cards(std::string_view text);

// The graphics cards' part of the settings (device/device_options.h).
struct CardOptions {
  std::vector<int> cards{};
  std::uint64_t state_bytes = 0;  // of the cards' memory, for the state of all sequences
  bool cpu_experts = false;       // engine.host_experts = "cpu"
  std::filesystem::path state_directory{};
};

struct OpenedModel {
  std::unique_ptr<StepModel> model;
  std::string note{};  // why the CPU computes although a card is there; else empty
};

// Errors: the checkpoint reader's; with kCuda also those of open_device_model.
[[nodiscard]] Result<OpenedModel> open_step_model(const std::filesystem::path& path,
                                                  const ModelOptions& options, DeviceChoice device,
                                                  const CardOptions& card);

// What "name" in ambit.json beside the checkpoint says, in printable ASCII; else the folder's name.
[[nodiscard]] std::string model_name(const std::filesystem::path& path);

}  // namespace ambit::inference
