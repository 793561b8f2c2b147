// Tensor names to slots of the graph, every shape and dtype checked against the configuration
// before anything is computed. Matrices stay in the checkpoint's format (views of the mapping);
// small vectors (norms, biases, ape, sinks) become fp32.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/support/result.h"
#include "inference/model_config.h"
#include "inference/ops/gemm.h"
#include "inference/weights/checkpoint.h"

namespace ambit::inference {

struct HcWeights {
  ops::Matrix fn;                // [(2 + n) n, n D], of the head [n, n D]
  const float* base = nullptr;   // [(2 + n) n] or [n]
  const float* scale = nullptr;  // [3] or [1]
};

struct CompressorWeights {
  ops::Matrix wkv, wgate;      // [width, D]
  const float* ape = nullptr;  // [ratio, width]
  const float* norm = nullptr;
};

struct IndexerWeights {
  ops::Matrix wq_b;          // [heads · dim, q_lora]
  ops::Matrix weights_proj;  // [heads, D]
  CompressorWeights compressor;
};

struct AttentionWeights {
  ops::Matrix wq_a, wq_b, wkv, wo_a, wo_b;
  const float* q_norm = nullptr;
  const float* kv_norm = nullptr;
  const float* sink = nullptr;  // [heads]
  std::optional<CompressorWeights> compressor;
  std::optional<IndexerWeights> indexer;
};

struct ExpertWeights {
  ops::Matrix w1, w3;  // [inner, D]
  ops::Matrix w2;      // [D, inner]
};

struct MoeWeights {
  ops::Matrix gate;                                // [experts, D]
  const float* bias = nullptr;                     // [experts]; null in hash-routed layers
  const std::int32_t* experts_of_token = nullptr;  // [vocab, k]; null in score-routed layers
  std::vector<ExpertWeights> experts;
  ExpertWeights shared;
};

struct BlockWeights {
  const float* attn_norm = nullptr;
  const float* ffn_norm = nullptr;
  HcWeights hc_attn, hc_ffn;
  AttentionWeights attn;
  MoeWeights ffn;
};

struct MtpWeights {
  BlockWeights block;
  ops::Matrix e_proj, h_proj;  // [D, D]
  const float* enorm = nullptr;
  const float* hnorm = nullptr;
  const float* norm = nullptr;
  HcWeights hc_head;
};

// The draft blocks of later releases (model/dspark.h).
struct DsparkWeights {
  ops::Matrix main_proj;  // [D, taps · D]
  const float* main_norm = nullptr;
  std::vector<BlockWeights> stages;
  HcWeights hc_head;
  const float* norm = nullptr;
  ops::Matrix markov_in, markov_out;  // [vocab, rank]
  const float* confidence = nullptr;  // [D + rank]
};

struct ModelWeights {
  ops::Matrix embed, head;  // [vocab, D]
  const float* norm = nullptr;
  HcWeights hc_head;
  std::vector<BlockWeights> layers;
  std::vector<MtpWeights> mtp;  // at most one: the preview checkpoints' block
  std::optional<DsparkWeights> dspark;
  std::uint64_t bytes = 0;
  // What the views point into: mapped files and converted vectors.
  std::shared_ptr<const void> files;
  std::deque<std::vector<float>> floats;
  std::deque<std::vector<std::int32_t>> tables;
};

// The checkpoint's files stay mapped as long as the result lives.
[[nodiscard]] Result<ModelWeights> bind_weights(const Checkpoint& checkpoint);

}  // namespace ambit::inference
