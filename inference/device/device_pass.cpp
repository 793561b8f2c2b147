#include "inference/device/device_pass.h"

#include <algorithm>

#include "inference/model/model.h"

namespace ambit::inference {

namespace cuda = ops::cuda;

void DevicePass::upload_frequencies() {
  for (const bool compressed : {false, true}) {
    const std::vector<float> f = rope_frequencies(config_, compressed);
    DeviceBuffer& to = frequencies_[compressed ? 1 : 0];
    to = DeviceBuffer(device_, f.size() * sizeof(float));
    device_.copy(to.data(), f.data(), f.size() * sizeof(float));
  }
}

DeviceStep DevicePass::begin(const DeviceRows& rows, std::int64_t rope_shift) {
  DeviceStep step(device_, scratch_, config_, shape_, numerics_, rows);
  step.make_rope(reinterpret_cast<const float*>(frequencies_[0].data()),
                 reinterpret_cast<const float*>(frequencies_[1].data()), rope_shift);
  return step;
}

void DevicePass::embed(const DeviceRows& rows, int copies, float* out) {
  cuda::EmbedArgs a;
  a.table = weights_.slots.embed;
  a.step = rows.rows;
  a.copies = copies;
  a.out = out;
  device_.run(device_.api().embed, a, "embed");
}

cuda::KeptStreamsArgs DevicePass::kept(const DeviceRows& rows, float* streams) const {
  cuda::KeptStreamsArgs a;
  a.step = rows.rows;
  a.width = shape_.streams;
  a.raw_at = shape_.streams_at;
  a.edge_at = shape_.streams_edge_at;
  a.streams = streams;
  return a;
}

void DevicePass::block(DeviceStep& step, const BlockWeights& w, std::size_t layer, float* streams) {
  const std::size_t own = layer - weights_.share.layers.first;
  step.block(w, weights_.experts->enter(own), layer, streams);
  weights_.experts->leave(own);
}

float* DevicePass::run_mtp(const DeviceRows& rows) {
  const std::size_t n = rows.rows.rows;
  const std::size_t dim = config_.hidden_size;
  const MtpWeights& w = weights_.slots.mtp[0];
  float* streams = scratch_.take(n * wide());
  DeviceStep step = begin(rows, 1);
  {
    const ScratchScope scope(scratch_);
    device_.run(device_.api().load_streams, kept(rows, streams), "load_streams");
    float* embedded = scratch_.take(n * dim);
    float* from_e = scratch_.take(n * dim);
    embed(rows, 1, embedded);
    const auto norm = [&](const float* x, const float* weight, std::size_t count,
                          const ops::Matrix& reader) {
      cuda::NormArgs a;
      a.x = x;
      a.rows = count;
      a.weight = weight;
      a.eps = config_.rms_norm_eps;
      a.out = step.forms(count, dim, {&reader});
      device_.run(device_.api().rms_norm, a, "rms_norm");
      return a.out;
    };
    step.linear(norm(embedded, w.enorm, n, w.e_proj), n, {{&w.e_proj, from_e}});
    step.linear(norm(streams, w.hnorm, n * cuda::kStreams, w.h_proj), n * cuda::kStreams,
                {{&w.h_proj, streams}});
    cuda::AddArgs add;
    add.x = streams;
    add.y = from_e;
    add.rows = n;
    add.copies = cuda::kStreams;
    add.dim = dim;
    device_.run(device_.api().add_rows, add, "add_rows");
  }
  block(step, w.block, weights_.share.layers.end, streams);
  step.settle(streams);
  return streams;
}

// Some rows at a time, so that a long rated answer takes little memory.
void DevicePass::logits(DeviceStep& step, const HcWeights& hc, const float* norm,
                        const float* streams, const DeviceLogits& out) {
  constexpr std::size_t kPiece = 64;
  const std::size_t vocab = config_.vocab_size;
  for (std::size_t first = 0; first < out.n; first += kPiece) {
    const ScratchScope scope(scratch_);
    const std::size_t n = std::min(kPiece, out.n - first);
    cuda::GatherArgs gather;
    gather.in = streams;
    gather.index = out.rows + first;
    gather.n = n;
    gather.width = wide();
    float* picked = scratch_.take(n * wide());
    gather.out = picked;
    device_.run(device_.api().gather_rows, gather, "gather_rows");
    float* x = scratch_.take(n * vocab);
    step.head(hc, norm, weights_.slots.head, picked, n, x);
    if (out.choices == nullptr) {
      device_.copy(out.host + first * vocab, x, n * vocab * sizeof(float));
      continue;
    }
    cuda::SampleArgs a;
    a.logits = x;
    a.n = n;
    a.vocab = vocab;
    a.rows = out.choices + first;
    a.masks = out.masks;
    a.out = scratch_.take<ops::Sampled>(n);
    device_.run(device_.api().sample, a, "sample");
    device_.copy(out.chosen + first, a.out, n * sizeof(ops::Sampled));
  }
}

void DevicePass::queue(const DeviceRows& rows, const DeviceRows& mtp_rows, const DeviceLogits& out,
                       float* streams, float* taps) {
  scratch_.reset();
  weights_.experts->begin(rows.rows.rows);
  launches(rows, mtp_rows, out, streams, taps);
  weights_.experts->queue_counts();
}

void DevicePass::launches(const DeviceRows& rows, const DeviceRows& mtp_rows,
                          const DeviceLogits& out, float* streams, float* taps) {
  const ModelWeights& w = weights_.slots;
  const WeightShare& share = weights_.share;
  DeviceStep step = begin(rows, 0);
  if (share.first) embed(rows, cuda::kStreams, streams);
  for (std::size_t l = share.layers.first; l < share.layers.end; ++l) {
    block(step, w.layers[l - share.layers.first], l, streams);
    if (taps != nullptr) step.tap(l, streams, taps);
  }
  step.settle(streams);
  if (!share.last) return;
  if (taps != nullptr) step.dspark_rows(*w.dspark, share.layers.end, taps);
  logits(step, w.hc_head, w.norm, streams, out);
  if (w.mtp.empty()) return;
  device_.run(device_.api().save_streams, kept(rows, streams), "save_streams");
  if (mtp_rows.rows.rows == 0) return;
  const float* mtp_streams = run_mtp(mtp_rows);
  if (out.mtp_rows == nullptr || out.n == 0) return;
  DeviceStep mtp_step = begin(mtp_rows, 1);
  DeviceLogits mtp = out;
  mtp.rows = out.mtp_rows;
  mtp.host = out.mtp_host;
  mtp.choices = nullptr;
  logits(mtp_step, w.mtp[0].hc_head, w.mtp[0].norm, mtp_streams, mtp);
}

}  // namespace ambit::inference
