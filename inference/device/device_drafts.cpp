#include "inference/device/device_drafts.h"

#include <algorithm>
#include <cmath>

namespace ambit::inference {

namespace cuda = ops::cuda;

Result<void> DeviceDrafts::dspark(KvCache& cache, TokenId next, std::size_t count,
                                  std::vector<TokenId>& out) {
  DeviceWeights& weights = pass_.weights();
  DeviceScratch& scratch = pass_.scratch();
  const ModelConfig& c = pass_.config();
  const DsparkWeights& w = *weights.slots.dspark;
  const std::size_t n = c.dspark_block_size;
  const std::size_t dim = c.hidden_size;
  const std::size_t rank = c.dspark_markov_rank;
  scratch.reset();
  std::vector<TokenId> ids(n, c.dspark_noise_token_id);
  ids[0] = next;
  const Segment segment{&cache, cache.length(), n, 0, 0, /*mutual=*/true};
  cache.extend(ids);
  const std::span<const Segment> one(&segment, 1);
  StepUpload up(device_, room_);
  const RowArrays arrays = reserve_rows(up, one);
  const auto pages = up.reserve<cuda::PageRef>(cache.pages().size());
  const auto tokens = up.reserve<std::int32_t>(n + 1);
  if (up.allocate()) graphs_.forget();
  fill_pages(up.host(pages), cache, card_);
  const DeviceRows rows = fill_rows(up, arrays, one, {&pages, 1});
  up.host(tokens)[0] = next;
  up.send();
  weights.experts->begin(n);
  float* streams = scratch.take(n * pass_.wide());
  float* mixed = scratch.take(n * dim);
  float* before = scratch.take(n * rank);
  float* logits = scratch.take(n * c.vocab_size);
  DeviceStep step = pass_.begin(rows, 0);
  pass_.embed(rows, cuda::kStreams, streams);
  for (std::size_t s = 0; s < w.stages.size(); ++s) {
    const std::size_t layer = weights.share.layers.end + s;
    pass_.block(step, w.stages[s], layer, streams);
  }
  step.settle(streams);
  step.head(w.hc_head, w.norm, weights.slots.head, streams, n, logits, mixed);
  const std::size_t most = std::min(count, n);
  step.dspark_tokens(w, most, logits, before, up.device(tokens));

  const std::size_t bytes = n * (dim + rank) * sizeof(float);
  if (drafted_.size() < bytes) {
    drafted_ = DeviceBuffer(device_, bytes, DeviceBuffer::Place::kHost);
  }
  auto* x = reinterpret_cast<float*>(drafted_.data());
  float* markov = x + n * dim;
  device_.copy(x, mixed, n * dim * sizeof(float));
  device_.copy(markov, before, most * rank * sizeof(float));
  device_.copy(up.host(tokens), up.device(tokens), (n + 1) * sizeof(std::int32_t));
  if (!device_.wait()) return make_error(Code::kUnavailable, device_.problem());
  float sure = 1;
  for (std::size_t i = 0; i < most; ++i) {
    float sum = 0;
    for (std::size_t k = 0; k < dim; ++k) sum += confidence_[k] * x[i * dim + k];
    for (std::size_t k = 0; k < rank; ++k) sum += confidence_[dim + k] * markov[i * rank + k];
    sure *= 1 / (1 + std::exp(-sum));
    if (sure < least_confidence_) break;
    out.push_back(up.host(tokens)[i + 1]);
  }
  return {};
}

Result<void> DeviceDrafts::mtp(KvCache& cache, TokenId next, std::size_t count,
                               std::vector<TokenId>& out) {
  DeviceWeights& weights = pass_.weights();
  DeviceScratch& scratch = pass_.scratch();
  TokenId token = next;
  for (std::size_t i = 0; i < count; ++i) {
    scratch.reset();
    const Segment segment{&cache, cache.length(), 1, 0, 1};
    cache.extend({&token, 1});
    const std::span<const Segment> one(&segment, 1);
    StepUpload up(device_, room_);
    const RowArrays arrays = reserve_rows(up, one);
    const auto pages = up.reserve<cuda::PageRef>(cache.pages().size());
    const auto index = up.reserve<std::int32_t>(1);
    if (up.allocate()) graphs_.forget();
    fill_pages(up.host(pages), cache, card_);
    const DeviceRows rows = fill_rows(up, arrays, one, {&pages, 1});
    *up.host(index) = 0;
    up.send();
    weights.experts->begin(1);
    float* streams = pass_.run_mtp(rows);
    // The block's own output stands in for the backbone's streams of the drafted position.
    device_.run(device_.api().save_streams, pass_.kept(rows, streams), "save_streams");
    DeviceStep step = pass_.begin(rows, 1);
    const MtpWeights& w = weights.slots.mtp[0];
    float* row = scratch.take(pass_.config().vocab_size);
    step.head(w.hc_head, w.norm, weights.slots.head, streams, 1, row);
    cuda::ArgmaxArgs best;
    best.x = row;
    best.rows = 1;
    best.dim = pass_.config().vocab_size;
    best.out = up.device(index);
    device_.run(device_.api().argmax, best, "argmax");
    device_.copy(up.host(index), best.out, sizeof(std::int32_t));
    if (!device_.wait()) return make_error(Code::kUnavailable, device_.problem());
    token = *up.host(index);
    out.push_back(token);
  }
  return {};
}

}  // namespace ambit::inference
