// One block on the device (design notes, section 2): two sites, attention, experts.
#include <algorithm>
#include <cmath>

#include "inference/device/device_step.h"

namespace ambit::inference {

namespace cuda = ops::cuda;

void DeviceStep::block(const BlockWeights& w, const DeviceExperts& experts, std::size_t layer,
                       float* streams) {
  {
    const ScratchScope scope(scratch_);
    const AttentionWeights& a = w.attn;
    std::vector<const ops::Matrix*> readers = {&a.wq_a, &a.wkv};
    if (a.compressor) readers.push_back(&a.compressor->wkv);
    if (a.indexer) {
      readers.push_back(&a.indexer->compressor.wkv);
      readers.push_back(&a.indexer->weights_proj);
    }
    const cuda::Activation x = forms(n_, c_.hidden_size, readers);
    enter(w.hc_attn, w.attn_norm, streams, x);
    attention(a, x, layer);
  }
  const ScratchScope scope(scratch_);
  ops::Matrix routed;
  routed.type = experts.w1.type;
  const cuda::Activation x = forms(n_, c_.hidden_size, {&w.ffn.gate, &w.ffn.shared.w1, &routed});
  enter(w.hc_ffn, w.ffn_norm, streams, x);
  moe(w.ffn, experts, x);
}

void DeviceStep::attention(const AttentionWeights& w, const cuda::Activation& x,
                           std::size_t layer) {
  const LayerShape& l = shape_.layers[layer];
  const std::size_t heads = c_.num_attention_heads;
  const std::size_t dim = c_.head_dim;
  const std::size_t wide = heads * dim;
  const std::int64_t visible = l.ratio == 0 ? 0 : rows_.longest / l.ratio;
  const auto top = static_cast<std::int64_t>(c_.index_topk);
  const bool scores = w.indexer.has_value() && visible > top;

  cuda::LatentsArgs latents;
  // Everything that reads x, in one launch.
  std::vector<std::pair<const ops::Matrix*, float*>> jobs;
  float* q = scratch_.take(n_ * c_.q_lora_rank);
  float* kv = scratch_.take(n_ * dim);
  float* index_weights = scores ? scratch_.take(n_ * c_.index_n_heads) : nullptr;
  const auto compressor = [&](const CompressorWeights& cw, bool index) {
    cuda::CompressorArgs a;
    a.width = static_cast<int>(cw.wkv.rows);
    float* values = scratch_.take(n_ * cw.wkv.rows);
    float* gates = scratch_.take(n_ * cw.wkv.rows);
    jobs.emplace_back(&cw.wkv, values);
    jobs.emplace_back(&cw.wgate, gates);
    a.values = values;
    a.scores = gates;
    a.ape = cw.ape;
    a.norm = cw.norm;
    a.dim = static_cast<int>(index ? shape_.index_dim : dim);
    a.ratio = l.ratio;
    a.overlap = l.overlap;
    a.raw_at = index ? l.index_raw_at : l.raw_at;
    a.edge_at = index ? l.index_edge_at : l.edge_at;
    a.out_at = index ? l.index_at : l.rows_at;
    a.row_bytes = shape_.row_bytes;
    a.rope = l.ratio == 4 ? rope_.block4 : rope_.block128;
    return a;
  };
  jobs.emplace_back(&w.wq_a, q);
  jobs.emplace_back(&w.wkv, kv);
  if (w.compressor) latents.attention = compressor(*w.compressor, false);
  if (w.indexer) latents.index = compressor(w.indexer->compressor, true);
  if (scores) jobs.emplace_back(&w.indexer->weights_proj, index_weights);
  linear(x, n_, jobs);
  latents.step = rows_.rows;
  latents.q = q;
  latents.q_norm = w.q_norm;
  latents.q_latent = scores ? forms(n_, c_.q_lora_rank, {&w.wq_b, &w.indexer->wq_b})
                            : forms(n_, c_.q_lora_rank, {&w.wq_b});
  latents.kv = kv;
  latents.kv_norm = w.kv_norm;
  latents.head_dim = static_cast<int>(dim);
  latents.window_at = l.window_at;
  latents.rope = l.ratio == 0 ? rope_.main : rope_.compress;
  latents.eps = c_.rms_norm_eps;
  latents.round = numerics_ != Numerics::kPlain;
  device_.run(device_.api().latents, latents, "latents");

  cuda::QueriesArgs queries;
  queries.step = rows_.rows;
  queries.q = scratch_.take(n_ * wide);
  queries.heads = static_cast<int>(heads);
  queries.head_dim = static_cast<int>(dim);
  queries.rope = latents.rope;
  queries.eps = c_.rms_norm_eps;
  queries.round = latents.round;
  std::int32_t* selected = nullptr;
  if (scores) {
    queries.index_q = scratch_.take(n_ * c_.index_n_heads * c_.index_head_dim);
    queries.index_heads = static_cast<int>(c_.index_n_heads);
    queries.index_dim = static_cast<int>(c_.index_head_dim);
    queries.index_weights = index_weights;
    queries.index_scale = 1.0F / std::sqrt(static_cast<float>(c_.index_head_dim)) /
                          std::sqrt(static_cast<float>(c_.index_n_heads));
    linear(latents.q_latent, n_, {{&w.wq_b, queries.q}, {&w.indexer->wq_b, queries.index_q}});
    selected = scratch_.take<std::int32_t>(n_ * c_.index_topk);
  } else {
    linear(latents.q_latent, n_, {{&w.wq_b, queries.q}});
  }
  device_.run(device_.api().queries, queries, "queries");
  if (scores) {
    const ScratchScope scope(scratch_);
    cuda::IndexArgs index;
    index.step = rows_.rows;
    index.q = queries.index_q;
    index.weights = index_weights;
    index.heads = queries.index_heads;
    index.dim = queries.index_dim;
    index.ratio = l.ratio;
    index.top = static_cast<int>(c_.index_topk);
    index.rounded = latents.round;
    index.index_at = l.index_at;
    index.most = (static_cast<std::size_t>(visible) + 3) / 4 * 4;  // for 16-byte loads
    index.selected = selected;
    // As many rows at a time as a piece of scratch holds scores for.
    constexpr std::size_t kScores = std::size_t{16} << 20U;
    const std::size_t piece = std::clamp<std::size_t>(kScores / index.most, 1, 65535);
    index.scores = scratch_.take(std::min(piece, n_) * index.most);
    for (index.first = 0; index.first < n_; index.first += piece) {
      index.rows = std::min(piece, n_ - index.first);
      device_.run(device_.api().index_scores, index, "index_scores");
      device_.run(device_.api().top_k, index, "top_k");
    }
  }

  cuda::Activation z_in = forms(n_, wide, {&w.wo_a}, /*may_round=*/false);
  {
    const ScratchScope scope(scratch_);
    cuda::AttentionArgs a;
    a.step = rows_.rows;
    a.q = queries.q;
    a.sink = w.sink;
    a.heads = queries.heads;
    a.dim = queries.head_dim;
    a.window = static_cast<int>(c_.sliding_window);
    a.ratio = l.ratio;
    a.window_at = l.window_at;
    a.rows_at = l.rows_at;
    a.row_bytes = shape_.row_bytes;
    a.selected = selected;
    a.top = static_cast<int>(c_.index_topk);
    a.rope = latents.rope;
    a.out = z_in;
    const std::int64_t rows = std::min<std::int64_t>(shape_.window, rows_.longest) +
                              (rows_.mutual ? static_cast<std::int64_t>(n_) : 0) +
                              (selected != nullptr ? top : visible);
    a.rounded = latents.round;
    a.most =
        (static_cast<std::size_t>(rows) + cuda::kScoreRun - 1) / cuda::kScoreRun * cuda::kScoreRun;
    constexpr std::size_t kScores = std::size_t{32} << 20U;  // floats
    const std::size_t each = cuda::score_heads(a.heads) * a.most;
    const std::size_t piece = std::clamp<std::size_t>(kScores / each, 1, 65535);
    a.scores = scratch_.take(std::min(piece, n_) * each);
    for (a.first = 0; a.first < n_; a.first += piece) {
      a.rows = std::min(piece, n_ - a.first);
      device_.run(device_.api().attention, a, "attention");
    }
  }

  const std::size_t low = c_.o_groups * c_.o_lora_rank;
  float* z = scratch_.take(n_ * low);
  linear(z_in, n_, {{&w.wo_a, z}}, static_cast<int>(c_.o_groups));
  cuda::NormArgs prepare;
  prepare.x = z;
  prepare.rows = n_;
  prepare.out = forms(n_, low, {&w.wo_b});
  device_.run(device_.api().prepare, prepare, "prepare");
  linear(prepare.out, n_, {{&w.wo_b, sublayer_}});
}

void DeviceStep::moe(const MoeWeights& w, const DeviceExperts& experts, const cuda::Activation& x) {
  const std::size_t k = c_.num_experts_per_tok;
  const std::size_t e = c_.n_routed_experts;
  const std::size_t inner = c_.moe_intermediate_size;
  const std::size_t n = n_ * k;
  float* logits = scratch_.take(n_ * e);
  float* shared_gate = scratch_.take(n_ * w.shared.w1.rows);
  float* shared_up = scratch_.take(n_ * w.shared.w1.rows);
  linear(x, n_, {{&w.gate, logits}, {&w.shared.w1, shared_gate}, {&w.shared.w3, shared_up}});

  cuda::RouteArgs route;
  route.logits = logits;
  route.bias = w.bias;
  route.experts_of_token = w.experts_of_token;
  route.step = rows_.rows;
  route.experts = static_cast<int>(e);
  route.k = static_cast<int>(k);
  route.scale = c_.routed_scaling_factor;
  route.ids = scratch_.take<std::int32_t>(n);
  route.weights = scratch_.take(n);
  route.out.begin = scratch_.take<std::int32_t>(e + 1);
  route.out.row = scratch_.take<std::int32_t>(n);
  route.out.weight = scratch_.take(n);
  route.out.entries = entries_;
  route.out.active = scratch_.take<std::int32_t>(e);
  route.out.n_active = scratch_.take<std::int32_t>(1);
  route.chosen = experts.chosen;
  device_.run(device_.api().route, route, "route");

  ops::Matrix routed;
  routed.type = experts.w1.type;
  ColdExperts::Rows cold;
  if (experts.cold != nullptr) {
    cold.block = experts.block;
    cold.rows = n_;
    cold.k = k;
    cold.ids = route.ids;
    cold.assignment = route.out;
    cold.x = x;
    cold.form = routed.type == ops::MatrixType::kF32 ? cuda::LentForm::kF32
                : rounds(routed)                     ? cuda::LentForm::kRounded
                                                     : cuda::LentForm::kSplit;
    cold.out = expert_out_;
    cold.lent_rows = scratch_.take<std::int32_t>(n_);
    experts.cold->lend(cold);
  }
  cuda::ExpertLinearArgs up;
  up.w[0] = experts.w1;
  up.w[1] = experts.w3;
  up.n_w = 2;
  up.y[0] = scratch_.take(n * inner);
  up.y[1] = scratch_.take(n * inner);
  up.assignment = route.out;
  up.round = rounds(routed);
  up.x = x;
  up.rows = n_;
  up.k = k;
  up.experts = e;
  device_.run(device_.api().expert_linear, up, "expert_linear");

  routed.type = experts.w2.type;
  cuda::SwigluArgs middle;
  middle.gate = up.y[0];
  middle.up = up.y[1];
  middle.weight = route.out.weight;
  middle.rows = n;
  middle.limit = c_.swiglu_limit;
  middle.out = forms(n, inner, {&routed});
  middle.more_gate = shared_gate;
  middle.more_up = shared_up;
  middle.more_rows = n_;
  middle.more_out = forms(n_, w.shared.w1.rows, {&w.shared.w2});
  device_.run(device_.api().swiglu, middle, "swiglu");
  cuda::ExpertLinearArgs down = up;
  down.w[0] = experts.w2;
  down.n_w = 1;
  down.y[0] = expert_out_;
  down.by_entry = true;
  down.round = rounds(routed);
  down.x = middle.out;
  down.beside.w = w.shared.w2;
  down.beside.y = sublayer_;
  down.beside.round = rounds(w.shared.w2);
  down.beside_x = middle.more_out;
  device_.run(device_.api().expert_linear, down, "expert_linear");
  if (experts.cold != nullptr) experts.cold->take_back(cold, sublayer_);

  owed_.f = expert_out_;
  owed_.entries = entries_;
  owed_.terms = static_cast<int>(k);
  owed_.last = sublayer_;
}

}  // namespace ambit::inference
