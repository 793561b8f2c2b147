// The ops that exist twice on the CPU: plain fp32 loops (the reference, for reading and checking)
// and the fast path. One struct, so that a model runs on either. GEMM has its own pair in gemm.h.
#pragma once

#include "inference/ops/compress.h"
#include "inference/ops/experts.h"
#include "inference/ops/hc_mix.h"
#include "inference/ops/index_scores.h"
#include "inference/ops/norm.h"
#include "inference/ops/packed_rows.h"
#include "inference/ops/packed_scores.h"
#include "inference/ops/sparse_attention.h"

namespace ambit::inference::ops {

struct OpTable {
  decltype(&rms_norm_reference) rms_norm;
  decltype(&inverse_rms_reference) inverse_rms;
  decltype(&compress_reference) compress;
  decltype(&index_scores_reference) index_scores;
  decltype(&attention_piece_reference) attention_piece;
  decltype(&swiglu_reference) swiglu;
  decltype(&hc_collapse_reference) hc_collapse;
  decltype(&hc_expand_reference) hc_expand;
  decltype(&unpack_kv_rows_reference) unpack_kv_rows;
  decltype(&packed_scores_reference) packed_scores;
};

[[nodiscard]] constexpr OpTable reference_ops() {
  return {&rms_norm_reference,     &inverse_rms_reference,     &compress_reference,
          &index_scores_reference, &attention_piece_reference, &swiglu_reference,
          &hc_collapse_reference,  &hc_expand_reference,       &unpack_kv_rows_reference,
          &packed_scores_reference};
}

[[nodiscard]] constexpr OpTable cpu_ops() {
  return {&rms_norm_cpu,        &inverse_rms_cpu,  &compress_cpu,    &index_scores_cpu,
          &attention_piece_cpu, &swiglu_cpu,       &hc_collapse_cpu, &hc_expand_cpu,
          &unpack_kv_rows_cpu,  &packed_scores_cpu};
}

}  // namespace ambit::inference::ops
