// Backend on our own engine: one model thread, many live sequences, every prefix kept warm.
//
// The model thread owns the model and all state. It works in steps: a step is one token of every
// decoding request of the most urgent class plus one chunk of one prompt of that class, so a
// keystroke waits for at most one chunk of anybody else's prefill, and cancellation takes effect
// between steps. Logits do not depend on who shares a step (model/step.h), so neither do answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/support/file.h"
#include "inference/backend.h"
#include "inference/engine/open_model.h"
#include "inference/model/model.h"

namespace ambit::inference {

struct LocalOptions {
  ModelOptions model{};
  DeviceChoice device = DeviceChoice::kCpu;
  std::vector<int> cards{};   // of a model on cards: see CardOptions
  bool cpu_experts = false;   // likewise
  std::string device_note{};  // shown behind the device's name
  std::string name{};         // shown in describe(); empty: the checkpoint's file name
  std::int64_t context = 0;   // tokens of one sequence, prompt and answer; 0: what the model allows
  std::uint64_t state_bytes = std::uint64_t{1}
                              << 30U;  // memory for warm prefixes; 0: as plan.h says
  // The state of requests with on_disk is kept here over restarts, written when the engine is idle.
  // One process at a time. Empty: nowhere.
  std::filesystem::path state_directory{};
  std::uint64_t state_disk_bytes = std::uint64_t{4} << 30U;
  FileSystem* state_files = nullptr;  // what writes there; null: file_system()
  std::size_t max_chunk = 0;  // tokens of a prefill step, at most; 0: the model's most_rows()
  // A chunk is cut so that it takes about chunk_ms, in the background while somebody types
  // background_chunk_ms: what a keystroke may wait for. Where a step's fixed cost is most of that,
  // longer (prefill_pace.h), up to most_chunk_ms (while somebody types 2 · chunk_ms); and as long
  // as that anyway in the background when nothing else was asked for quiet_after_ms.
  double chunk_ms = 40;
  double background_chunk_ms = 12;
  double most_chunk_ms = 300;
  double quiet_after_ms = 3000;
  std::size_t max_queue = 64;  // requests waiting or running; more are refused
  bool speculate = true;       // verify drafts (look-up, MTP, DSpark); never changes an answer
  // Null: tokenizer.json beside the checkpoint.
  std::shared_ptr<const Tokenizer> tokenizer{};
};

// Loads the checkpoint at `path` (a directory or a file) before it returns. Errors: as of the
// checkpoint reader and of Tokenizer::load.
[[nodiscard]] Result<std::unique_ptr<Backend>> open_local_backend(const std::filesystem::path& path,
                                                                  const LocalOptions& options);

// The same on a model in memory.
[[nodiscard]] std::unique_ptr<Backend> make_local_backend(std::unique_ptr<StepModel> model,
                                                          const LocalOptions& options);

}  // namespace ambit::inference
