#include "inference/engine/open_model.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "daemon/support/file.h"
#include "inference/device/device_model.h"
#include "inference/plan_machine.h"

namespace ambit::inference {

Result<DeviceChoice> parse_device(std::string_view name) {
  if (name == "auto") return DeviceChoice::kAuto;
  if (name == "cpu") return DeviceChoice::kCpu;
  if (name == "cuda") return DeviceChoice::kCuda;
  return make_error(Code::kInvalidArgument,
                    "the device '" + std::string(name) + "' is none of auto, cpu, cuda");
}

Result<std::vector<int>> parse_cards(std::string_view text) {
  std::vector<int> out;
  if (text == "auto") return out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view number = text.substr(at, end - at);
    int card = 0;
    const auto [stop, error] = std::from_chars(number.begin(), number.end(), card);
    if (error != std::errc() || stop != number.end() || card < 0) {
      return make_error(Code::kInvalidArgument, "engine.cards is '" + std::string(text) +
                                                    "'; it takes auto, or numbers of cards such "
                                                    "as 0,1");
    }
    out.push_back(card);
    at = end + 1;
  }
  return out;
}

Result<OpenedModel> open_step_model(const std::filesystem::path& path, const ModelOptions& options,
                                    DeviceChoice device, const CardOptions& card) {
  OpenedModel out;
  const bool wanted = device == DeviceChoice::kCuda ||
                      (device == DeviceChoice::kAuto &&
                       (!graphics_cards().empty() || std::getenv("AMBIT_CUDA_LIBRARY") != nullptr));
  if (wanted) {
    DeviceOptions on_card;
    on_card.numerics = options.numerics;
    on_card.mtp = options.mtp;
    on_card.least_confidence = options.least_confidence;
    on_card.cards = card.cards;
    on_card.state_bytes = card.state_bytes;
    on_card.cpu_experts = card.cpu_experts;
    on_card.threads = options.threads;
    on_card.state_directory = card.state_directory;
    auto model = open_device_model(path, on_card);
    if (model) {
      out.model = std::move(*model);
      return out;
    }
    // Who names cards wants them.
    if (device == DeviceChoice::kCuda || !card.cards.empty()) return model.error();
    out.note = model.error().message;
  }
  AMBIT_TRY(model, Model::open(path, options));
  out.model = std::move(model);
  return out;
}

std::string model_name(const std::filesystem::path& path) {
  std::error_code error;
  const auto folder = std::filesystem::is_directory(path, error) ? path : path.parent_path();
  if (const auto text = read_file(folder / "ambit.json", 1U << 16)) {
    const auto parsed = nlohmann::json::parse(*text, nullptr, false);
    const auto found = parsed.is_object() ? parsed.find("name") : parsed.end();
    if (found != parsed.end() && found->is_string()) {
      const auto& name = found->get_ref<const std::string&>();
      const bool fit =
          !name.empty() && name.size() <= 64 &&
          std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
      if (fit) return name;
    }
  }
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

}  // namespace ambit::inference
