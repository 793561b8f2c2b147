// What the setting `model` can say, and how a Backend is made of it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "daemon/config.h"
#include "daemon/support/result.h"
#include "inference/backend.h"

namespace ambit::daemon {

struct ModelSpec {
  enum class Kind { kLocal, kScripted, kRemote };
  Kind kind = Kind::kLocal;
  std::filesystem::path path;  // kLocal: folder of the checkpoint; kScripted: the script
  std::string profile;         // kRemote: what follows "remote:"
  [[nodiscard]] std::string text() const;  // what the setting would say
};

// Reads the setting; when it is empty, takes the bundled model. kUnavailable, with what to do, when
// there is none; kNotFound when the path does not exist.
[[nodiscard]] Result<ModelSpec> resolve_model(const std::string& setting);

// Makes the backend in this process; a local or scripted one is loaded before it returns, a remote
// one sends nothing before it wakes. `on_change` is for remote ones, whose state changes by itself.
[[nodiscard]] Result<std::shared_ptr<inference::Backend>> open_backend(
    const ModelSpec& spec, const Config& config,
    std::function<void(const inference::BackendInfo&)> on_change = {});

// The tokenizer of the same model, without its weights.
[[nodiscard]] Result<std::shared_ptr<const inference::Tokenizer>> load_tokenizer(
    const ModelSpec& spec);

// Why a backend without a tokenizer cannot be asked: its own problem, or that it is not ready yet.
[[nodiscard]] Error why_not_ready(const inference::Backend& backend);

// A backend that only says why there is none: state kUnavailable, every request refused with
// `problem`.
[[nodiscard]] std::shared_ptr<inference::Backend> unavailable_backend(Error problem);

}  // namespace ambit::daemon
