// A model's cards in the order of its layers, and the way of a step through them: each card
// computes its layers and hands the residual streams to the next, straight where the two are linked
// and else through pinned host memory. All of it is queued at once; events between the cards'
// streams keep the order, and the host waits for nothing.
//
// A step goes through in pieces of rows, one behind the other: while a card computes a piece, the
// card before computes the next one. Two buffers for streams on each card, used in turn, let one
// fill while the other is read. A step of one piece (every decode step) is sequential over cards.
#pragma once

#include <atomic>
#include <memory>

#include "inference/device/device_pass.h"
#include "inference/device/layout.h"
#include "inference/device/step_graphs.h"

namespace ambit::inference {

// A card's part of a piece of a step.
struct PieceWork {
  DeviceRows rows, mtp_rows;
  DeviceLogits logits;
};

class Pipeline {
 public:
  struct Card {
    Card(const ops::cuda::Api& api, const CardLayout& layout, const ModelConfig& config,
         const StateShape& shape, Numerics numerics);
    ~Card();
    Card(const Card&) = delete;
    Card& operator=(const Card&) = delete;

    CardLayout layout;
    Device device;
    DeviceWeights weights;
    UploadRoom room;
    DeviceScratch scratch;
    DevicePass pass;
    StepGraphs graphs;
    std::atomic<int> on_card = -1;  // per cent of what tokens choose; -1: no token yet

    // Of pieces in turn: streams, then taps; where the card before is not linked with this one,
    // pinned memory that they come through; and an event, that the piece is computed and handed on.
    DeviceBuffer streams[2], pinned[2];
    void* done[2] = {};
    bool linked = false;
  };

  // All must outlive it.
  Pipeline(const ops::cuda::Api& api, const DeviceLayout& layout, const ModelConfig& config,
           const StateShape& shape, Numerics numerics);

  [[nodiscard]] Result<void> upload(const ModelWeights& weights, bool drafts,
                                    const ExpertSetup& setup);

  [[nodiscard]] std::size_t size() const { return cards_.size(); }
  [[nodiscard]] Card& card(std::size_t i) { return *cards_[i]; }
  [[nodiscard]] const Card& card(std::size_t i) const { return *cards_[i]; }
  [[nodiscard]] Card& last() { return *cards_.back(); }
  [[nodiscard]] const Card& last() const { return *cards_.back(); }
  [[nodiscard]] std::vector<Device*> devices();

  // Before the pieces of a step, none of which has more rows.
  void reserve(std::size_t rows, std::size_t pieces);
  // Queues piece `turn` of a step, works: of each card. form: of a step of one piece, which may be
  // recorded; else null.
  void queue(std::size_t turn, const StepForm* form, std::span<const PieceWork> works);
  // Waits for all cards; false after the first error, whenever it was.
  [[nodiscard]] bool wait();
  [[nodiscard]] const std::string& problem() const;

 private:
  [[nodiscard]] std::size_t row_bytes() const;
  static void receive(const Card& before, Card& card, std::size_t slot, std::size_t bytes);
  static void hand_on(Card& card, const Card& next, std::size_t slot, std::size_t bytes);

  const ModelConfig& config_;
  bool taps_ = false;
  std::vector<std::unique_ptr<Card>> cards_;
};

}  // namespace ambit::inference
