// The routed experts' weights, on the card as far as they fit and else in pinned host memory, where
// the same kernels read them over the bus. Every expert has a slot of its own in one of the two;
// what tokens choose decides in time who has the slots on the card (hot_experts.h).
//
// A step of many rows needs nearly all experts: then those of the next block are copied to the
// card, whole, while a block computes (staging, where two blocks' worth of room is not too much).
// Where an expert lies changes no bit of a result.
//
// Or the CPU computes what does not fit (cold_experts.h): then an expert has a slot on the card or
// is the CPU's, and stays so. Which is learnt from earlier runs (expert_binding.h).
//
// Used from the model's thread; what it queues runs in the order of the device's stream.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "inference/device/cold_experts.h"
#include "inference/device/expert_binding.h"
#include "inference/device/hot_experts.h"
#include "inference/device/memory.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

struct DeviceExperts {
  ops::cuda::ExpertMatrices w1, w3, w2;
  std::uint32_t* chosen = nullptr;  // [experts], counted up by the routing
  ColdExperts* cold = nullptr;      // null: the CPU computes none
  std::size_t block = 0;
};

struct ExpertSetup {
  const ModelConfig* config = nullptr;
  Numerics numerics = Numerics::kFast;
  bool cpu = false;                     // what does not fit the card is the CPU's
  unsigned threads = 0;                 // of it; 0: one a core
  std::shared_ptr<const void> files{};  // what the host's weights look into
  // Where is kept what tokens choose, with the model's fingerprint. Empty: nowhere.
  std::filesystem::path use_file{};
  std::uint64_t fingerprint = 0;
};

class ExpertStore {
 public:
  // Copies the experts of all `blocks` (one shape and format). card_bytes: of the card's memory, at
  // most; every block gets its share. Throws std::bad_alloc when host memory has no room either.
  // setup.config must outlive it.
  ExpertStore(Device& device, const std::vector<const std::vector<ExpertWeights>*>& blocks,
              std::uint64_t card_bytes, const ExpertSetup& setup);
  ~ExpertStore();
  ExpertStore(const ExpertStore&) = delete;
  ExpertStore& operator=(const ExpertStore&) = delete;

  // Around the launches of a step: begin(), then for blocks in ascending order enter(), the
  // launches that read what it gave, leave().
  void begin(std::size_t rows);
  [[nodiscard]] const DeviceExperts& enter(std::size_t i);
  void leave(std::size_t i);

  [[nodiscard]] std::uint64_t card_bytes() const { return card_bytes_; }
  [[nodiscard]] std::uint64_t host_bytes() const { return host_bytes_; }  // pinned
  [[nodiscard]] std::uint64_t cpu_bytes() const { return cpu_bytes_; }    // that the CPU reads
  [[nodiscard]] const ColdExperts* cold() const { return cold_.get(); }
  // What state is valid under: the model's, or with experts on the CPU of the binding too.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

  // At the end of a step's launches: brings the counts to the host. May be recorded.
  void queue_counts();
  // When the step is done: learns from `tokens` tokens' choices, and queues the exchanges that pay.
  void learn(std::size_t tokens);
  [[nodiscard]] double share_on_card() const { return hot_ ? hot_->share_on_card() : 1; }

 private:
  // tables[1]: as they are when what lies on the host is staged. A table has, for each matrix, the
  // addresses of all experts' codes, then of their scales.
  struct Block {
    DeviceExperts tables[2];
    std::vector<std::byte*> slots;  // of each expert
    DeviceBuffer card, host, table;
    DeviceBuffer mirror;  // pinned: `table` as it is to be
  };
  // Where the parts of an expert lie in its slot; scales after the codes of each matrix.
  struct Part {
    std::size_t data = 0, data_bytes = 0, scales = 0, scale_bytes = 0;
  };
  [[nodiscard]] std::size_t places(std::uint64_t card_bytes, std::size_t blocks);
  [[nodiscard]] std::vector<bool> choose(const ExpertSetup& setup, std::size_t blocks,
                                         std::size_t fit);
  void add_block(const std::vector<ExpertWeights>& experts, const std::vector<bool>& on_card);
  void save_use() const;
  void write_table(std::size_t i);
  void stage(std::size_t i);

  Device& device_;
  Part parts_[3];  // w1, w3, w2
  std::size_t slot_bytes_ = 0, experts_ = 0;
  std::uint64_t card_bytes_ = 0, host_bytes_ = 0, cpu_bytes_ = 0;
  std::vector<Block> blocks_;
  std::vector<std::uint8_t> room_;  // of device_form()
  DeviceBuffer counts_, host_counts_, exchange_;
  std::optional<HotExperts> hot_;  // where there is a choice
  std::optional<ExpertUse> use_;   // likewise
  std::unique_ptr<ColdExperts> cold_;
  std::filesystem::path use_file_;
  std::uint64_t model_fingerprint_ = 0, fingerprint_ = 0;
  std::size_t unsaved_ = 0;  // tokens
  DeviceBuffer staging_[2];  // of blocks in turn; empty: nothing is staged
  void* staged_[2] = {};     // events: it is full, and it has been read
  void* read_[2] = {};
  ops::cuda::Stream copies_ = nullptr;
  bool staging_now_ = false;
};

// A matrix in the format that the kernels read: `m` itself, or MXFP4 of a GGUF file as FP4 in
// `room`, which the result looks at.
[[nodiscard]] bool unpacks(const ops::Matrix& m);  // whether that is another format
[[nodiscard]] ops::Matrix device_form(const ops::Matrix& m, std::vector<std::uint8_t>& room);

// Bytes of a matrix' codes and of its scales.
[[nodiscard]] std::size_t matrix_data_bytes(const ops::Matrix& m);
[[nodiscard]] std::size_t matrix_scale_bytes(const ops::Matrix& m);

}  // namespace ambit::inference
