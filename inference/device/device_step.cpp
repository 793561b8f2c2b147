#include "inference/device/device_step.h"

#include <algorithm>

namespace ambit::inference {

using ops::Matrix;
using ops::MatrixType;
namespace cuda = ops::cuda;

std::size_t stream_floats(const ModelConfig& c) {
  return (c.hc_mult + c.dspark_target_layer_ids.size()) * c.hidden_size;
}

std::uint64_t step_scratch_bytes(const ModelConfig& c, std::size_t rows) {
  const std::uint64_t k = c.num_experts_per_tok;
  const std::uint64_t heads = c.num_attention_heads * c.head_dim;
  const std::uint64_t low = c.o_groups * c.o_lora_rank;
  // A row that is read in every form: fp32, BF16 and three terms of BF16.
  constexpr std::uint64_t kForms = 4 + 2 + 6;
  const std::uint64_t taps = c.dspark_target_layer_ids.size();
  const std::uint64_t step = 4 * c.hidden_size * (cuda::kStreams + 1 + k + taps) + 1024;
  const std::uint64_t attention =
      kForms * (c.hidden_size + c.q_lora_rank + heads + low) +
      4 * (c.q_lora_rank + heads + low + c.index_topk + c.index_n_heads * (1 + c.index_head_dim) +
           9 * (c.head_dim + c.index_head_dim));
  const std::uint64_t experts = kForms * (c.hidden_size + (k + 1) * c.moe_intermediate_size) +
                                4 * (c.n_routed_experts + 2 * (k + 1) * c.moe_intermediate_size);
  // Scores are computed in pieces (device_block.cpp); blocks of scratch end in gaps.
  constexpr std::uint64_t kScores = std::uint64_t{320} << 20U;
  return rows * (step + std::max(attention, experts)) + kScores;
}

DeviceStep::DeviceStep(Device& device, DeviceScratch& scratch, const ModelConfig& config,
                       const StateShape& shape, Numerics numerics, const DeviceRows& rows)
    : device_(device),
      scratch_(scratch),
      c_(config),
      shape_(shape),
      numerics_(numerics),
      rows_(rows),
      n_(rows.rows.rows) {
  const std::size_t chunks = (c_.hidden_size + cuda::kMixChunk - 1) / cuda::kMixChunk;
  sublayer_ = scratch_.take(n_ * c_.hidden_size);
  expert_out_ = scratch_.take(n_ * c_.num_experts_per_tok * c_.hidden_size);
  entries_ = scratch_.take<std::int32_t>(n_ * c_.num_experts_per_tok);
  partial_ = scratch_.take(n_ * chunks * cuda::kMixWidth);
  for (float*& mix : mixes_)
    mix = scratch_.take(n_ * (cuda::kStreams + cuda::kStreams * cuda::kStreams));
}

void DeviceStep::make_rope(const float* main, const float* compress, std::int64_t shift) {
  const std::size_t half = c_.qk_rope_head_dim / 2;
  const auto table = [&](const float* frequencies, std::int64_t offset) {
    cuda::AnglesArgs a;
    a.frequencies = frequencies;
    a.half = static_cast<int>(half);
    a.offset = offset;
    a.step = rows_.rows;
    a.cos = scratch_.take(n_ * half);
    a.sin = scratch_.take(n_ * half);
    device_.run(device_.api().angles, a, "angles");
    return cuda::Angles{a.cos, a.sin, a.half};
  };
  rope_.main = table(main, shift);
  rope_.compress = table(compress, shift);
  rope_.block4 = table(compress, shift + 3);
  rope_.block128 = table(compress, shift + 127);
}

bool DeviceStep::rounds(const Matrix& w) const {
  return numerics_ != Numerics::kPlain && w.is_quantised();
}

cuda::Activation DeviceStep::forms(std::size_t rows, std::size_t cols,
                                   const std::vector<const Matrix*>& readers, bool may_round) {
  cuda::Activation a;
  a.cols = cols;
  for (const Matrix* w : readers) {
    if (w->type == MatrixType::kF32) {
      if (a.f32 == nullptr) a.f32 = scratch_.take(rows * cols);
    } else if (may_round && rounds(*w)) {
      if (a.rounded == nullptr) a.rounded = scratch_.take<std::uint16_t>(rows * cols);
    } else if (a.split == nullptr) {
      a.plane = rows * cols;
      // Released numerics know activations to BF16; two terms are 256 times as fine.
      a.terms = numerics_ == Numerics::kPlain ? 3 : 2;
      a.split = scratch_.take<std::uint16_t>(static_cast<std::size_t>(a.terms) * a.plane);
    }
  }
  return a;
}

void DeviceStep::linear(const cuda::Activation& x, std::size_t n,
                        const std::vector<std::pair<const Matrix*, float*>>& jobs, int groups) {
  cuda::LinearArgs a;
  a.x = x;
  a.n = n;
  a.groups = groups;
  for (const auto& [w, y] : jobs) {
    cuda::LinearJob& job = a.jobs[a.n_jobs++];
    job.w = *w;
    job.y = y;
    job.round = groups == 1 && rounds(*w);
  }
  device_.run(device_.api().linear, a, "linear");
}

void DeviceStep::enter(const HcWeights& hc, const float* norm, float* streams,
                       const cuda::Activation& out) {
  cuda::HcMixArgs mix;
  mix.streams = streams;
  mix.rows = n_;
  mix.dim = c_.hidden_size;
  mix.sublayer = owed_;
  mix.fn = reinterpret_cast<const float*>(hc.fn.data);
  mix.partial = partial_;
  device_.run(device_.api().hc_mix, mix, "hc_mix");
  turn_ ^= 1;
  cuda::HcPreArgs pre;
  pre.streams = streams;
  pre.rows = n_;
  pre.dim = c_.hidden_size;
  pre.partial = partial_;
  pre.base = hc.base;
  pre.scale = hc.scale;
  pre.iterations = c_.hc_sinkhorn_iters;
  pre.hc_eps = c_.hc_eps;
  pre.norm_eps = c_.rms_norm_eps;
  pre.post = mixes_[turn_];
  pre.comb = mixes_[turn_] + n_ * cuda::kStreams;
  pre.weight = norm;
  pre.out = out;
  device_.run(device_.api().hc_pre, pre, "hc_pre");
  owed_ = {};
  owed_.f = sublayer_;
  owed_.post = pre.post;
  owed_.comb = pre.comb;
}

void DeviceStep::settle(float* streams) {
  if (owed_.f == nullptr) return;
  cuda::HcMixArgs mix;
  mix.streams = streams;
  mix.rows = n_;
  mix.dim = c_.hidden_size;
  mix.sublayer = owed_;
  mix.outs = 0;
  device_.run(device_.api().hc_mix, mix, "hc_mix");
  owed_ = {};
}

void DeviceStep::head(const HcWeights& hc, const float* norm, const Matrix& vocabulary,
                      float* streams, std::size_t n, float* logits, float* collapsed) {
  const ScratchScope scope(scratch_);
  const std::size_t chunks = (c_.hidden_size + cuda::kMixChunk - 1) / cuda::kMixChunk;
  cuda::HcMixArgs mix;
  mix.streams = streams;
  mix.rows = n;
  mix.dim = c_.hidden_size;
  mix.fn = reinterpret_cast<const float*>(hc.fn.data);
  mix.outs = cuda::kStreams;
  mix.partial = scratch_.take(n * chunks * cuda::kMixWidth);
  device_.run(device_.api().hc_mix, mix, "hc_mix");
  cuda::HcPreArgs pre;
  pre.streams = streams;
  pre.rows = n;
  pre.dim = c_.hidden_size;
  pre.partial = mix.partial;
  pre.outs = cuda::kStreams;
  pre.base = hc.base;
  pre.scale = hc.scale;
  pre.hc_eps = c_.hc_eps;
  pre.norm_eps = c_.rms_norm_eps;
  pre.weight = norm;
  pre.out = forms(n, c_.hidden_size, {&vocabulary});
  pre.collapsed = collapsed;
  device_.run(device_.api().hc_pre, pre, "hc_pre");
  linear(pre.out, n, {{&vocabulary, logits}});
}

}  // namespace ambit::inference
