#include "inference/device/pipeline.h"

#include <algorithm>

namespace ambit::inference {

Pipeline::Card::Card(const ops::cuda::Api& api, const CardLayout& l, const ModelConfig& config,
                     const StateShape& shape, Numerics numerics)
    : layout(l),
      device(api, l.info.card),
      scratch(device),
      pass(device, scratch, config, shape, numerics, weights),
      graphs(device) {
  device.use();
  for (void*& event : done) {
    event = api.make_event();
    if (event == nullptr) device.fail("the CUDA device gives no event");
  }
}

Pipeline::Card::~Card() {
  (void)device.wait();
  for (void* event : done) {
    if (event != nullptr) device.api().end_event(event);
  }
}

Pipeline::Pipeline(const ops::cuda::Api& api, const DeviceLayout& layout, const ModelConfig& config,
                   const StateShape& shape, Numerics numerics)
    : config_(config) {
  for (const CardLayout& card : layout.cards) {
    cards_.push_back(std::make_unique<Card>(api, card, config, shape, numerics));
  }
  for (std::size_t c = 1; c < cards_.size(); ++c) {
    cards_[c]->linked = api.link(cards_[c - 1]->layout.info.card, cards_[c]->layout.info.card);
  }
}

Result<void> Pipeline::upload(const ModelWeights& weights, bool drafts, const ExpertSetup& setup) {
  taps_ = drafts && weights.dspark.has_value();
  for (const auto& card : cards_) {
    ExpertSetup own = setup;
    if (cards_.size() > 1 && !own.use_file.empty()) {
      const LayerRange& layers = card->layout.share.layers;
      own.use_file += "-" + std::to_string(layers.first) + "-" + std::to_string(layers.end - 1);
    }
    AMBIT_TRY(up, upload_weights(card->device, config_, weights, drafts, card->layout.share,
                                 card->layout.weights_bytes, own));
    card->weights = std::move(up);
    card->pass.upload_frequencies();
    if (!card->device.wait()) return make_error(Code::kUnavailable, card->device.problem());
  }
  return {};
}

std::vector<Device*> Pipeline::devices() {
  std::vector<Device*> out;
  for (const auto& card : cards_) out.push_back(&card->device);
  return out;
}

std::size_t Pipeline::row_bytes() const {
  return sizeof(float) * (taps_ ? stream_floats(config_) : config_.hc_mult * config_.hidden_size);
}

void Pipeline::reserve(std::size_t rows, std::size_t pieces) {
  const std::size_t bytes = rows * row_bytes();
  for (const auto& card : cards_) {
    for (std::size_t slot = 0; slot < std::min<std::size_t>(pieces, 2); ++slot) {
      if (card->streams[slot].size() >= bytes) continue;
      card->graphs.forget();
      card->streams[slot] = DeviceBuffer(card->device, bytes);
      if (card->layout.share.first || card->linked) continue;
      card->pinned[slot] = DeviceBuffer(card->device, bytes, DeviceBuffer::Place::kHost);
    }
  }
}

void Pipeline::receive(const Card& before, Card& card, std::size_t slot, std::size_t bytes) {
  card.device.await(before.done[slot]);
  if (card.linked) return;
  card.device.copy(card.streams[slot].data(), card.pinned[slot].data(), bytes);
}

void Pipeline::hand_on(Card& card, const Card& next, std::size_t slot, std::size_t bytes) {
  card.device.await(next.done[slot]);  // the piece that used the buffer before
  const std::byte* from = card.streams[slot].data();
  if (next.linked) {
    card.device.copy_to(next.device.card(), next.streams[slot].data(), from, bytes);
  } else {
    card.device.copy(next.pinned[slot].data(), from, bytes);
  }
}

void Pipeline::queue(std::size_t turn, const StepForm* form, std::span<const PieceWork> works) {
  const std::size_t slot = turn % 2;
  const std::size_t rows = works[0].rows.rows.rows;
  const std::size_t bytes = rows * row_bytes();
  for (std::size_t c = 0; c < cards_.size(); ++c) {
    Card& card = *cards_[c];
    if (c > 0) receive(*cards_[c - 1], card, slot, bytes);
    auto* streams = reinterpret_cast<float*>(card.streams[slot].data());
    float* taps = taps_ ? streams + rows * card.pass.wide() : nullptr;
    const auto launches = [&] {
      card.pass.queue(works[c].rows, works[c].mtp_rows, works[c].logits, streams, taps);
    };
    if (form != nullptr) {
      card.graphs.run(*form, launches);
    } else {
      launches();
    }
    if (c + 1 < cards_.size()) hand_on(card, *cards_[c + 1], slot, bytes);
    if (cards_.size() > 1) card.device.record(card.done[slot]);
  }
}

bool Pipeline::wait() {
  bool fine = true;
  for (const auto& card : cards_) fine = card->device.wait() && fine;
  return fine;
}

const std::string& Pipeline::problem() const {
  for (const auto& card : cards_) {
    if (!card->device.problem().empty()) return card->device.problem();
  }
  return cards_[0]->device.problem();
}

}  // namespace ambit::inference
