// The DSpark drafter on the device: model/dspark.h, launch by launch.
#include <algorithm>

#include "inference/device/device_step.h"

namespace ambit::inference {

namespace cuda = ops::cuda;

void DeviceStep::tap(std::size_t layer, float* streams, float* taps) {
  const auto& layers = c_.dspark_target_layer_ids;
  for (std::size_t t = 0; t < layers.size(); ++t) {
    if (static_cast<std::size_t>(layers[t]) != layer) continue;
    settle(streams);
    cuda::TapArgs a;
    a.streams = streams;
    a.rows = n_;
    a.dim = c_.hidden_size;
    a.stride = layers.size() * c_.hidden_size;
    a.out = taps + t * c_.hidden_size;
    device_.run(device_.api().tap, a, "tap");
  }
}

void DeviceStep::dspark_rows(const DsparkWeights& w, std::size_t first_layer, const float* taps) {
  const ScratchScope scope(scratch_);
  const auto row = [&](const float* x, std::size_t cols, const float* weight,
                       const std::vector<const ops::Matrix*>& readers, auto launch,
                       const char* what) {
    cuda::NormArgs a;
    a.x = x;
    a.rows = n_;
    a.weight = weight;
    a.eps = c_.rms_norm_eps;
    a.out = forms(n_, cols, readers);
    device_.run(launch, a, what);
    return a.out;
  };
  float* x = scratch_.take(n_ * c_.hidden_size);
  linear(row(taps, w.main_proj.cols, nullptr, {&w.main_proj}, device_.api().prepare, "prepare"), n_,
         {{&w.main_proj, x}});
  std::vector<const ops::Matrix*> readers;
  std::vector<std::pair<const ops::Matrix*, float*>> jobs;
  for (const BlockWeights& stage : w.stages) {
    readers.push_back(&stage.attn.wkv);
    jobs.emplace_back(&stage.attn.wkv, scratch_.take(n_ * c_.head_dim));
  }
  linear(row(x, c_.hidden_size, w.main_norm, readers, device_.api().rms_norm, "rms_norm"), n_,
         jobs);
  for (std::size_t s = 0; s < w.stages.size(); ++s) {
    cuda::LatentsArgs a;
    a.step = rows_.rows;
    a.kv = jobs[s].second;
    a.kv_norm = w.stages[s].attn.kv_norm;
    a.head_dim = static_cast<int>(c_.head_dim);
    a.window_at = shape_.layers[first_layer + s].window_at;
    a.rope = rope_.main;
    a.eps = c_.rms_norm_eps;
    a.round = numerics_ != Numerics::kPlain;
    device_.run(device_.api().latents, a, "latents");
  }
}

void DeviceStep::dspark_tokens(const DsparkWeights& w, std::size_t n, float* logits, float* before,
                               std::int32_t* tokens) {
  const ScratchScope scope(scratch_);
  const std::size_t vocab = c_.vocab_size;
  const std::size_t rank = c_.dspark_markov_rank;
  float* added = scratch_.take(vocab);
  cuda::NormArgs prepare;
  prepare.rows = 1;
  prepare.out = forms(1, rank, {&w.markov_out});
  for (std::size_t i = 0; i < n; ++i) {
    cuda::EmbedArgs embed;
    embed.table = w.markov_in;
    embed.step.ids = tokens + i;
    embed.step.rows = 1;
    embed.out = before + i * rank;
    device_.run(device_.api().embed, embed, "embed");
    prepare.x = embed.out;
    device_.run(device_.api().prepare, prepare, "prepare");
    linear(prepare.out, 1, {{&w.markov_out, added}});
    cuda::AddArgs add;
    add.x = logits + i * vocab;
    add.y = added;
    add.rows = 1;
    add.dim = vocab;
    device_.run(device_.api().add_rows, add, "add_rows");
    cuda::ArgmaxArgs best;
    best.x = add.x;
    best.rows = 1;
    best.dim = vocab;
    best.out = tokens + i + 1;
    device_.run(device_.api().argmax, best, "argmax");
  }
}

}  // namespace ambit::inference
