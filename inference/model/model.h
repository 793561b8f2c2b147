// The whole graph on the CPU: tokens in, logits out, state in KvCaches.
// Threads: one thread at a time may call forward() and draft(); they use the model's thread pool.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "daemon/support/result.h"
#include "inference/kv/cache.h"
#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

struct ModelOptions {
  Numerics numerics = Numerics::kFast;
  bool reference_ops = false;  // plain loops instead of the fast paths
  unsigned threads = 0;        // 0: one per physical core
  bool mtp = true;             // keep the state of the MTP block (if the checkpoint has one)
};

// One sequence's part of a step.
struct StepInput {
  KvCache* cache = nullptr;      // extended by ids
  std::span<const TokenId> ids;  // at least 1, each in [0, vocab)
  std::size_t logits_from = 0;   // rows [logits_from, ids.size()) get logits
  bool mtp_logits = false;       // and the same rows of the MTP block (position 0 has none: zeros)
};

// Logits of the step, [rows, vocab], the inputs' rows one after another. Valid until the next step.
struct StepOutput {
  std::span<const float> logits;
  std::span<const float> mtp_logits;
};

class Model {
 public:
  // path: a checkpoint directory or file (see weights/binding.h).
  [[nodiscard]] static Result<std::unique_ptr<Model>> open(const std::filesystem::path& path,
                                                           const ModelOptions& options);
  // weights must match config (binding.h checks).
  Model(ModelConfig config, ModelWeights weights, const ModelOptions& options);

  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] const ModelWeights& weights() const { return weights_; }
  [[nodiscard]] const PageMaker& pages() const { return *pages_; }
  [[nodiscard]] bool has_mtp() const { return mtp_; }
  // Names the checkpoint and the arithmetic: state computed under one fingerprint is valid under it
  // alone.
  [[nodiscard]] std::uint64_t fingerprint() const;
  [[nodiscard]] std::size_t threads() const { return pool_->size(); }

  StepOutput forward(std::span<const StepInput> inputs);

  // Up to `count` tokens that the MTP block expects behind `next`, the token that follows the
  // sequence. The cache is as before when it returns. Needs has_mtp() and a non-empty cache.
  void draft(KvCache& cache, TokenId next, std::size_t count, std::vector<TokenId>& out);

  void set_trace(Trace trace) { trace_ = std::move(trace); }

 private:
  void begin_step(StepContext& step, std::span<const Segment> segments, std::size_t rows,
                  std::int64_t rope_shift);
  void embed(std::span<const TokenId> ids, float* out, std::size_t copies) const;
  // The MTP block over `rows` rows from the kept streams; streams: [rows, n, D] out.
  void run_mtp(std::span<const Segment> segments, std::size_t rows, float* streams);

  ModelConfig config_;
  ModelWeights weights_;
  ModelOptions options_;
  bool mtp_ = false;
  std::unique_ptr<PageMaker> pages_;
  std::unique_ptr<ops::ThreadPool> pool_;
  Scratch scratch_;
  Trace trace_;
  std::vector<Segment> segments_;
  std::vector<Segment> mtp_segments_;
  std::vector<TokenId> ids_;
  std::vector<float> main_frequencies_;
  std::vector<float> compress_frequencies_;
};

}  // namespace ambit::inference
