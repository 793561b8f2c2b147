#include "inference/engine/open_model.h"

#include <cstdlib>

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

Result<OpenedModel> open_step_model(const std::filesystem::path& path, const ModelOptions& options,
                                    DeviceChoice device, std::uint64_t state_bytes) {
  OpenedModel out;
  const bool wanted = device == DeviceChoice::kCuda ||
                      (device == DeviceChoice::kAuto &&
                       (!graphics_cards().empty() || std::getenv("AMBIT_CUDA_LIBRARY") != nullptr));
  if (wanted) {
    DeviceOptions on_card;
    on_card.numerics = options.numerics;
    on_card.mtp = options.mtp;
    on_card.state_bytes = state_bytes;
    auto model = open_device_model(path, on_card);
    if (model) {
      out.model = std::move(*model);
      return out;
    }
    if (device == DeviceChoice::kCuda) return model.error();
    out.note = model.error().message;
  }
  AMBIT_TRY(model, Model::open(path, options));
  out.model = std::move(model);
  return out;
}

}  // namespace ambit::inference
