// Routed experts that the CPU computes while the card computes its own: those that do not fit the
// card, when the setting engine.host_experts says so (docs/decisions/0801-cold-experts.md).
//
// An expert is bound to one side as long as the model is loaded, for prefill and drafts too, so a
// token's bits depend on the binding and on nothing else: not on chunks, batch mates, rollbacks or
// what was asked before. A row is the sum over the card's experts, in ascending order, plus (the
// shared expert plus the sum over the CPU's, in ascending order).
//
// In a layer: lend() (ops/cuda/lend.cu) writes the rows that chose an expert of the CPU's, where
// they are wanted and their weights to pinned memory. A stream beside the model's waits for that
// and calls the CPU, which computes expert by expert as the CPU engine does and writes a sum a row.
// Meanwhile the card goes on with its experts and the shared one; take_back() waits for the CPU and
// adds its sums. No thread waits for another but the model's, at the end of the step.
//
// Threads: the model's, but for compute(), which runs on the driver's between lend() and
// take_back() of a layer and on its own team of threads. What goes wrong there is the device's
// problem after its next wait.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "inference/device/expert_binding.h"
#include "inference/device/memory.h"
#include "inference/model/step.h"
#include "inference/weights/binding.h"

namespace ambit::inference {

class ColdExperts {
 public:
  // blocks: of the host, whose views are copied; files: what they look into. binding: of those
  // blocks. threads 0: one a core. Device and config must outlive it. Throws std::bad_alloc.
  ColdExperts(Device& device, const ModelConfig& config, Numerics numerics,
              const std::vector<const std::vector<ExpertWeights>*>& blocks,
              std::shared_ptr<const void> files, const ExpertBinding& binding, unsigned threads);
  ~ColdExperts();
  ColdExperts(const ColdExperts&) = delete;
  ColdExperts& operator=(const ColdExperts&) = delete;

  // When a step is done and waited for: until then the team stays awake.
  void end();

  // One of a block's rows: what route() made of them, and their activations in the forms that the
  // card's experts read. out: [rows · k, dim], of the card's experts. lent_rows: [rows], scratch.
  // Where the CPU has no expert of the block, nothing happens.
  struct Rows {
    std::size_t block = 0, rows = 0, k = 0;
    const std::int32_t* ids = nullptr;
    ops::cuda::Assignment assignment;
    ops::cuda::Activation x;
    ops::cuda::LentForm form = ops::cuda::LentForm::kF32;
    float* out = nullptr;
    std::int32_t* lent_rows = nullptr;
  };
  void lend(const Rows& rows);
  // y [rows, dim] += the CPU's sums.
  void take_back(const Rows& rows, float* y);

  [[nodiscard]] std::size_t threads() const { return pool_.size(); }

 private:
  // Pinned memory for a layer's rows.
  struct Room {
    std::size_t rows = 0;
    DeviceBuffer memory;
    ops::cuda::LentRows lent;
    float* sums = nullptr;
  };
  // What a call of the driver's is about; recordings keep its address.
  struct Job {
    ColdExperts* owner = nullptr;
    std::size_t block = 0, rows = 0;
    const Room* room = nullptr;
  };
  struct Block {
    std::vector<std::int32_t> experts;  // the CPU's, ascending
    std::vector<ExpertWeights> weights;
  };
  [[nodiscard]] Room make_room(std::size_t rows);
  [[nodiscard]] const Room& room_for(std::size_t rows);
  [[nodiscard]] Job* job_for(std::size_t block, std::size_t rows);
  void compute(const Job& job);
  [[nodiscard]] bool makes_sense(const Job& job) const;

  Device& device_;
  const ModelConfig& config_;
  StepContext step_;  // of compute()
  Scratch scratch_;
  ops::ThreadPool pool_;
  std::optional<ops::ThreadPool::Hold> hold_;
  std::shared_ptr<const void> files_;
  std::vector<Block> blocks_;
  DeviceBuffer lent_;          // [blocks, experts] of bytes, on the card
  Room few_, many_;            // few_: of steps that may be recorded, never moves
  std::vector<Job> jobs_;      // of each block, with 1 … few_.rows rows
  std::deque<Job> many_jobs_;  // of launches with more, since the last end()
  ops::cuda::Stream calls_ = nullptr;
  void* lent_event_ = nullptr;
  void* computed_event_ = nullptr;
};

}  // namespace ambit::inference
