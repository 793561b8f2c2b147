#include "inference/model/model.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "inference/model/block.h"
#include "inference/model/dspark.h"
#include "inference/model/head.h"
#include "inference/model/mtp.h"
#include "inference/ops/rope.h"

namespace ambit::inference {

StateShape state_shape(const ModelConfig& c, const ModelWeights& w, bool drafts, RowForm form) {
  std::vector<LayerKind> kinds;
  for (std::size_t l = 0; l < w.layers.size(); ++l) {
    kinds.push_back({static_cast<std::int32_t>(c.ratio(l)), w.layers[l].attn.indexer.has_value()});
  }
  const bool mtp = drafts && !w.mtp.empty();
  if (mtp) kinds.push_back({});
  if (drafts && w.dspark) kinds.resize(kinds.size() + w.dspark->stages.size());
  return StateShape::make(kinds,
                          {.head_dim = c.head_dim,
                           .rope = c.qk_rope_head_dim,
                           .index_dim = c.index_head_dim,
                           .rounded = form.rounded,
                           .packed = form.packed},
                          static_cast<std::int64_t>(c.sliding_window),
                          mtp ? c.hc_mult * c.hidden_size : 0);
}

std::vector<float> rope_frequencies(const ModelConfig& c, bool compressed) {
  return ops::rope_frequencies({.rope_dim = c.qk_rope_head_dim,
                                .base = compressed ? c.compress_rope_theta : c.rope_theta,
                                .yarn = compressed && c.yarn,
                                .factor = c.yarn_factor,
                                .original_length = c.yarn_original_length,
                                .beta_fast = c.yarn_beta_fast,
                                .beta_slow = c.yarn_beta_slow});
}

Result<std::unique_ptr<Model>> Model::open(const std::filesystem::path& path,
                                           const ModelOptions& options) {
  AMBIT_TRY(checkpoint, open_checkpoint(path));
  AMBIT_TRY(weights, bind_weights(checkpoint));
  return std::make_unique<Model>(std::move(checkpoint.config), std::move(weights), options);
}

Model::Model(ModelConfig config, ModelWeights weights, const ModelOptions& options)
    : config_(std::move(config)), weights_(std::move(weights)), options_(options) {
  mtp_ = options.mtp && !weights_.mtp.empty();
  dspark_ = options.mtp && weights_.dspark.has_value();
  const bool rounded = options.numerics != Numerics::kPlain;
  pages_ = std::make_unique<PageMaker>(
      state_shape(config_, weights_, options.mtp, {.rounded = rounded, .packed = rounded}));
  pool_ = std::make_unique<ops::ThreadPool>(options.threads);
  main_frequencies_ = rope_frequencies(config_, false);
  compress_frequencies_ = rope_frequencies(config_, true);
}

std::string Model::device() const {
  return "CPU, " + std::to_string(pool_->size()) +
         (pool_->size() == 1 ? " thread, " : " threads, ") + ops::simd_name();
}

std::uint64_t Model::fingerprint() const {
  const std::string isa = options_.reference_ops ? "reference" : ops::simd_name();
  return model_fingerprint(weights_, isa, options_.numerics, mtp_ || dspark_);
}

std::uint64_t model_fingerprint(const ModelWeights& weights, std::string_view arithmetic,
                                Numerics numerics, bool drafts) {
  // The shapes, the arithmetic, and a sample of every matrix: a retrained checkpoint differs in
  // all.
  constexpr std::uint32_t kStateVersion = 4;
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  const auto add = [&](const void* data, std::size_t n) { XXH3_64bits_update(state, data, n); };
  const auto number = [&](std::uint64_t v) { add(&v, sizeof(v)); };
  add(arithmetic.data(), arithmetic.size());
  number(kStateVersion);
  number(static_cast<std::uint64_t>(numerics));
  number(drafts ? 1 : 0);
  number(weights.bytes);
  const auto matrix = [&](const ops::Matrix& m) {
    number(m.rows);
    number(m.cols);
    number(static_cast<std::uint64_t>(m.type));
    if (m.data != nullptr) add(m.data, std::min<std::size_t>(512, m.rows * m.cols / 2));
  };
  matrix(weights.embed);
  matrix(weights.head);
  for (const BlockWeights& b : weights.layers) {
    for (const ops::Matrix* m : {&b.hc_attn.fn, &b.hc_ffn.fn, &b.attn.wq_a, &b.attn.wq_b,
                                 &b.attn.wkv, &b.attn.wo_a, &b.attn.wo_b, &b.ffn.gate}) {
      matrix(*m);
    }
    for (const ExpertWeights& e : b.ffn.experts) matrix(e.w1);
  }
  if (drafts && weights.dspark) {
    matrix(weights.dspark->main_proj);
    for (const BlockWeights& b : weights.dspark->stages) matrix(b.attn.wkv);
  }
  const std::uint64_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hash;
}

void Model::begin_step(StepContext& step, std::span<const Segment> segments, std::size_t rows,
                       std::int64_t rope_shift) {
  step.config = &config_;
  step.ops = options_.reference_ops ? ops::reference_ops() : ops::cpu_ops();
  step.reference_products = options_.reference_ops;
  step.pool = pool_.get();
  step.numerics = options_.numerics;
  step.scratch = &scratch_;
  step.trace = trace_ ? &trace_ : nullptr;
  step.rows = rows;
  step.segments = segments;
  const std::size_t half = config_.qk_rope_head_dim / 2;
  const auto angles = [&](const std::vector<float>& f) {
    RopeAngles a;
    a.frequencies = f;
    a.cos = scratch_.take(rows * half);
    a.sin = scratch_.take(rows * half);
    for (const Segment& s : segments) {
      for (std::size_t i = 0; i < s.count; ++i) {
        ops::rope_angles(f, s.start + static_cast<std::int64_t>(i) - rope_shift,
                         a.cos + (s.row + i) * half, a.sin + (s.row + i) * half);
      }
    }
    return a;
  };
  step.rope_main = angles(main_frequencies_);
  step.rope_compress = angles(compress_frequencies_);
}

void Model::embed(std::span<const TokenId> ids, float* out, std::size_t copies) const {
  const std::size_t dim = config_.hidden_size;
  for (std::size_t r = 0; r < ids.size(); ++r) {
    float* first = out + r * copies * dim;
    ops::unpack_row(weights_.embed, static_cast<std::size_t>(ids[r]), first);
    for (std::size_t j = 1; j < copies; ++j) std::copy_n(first, dim, first + j * dim);
  }
}

StepOutput Model::forward(std::span<const StepInput> inputs) {
  const ops::ThreadPool::Hold hold(*pool_);
  scratch_.reset();
  segments_.clear();
  ids_.clear();
  std::size_t rows = 0;
  std::size_t logit_rows = 0;
  bool mtp_logits = false;
  for (const StepInput& in : inputs) {
    segments_.push_back({in.cache, in.cache->length(), in.ids.size(), rows, 0});
    in.cache->extend(in.ids);
    ids_.insert(ids_.end(), in.ids.begin(), in.ids.end());
    rows += in.ids.size();
    logit_rows += in.ids.size() - std::min(in.logits_from, in.ids.size());
    mtp_logits = mtp_logits || in.mtp_logits;
  }
  const std::size_t wide = config_.hc_mult * config_.hidden_size;
  const auto vocab = static_cast<std::size_t>(config_.vocab_size);
  float* logits = scratch_.take(logit_rows * vocab);
  float* second_logits = mtp_logits ? scratch_.take(logit_rows * vocab) : nullptr;
  if (mtp_logits) std::fill_n(second_logits, logit_rows * vocab, 0.0F);

  const ScratchScope scope(scratch_);
  StepContext step;
  begin_step(step, segments_, rows, 0);
  step.ids = ids_;
  float* streams = scratch_.take(rows * wide);
  embed(ids_, streams, config_.hc_mult);
  float* taps = dspark_ ? scratch_.take(rows * weights_.dspark->main_proj.cols) : nullptr;
  for (std::size_t l = 0; l < weights_.layers.size(); ++l) {
    block(step, weights_.layers[l], l, streams);
    if (dspark_) tap(step, l, streams, taps);
  }
  if (dspark_) dspark_rows(step, *weights_.dspark, weights_.layers.size(), taps);
  // Rows with logits, moved together.
  float* picked = scratch_.take(logit_rows * wide);
  std::size_t n = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Segment& s = segments_[i];
    for (std::size_t r = inputs[i].logits_from; r < s.count; ++r) {
      std::copy_n(streams + (s.row + r) * wide, wide, picked + n++ * wide);
    }
  }
  if (logit_rows != 0) {
    head(step, weights_.hc_head, weights_.norm, weights_.head, picked, logit_rows, logits);
  }
  if (mtp_) {
    for (const Segment& s : segments_) {
      for (std::size_t i = 0; i < s.count; ++i) {
        std::copy_n(streams + (s.row + i) * wide, wide,
                    s.cache->streams_row(s.start + static_cast<std::int64_t>(i)));
      }
    }
    mtp_segments_.clear();
    std::size_t mtp_rows = 0;
    for (const Segment& s : segments_) {
      const std::size_t skip = s.start == 0 ? 1 : 0;
      if (s.count == skip) continue;
      Segment m = s;
      m.start += static_cast<std::int64_t>(skip);
      m.count -= skip;
      m.row = mtp_rows;
      m.first_position = 1;
      mtp_rows += m.count;
      mtp_segments_.push_back(m);
    }
    if (mtp_rows != 0) {
      float* mtp_streams = scratch_.take(mtp_rows * wide);
      run_mtp(mtp_segments_, mtp_rows, mtp_streams);
      if (mtp_logits) {
        n = 0;
        std::size_t row = 0;  // of mtp_streams
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          const Segment& s = segments_[i];
          const std::size_t skip = s.start == 0 ? 1 : 0;
          for (std::size_t r = 0; r < s.count; ++r) {
            const bool absent = r < skip;
            if (r >= inputs[i].logits_from) {
              float* to = picked + n++ * wide;
              if (absent) {
                std::fill_n(to, wide, 0.0F);
              } else {
                std::copy_n(mtp_streams + row * wide, wide, to);
              }
            }
            if (!absent) ++row;
          }
        }
        const MtpWeights& w = weights_.mtp[0];
        head(step, w.hc_head, w.norm, weights_.head, picked, logit_rows, second_logits);
        n = 0;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          for (std::size_t r = inputs[i].logits_from; r < segments_[i].count; ++r, ++n) {
            if (segments_[i].start == 0 && r == 0)
              std::fill_n(second_logits + n * vocab, vocab, 0.0F);
          }
        }
      }
    }
  }
  StepOutput out;
  out.logits = {logits, logit_rows * vocab};
  if (mtp_logits) out.mtp_logits = {second_logits, logit_rows * vocab};
  return out;
}

void Model::run_mtp(std::span<const Segment> segments, std::size_t rows, float* streams) {
  const std::size_t wide = config_.hc_mult * config_.hidden_size;
  const ScratchScope scope(scratch_);
  StepContext step;
  begin_step(step, segments, rows, 1);
  auto* ids = scratch_.take<TokenId>(rows);
  for (const Segment& s : segments) {
    for (std::size_t i = 0; i < s.count; ++i) {
      const std::int64_t position = s.start + static_cast<std::int64_t>(i);
      ids[s.row + i] = s.cache->token(position);
      std::copy_n(s.cache->streams_row(position - 1), wide, streams + (s.row + i) * wide);
    }
  }
  step.ids = {ids, rows};
  step.trace = nullptr;
  float* embedded = scratch_.take(rows * config_.hidden_size);
  embed(step.ids, embedded, 1);
  mtp_block(step, weights_.mtp[0], weights_.layers.size(), embedded, streams);
}

void Model::draft(KvCache& cache, TokenId next, std::size_t count, std::vector<TokenId>& out) {
  if (dspark_) {
    draft_by_dspark(cache, next, count, out);
  } else {
    draft_by_mtp(cache, next, count, out);
  }
}

void Model::draft_by_dspark(KvCache& cache, TokenId next, std::size_t count,
                            std::vector<TokenId>& out) {
  const ops::ThreadPool::Hold hold(*pool_);
  scratch_.reset();
  const std::int64_t before = cache.length();
  ids_.assign(config_.dspark_block_size, config_.dspark_noise_token_id);
  ids_[0] = next;
  const Segment segment{&cache, before, ids_.size(), 0, 0, /*mutual=*/true};
  cache.extend(ids_);
  float* streams = scratch_.take(ids_.size() * config_.hc_mult * config_.hidden_size);
  embed(ids_, streams, config_.hc_mult);
  StepContext step;
  begin_step(step, {&segment, 1}, ids_.size(), 0);
  step.ids = ids_;
  dspark_draft(step, *weights_.dspark, weights_.layers.size(), weights_.head, streams, count,
               options_.least_confidence, out);
  cache.truncate(before);
}

void Model::draft_by_mtp(KvCache& cache, TokenId next, std::size_t count,
                         std::vector<TokenId>& out) {
  const std::int64_t before = cache.length();
  const std::size_t wide = config_.hc_mult * config_.hidden_size;
  const auto vocab = static_cast<std::size_t>(config_.vocab_size);
  TokenId token = next;
  for (std::size_t i = 0; i < count; ++i) {
    scratch_.reset();
    const Segment segment{&cache, cache.length(), 1, 0, 1};
    cache.extend({&token, 1});
    float* streams = scratch_.take(wide);
    run_mtp({&segment, 1}, 1, streams);
    // The block's own output stands in for the backbone's streams of the drafted position.
    std::copy_n(streams, wide, cache.streams_row(segment.start));
    float* logits = scratch_.take(vocab);
    StepContext step;
    begin_step(step, {&segment, 1}, 1, 1);
    step.trace = nullptr;
    const MtpWeights& w = weights_.mtp[0];
    head(step, w.hc_head, w.norm, weights_.head, streams, 1, logits);
    token = static_cast<TokenId>(std::max_element(logits, logits + vocab) - logits);
    out.push_back(token);
  }
  cache.truncate(before);
}

}  // namespace ambit::inference
