// What a card may take of a checkpoint so that about half of its routed experts do not fit.
#pragma once

#include <cstdint>
#include <filesystem>

#include "inference/device/expert_store.h"
#include "inference/weights/binding.h"
#include "inference/weights/checkpoint.h"

namespace ambit::inference {

inline std::uint64_t bytes_with_half_of_experts(const std::filesystem::path& folder) {
  const auto checkpoint = open_checkpoint(folder);
  if (!checkpoint) return 0;
  const auto weights = bind_weights(*checkpoint);
  if (!weights) return 0;
  std::uint64_t experts = 0;
  const auto add = [&](const BlockWeights& b) {
    for (const ExpertWeights& e : b.ffn.experts) {
      for (const ops::Matrix* m : {&e.w1, &e.w3, &e.w2}) {
        experts += matrix_data_bytes(*m) + matrix_scale_bytes(*m);
      }
    }
  };
  for (const BlockWeights& b : weights->layers) add(b);
  for (const MtpWeights& m : weights->mtp) add(m.block);
  return weights->bytes - experts / 2;
}

}  // namespace ambit::inference
