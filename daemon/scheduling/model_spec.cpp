#include "daemon/scheduling/model_spec.h"

#include <chrono>
#include <thread>

#include "daemon/net/local_socket.h"
#include "daemon/paths.h"
#include "daemon/scheduling/remote_model.h"
#include "daemon/support/file.h"
#include "daemon/support/trace.h"
#include "inference/engine/local_backend.h"
#include "inference/scripted/scripted_backend.h"
#include "inference/tokenizer/tokenizer.h"
#include "inference/weights/checkpoint.h"

namespace ambit::daemon {

namespace {

class UnavailableBackend : public inference::Backend {
 public:
  explicit UnavailableBackend(Error problem) : problem_(std::move(problem)) {}
  [[nodiscard]] inference::BackendInfo describe() const override {
    inference::BackendInfo info;
    info.state = inference::BackendState::kUnavailable;
    info.problem = problem_.message;
    return info;
  }
  [[nodiscard]] std::shared_ptr<const inference::Tokenizer> tokenizer() const override {
    return nullptr;
  }
  void wake() override {}
  void submit(inference::GenerateRequest, inference::GenerateEvents events,
              std::stop_token) override {
    events.on_done({inference::Finish::kError, problem_, {}});
  }

 private:
  const Error problem_;
};

}  // namespace

std::string ModelSpec::text() const {
  switch (kind) {
    case Kind::kScripted:
      return "scripted:" + path.string();
    case Kind::kRemote:
      return "remote:" + profile;
    case Kind::kLocal:
      break;
  }
  return path.string();
}

Result<ModelSpec> resolve_model(const std::string& setting) {
  ModelSpec spec;
  std::error_code error;
  if (setting.starts_with("scripted:")) {
    spec.kind = ModelSpec::Kind::kScripted;
    spec.path = std::filesystem::absolute(setting.substr(9), error);
  } else if (setting.starts_with("remote:")) {
    spec.kind = ModelSpec::Kind::kRemote;
    spec.profile = setting.substr(7);
    return spec;
  } else if (!setting.empty()) {
    spec.path = std::filesystem::absolute(setting, error);
  } else {
    spec.path = bundled_model();
    if (spec.path.empty()) {
      return make_error(
          Code::kUnavailable,
          "there is no model: set `model` in " + user_config_file().string() +
              " or AMBIT_MODEL to a folder with config.json and weights, or a .gguf file");
    }
  }
  if (!std::filesystem::exists(spec.path, error)) {
    return make_error(Code::kUnavailable, "there is no model at " + spec.path.string() +
                                              "; set `model` in " + user_config_file().string() +
                                              " or AMBIT_MODEL");
  }
  return spec;
}

namespace {

// A local model, and the lock on the folder of its saved state.
struct LocalModel {
  FileDescriptor lock;
  std::unique_ptr<inference::Backend> backend;  // ends before the lock goes
};

// The lock of the folder for saved state. An engine that ends keeps it for the two seconds that it
// may take to save; somebody else's is not waited for longer.
Result<FileDescriptor> lock_state(const std::filesystem::path& folder) {
  AMBIT_CHECK_OK(file_system().make_private_directory(folder.parent_path()));
  AMBIT_CHECK_OK(file_system().make_private_directory(folder));
  for (int i = 0;; ++i) {
    auto lock = lock_file(folder / "lock", false);
    if (lock || lock.error().code != Code::kTimeout || i == 30) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Result<std::shared_ptr<inference::Backend>> open_local(const ModelSpec& spec,
                                                       const Config& config) {
  inference::LocalOptions options;
  AMBIT_TRY(device, inference::parse_device(config.text("engine.device")));
  AMBIT_TRY(cards, inference::parse_cards(config.text("engine.cards")));
  options.device = device;
  options.cards = std::move(cards);
  options.cpu_experts = config.text("engine.host_experts") == "cpu";
  options.model.threads = static_cast<unsigned>(config.integer("engine.threads"));
  options.state_bytes = static_cast<std::uint64_t>(config.integer("engine.state_bytes"));
  options.state_disk_bytes = static_cast<std::uint64_t>(config.integer("engine.state_disk_bytes"));
  auto model = std::make_shared<LocalModel>();
  if (options.state_disk_bytes != 0) {
    const auto folder = state_directory() / "model-state";
    auto lock = lock_state(folder);
    if (lock) {
      model->lock = std::move(*lock);
      options.state_directory = folder;
    } else {
      log(LogLevel::kWarning, "engine",
          "the model's state is not kept on disk: " + lock.error().message);
    }
  }
  AMBIT_TRY(backend, inference::open_local_backend(spec.path, options));
  model->backend = std::move(backend);
  auto* const raw = model->backend.get();
  return std::shared_ptr<inference::Backend>(std::move(model), raw);
}

}  // namespace

Result<std::shared_ptr<inference::Backend>> open_backend(
    const ModelSpec& spec, const Config& config,
    std::function<void(const inference::BackendInfo&)> on_change) {
  switch (spec.kind) {
    case ModelSpec::Kind::kScripted: {
      AMBIT_TRY(backend, inference::ScriptedBackend::load(spec.path));
      return std::shared_ptr<inference::Backend>(std::move(backend));
    }
    case ModelSpec::Kind::kLocal: {
      return open_local(spec, config);
    }
    case ModelSpec::Kind::kRemote: {
      AMBIT_TRY(remote, parse_remote_model(spec.profile));
      return open_remote_model(remote, config, std::move(on_change));
    }
  }
  return make_error(Code::kInternal, "a kind of model that nobody knows");
}

Result<std::shared_ptr<const inference::Tokenizer>> load_tokenizer(const ModelSpec& spec) {
  if (spec.kind == ModelSpec::Kind::kScripted) return inference::Tokenizer::bytes();
  return inference::checkpoint_tokenizer(spec.path);
}

Error why_not_ready(const inference::Backend& backend) {
  const auto info = backend.describe();
  return make_error(Code::kUnavailable,
                    info.problem.empty() ? "the model is still loading; try again" : info.problem);
}

std::shared_ptr<inference::Backend> unavailable_backend(Error problem) {
  return std::make_shared<UnavailableBackend>(std::move(problem));
}

}  // namespace ambit::daemon
