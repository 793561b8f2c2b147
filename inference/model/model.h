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
#include "inference/model/step_model.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

struct ModelOptions {
  Numerics numerics = Numerics::kFast;
  bool reference_ops = false;  // plain loops instead of the fast paths
  unsigned threads = 0;        // 0: one per physical core
  bool mtp = true;             // keep the state of the draft blocks, if the checkpoint has some
  // DSpark drafts no further than where the product of its confidences falls below this: a draft
  // that is more likely wrong than right is not worth a row.
  float least_confidence = 0.5F;
};

// What every model of a checkpoint shares, whatever computes it.
struct RowForm {
  bool rounded = false;  // numerics other than plain
  bool packed = false;   // keeps rounded rows in the formats that they were rounded to
};
// drafts: with the state of the draft blocks, if there are any.
[[nodiscard]] StateShape state_shape(const ModelConfig& config, const ModelWeights& weights,
                                     bool drafts, RowForm form);
[[nodiscard]] std::vector<float> rope_frequencies(const ModelConfig& config, bool compressed);
// weights: on the host. arithmetic: what computes, in a word.
[[nodiscard]] std::uint64_t model_fingerprint(const ModelWeights& weights,
                                              std::string_view arithmetic, Numerics numerics,
                                              bool mtp);

class Model final : public StepModel {
 public:
  // path: a checkpoint directory or file (see weights/binding.h).
  [[nodiscard]] static Result<std::unique_ptr<Model>> open(const std::filesystem::path& path,
                                                           const ModelOptions& options);
  // weights must match config (binding.h checks).
  Model(ModelConfig config, ModelWeights weights, const ModelOptions& options);

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] const ModelWeights& weights() const { return weights_; }
  [[nodiscard]] const PageMaker& pages() const override { return *pages_; }
  [[nodiscard]] bool has_mtp() const override { return mtp_; }
  [[nodiscard]] std::size_t draft_length() const override {
    return dspark_ ? config_.dspark_block_size : StepModel::draft_length();
  }
  [[nodiscard]] std::uint64_t fingerprint() const override;
  [[nodiscard]] std::uint64_t weights_bytes() const override { return weights_.bytes; }
  [[nodiscard]] std::string_view backend() const override { return "cpu"; }
  [[nodiscard]] std::string device() const override;
  [[nodiscard]] std::size_t threads() const { return pool_->size(); }

  // step() and propose(), which cannot fail here.
  StepOutput forward(std::span<const StepInput> inputs);
  void draft(KvCache& cache, TokenId next, std::size_t count, std::vector<TokenId>& out);
  Result<StepOutput> step(std::span<const StepInput> inputs) override { return forward(inputs); }
  Result<void> propose(KvCache& cache, TokenId next, std::size_t count,
                       std::vector<TokenId>& out) override {
    draft(cache, next, count, out);
    return {};
  }

  void set_trace(Trace trace) { trace_ = std::move(trace); }

 private:
  void begin_step(StepContext& step, std::span<const Segment> segments, std::size_t rows,
                  std::int64_t rope_shift);
  void embed(std::span<const TokenId> ids, float* out, std::size_t copies) const;
  void draft_by_mtp(KvCache& cache, TokenId next, std::size_t count, std::vector<TokenId>& out);
  void draft_by_dspark(KvCache& cache, TokenId next, std::size_t count, std::vector<TokenId>& out);
  // The MTP block over `rows` rows from the kept streams; streams: [rows, n, D] out.
  void run_mtp(std::span<const Segment> segments, std::size_t rows, float* streams);

  ModelConfig config_;
  ModelWeights weights_;
  ModelOptions options_;
  bool mtp_ = false;  // which draft blocks are used: at most one kind
  bool dspark_ = false;
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
