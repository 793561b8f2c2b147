// Backend that answers from a script (see script.h for the format): the model of every protocol and
// editor test, and of replay. It keeps the contract of backend.h: answers come token by token on a
// thread of its own, a cancelled request ends within one step, deadlines hold, and usage tells how
// much of the prompt an earlier request had in common with it.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "inference/backend.h"
#include "inference/scripted/script.h"

namespace ambit::inference {

class ScriptedBackend final : public Backend {
 public:
  struct Options {
    // Null: Tokenizer::bytes().
    std::shared_ptr<const Tokenizer> tokenizer;
    // Not empty: overrides the script's "record".
    std::filesystem::path record;
  };

  [[nodiscard]] static Result<std::unique_ptr<ScriptedBackend>> load(
      const std::filesystem::path& script, Options options);
  [[nodiscard]] static Result<std::unique_ptr<ScriptedBackend>> parse(std::string_view json,
                                                                      Options options);
  [[nodiscard]] static Result<std::unique_ptr<ScriptedBackend>> load(
      const std::filesystem::path& script) {
    return load(script, Options{});
  }
  [[nodiscard]] static Result<std::unique_ptr<ScriptedBackend>> parse(std::string_view json) {
    return parse(json, Options{});
  }

  ScriptedBackend(Script script, Options options);
  // Live requests end with kCancelled before it returns.
  ~ScriptedBackend() override;

  [[nodiscard]] BackendInfo describe() const override;
  [[nodiscard]] std::shared_ptr<const Tokenizer> tokenizer() const override;
  void wake() override;
  void submit(GenerateRequest request, GenerateEvents events, std::stop_token stop) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ambit::inference
