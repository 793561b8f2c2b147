// What the engine asks of a model, wherever it computes: on the CPU (model.h) or on a graphics card
// (device/device_model.h). Tokens in, logits out, state in KvCaches of its own pages().
// Threads: one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/result.h"
#include "inference/kv/cache.h"
#include "inference/model_config.h"
#include "inference/ops/sample.h"

namespace ambit::inference {

// One sequence's part of a step.
struct StepInput {
  KvCache* cache = nullptr;      // extended by ids
  std::span<const TokenId> ids;  // at least 1, each in [0, vocab)
  std::size_t logits_from = 0;   // rows [logits_from, ids.size()) get logits
  bool mtp_logits = false;       // and the same rows of the MTP block (position 0 has none: zeros)
  // Of a model that chooses(), one for each row with logits: how its token is chosen, each `mask` a
  // row of `masks` (ops::mask_words() words a row). Empty: the step gives logits.
  std::span<const ops::SampleRow> choices{};
  std::span<const std::uint32_t> masks{};
};

// Logits of the step, [rows, vocab], the inputs' rows one after another. Valid until the next step.
struct StepOutput {
  std::span<const float> logits;
  std::span<const float> mtp_logits;
  // Instead of logits where all inputs brought their choices.
  std::span<const ops::Sampled> chosen;
};

class StepModel {
 public:
  StepModel() = default;
  StepModel(const StepModel&) = delete;
  StepModel& operator=(const StepModel&) = delete;
  virtual ~StepModel() = default;

  [[nodiscard]] virtual const ModelConfig& config() const = 0;
  [[nodiscard]] virtual const PageMaker& pages() const = 0;
  [[nodiscard]] virtual bool has_mtp() const = 0;
  // How many tokens are worth asking propose() for at once; 0: no draft blocks.
  [[nodiscard]] virtual std::size_t draft_length() const { return has_mtp() ? 1 : 0; }
  // Names the checkpoint and the arithmetic: state computed under one fingerprint is valid under it
  // alone.
  [[nodiscard]] virtual std::uint64_t fingerprint() const = 0;
  [[nodiscard]] virtual std::uint64_t weights_bytes() const = 0;
  // The most that pages of state may take, live sequences included; 0: no limit of the model's own.
  [[nodiscard]] virtual std::uint64_t state_limit() const { return 0; }
  // Whether it chooses tokens itself, so that ids come from a step and not logits.
  [[nodiscard]] virtual bool chooses() const { return false; }
  // Tokens of a prompt that one step can be given; fewer are fine.
  [[nodiscard]] virtual std::size_t most_rows() const { return 512; }
  [[nodiscard]] virtual std::string_view backend() const = 0;  // "cpu", "cuda"
  [[nodiscard]] virtual std::string device() const = 0;        // for people

  // Extends the caches and computes their new tokens. After an error nothing that this model keeps
  // can be trusted: kResourceExhausted when the state does not fit, kUnavailable when the device
  // failed.
  [[nodiscard]] virtual Result<StepOutput> step(std::span<const StepInput> inputs) = 0;

  // Up to `count` tokens that the draft blocks expect behind `next`, the token that follows the
  // sequence. The cache is as before when it returns. Needs draft_length() and a non-empty cache.
  [[nodiscard]] virtual Result<void> propose(KvCache& cache, TokenId next, std::size_t count,
                                             std::vector<TokenId>& out) = 0;
};

}  // namespace ambit::inference
