# The engine: configuration, weights, ops, state, model, serving. Included by CMakeLists.txt.
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
target_sources(ambit_inference PRIVATE
  model_config.cpp
  layer_split.cpp
  weights/names.cpp
  weights/safetensors.cpp
  weights/safetensors_header.cpp
  weights/gguf.cpp
  weights/gguf_names.cpp
  weights/gguf_metadata.cpp
  weights/gguf_dspark.cpp
  weights/gguf_mtp.cpp
  weights/gguf_sidecar.cpp
  weights/gguf_writer.cpp
  weights/convert.cpp
  weights/checkpoint.cpp
  weights/binding.cpp
  ops/processors.cpp
  ops/thread_pool.cpp
  ops/quantize_cpu.cpp
  ops/block_formats.cpp
  ops/gemm_reference.cpp
  ops/gemm_simd.cpp
  ops/norm_cpu.cpp
  ops/rope_cpu.cpp
  ops/hc_mix_cpu.cpp
  ops/compress_cpu.cpp
  ops/index_scores_cpu.cpp
  ops/packed_rows_cpu.cpp
  ops/packed_scores_cpu.cpp
  ops/packed_scores_vnni.cpp
  ops/sample_cpu.cpp
  ops/top_k_cpu.cpp
  ops/sparse_attention_cpu.cpp
  ops/route_cpu.cpp
  ops/experts_cpu.cpp
  ops/rows_simd.cpp
  ops/attention_simd.cpp
  kv/state_shape.cpp
  kv/host_memory.cpp
  kv/page.cpp
  kv/cache.cpp
  kv/prefix_tree.cpp
  kv/page_codec.cpp
  kv/disk_store.cpp
  model/step.cpp
  model/linear.cpp
  model/hyper_connections.cpp
  model/compressor.cpp
  model/lightning_indexer.cpp
  model/attend.cpp
  model/attention.cpp
  model/moe.cpp
  model/block.cpp
  model/head.cpp
  model/mtp.cpp
  model/dspark.cpp
  model/model.cpp
  device/library.cpp
  device/memory.cpp
  device/device_pages.cpp
  device/layout.cpp
  device/weights.cpp
  device/hot_experts.cpp
  device/expert_binding.cpp
  device/cold_experts.cpp
  device/expert_store.cpp
  device/device_step.cpp
  device/card.cpp
  device/device_block.cpp
  device/device_dspark.cpp
  device/step_rows.cpp
  device/step_pieces.cpp
  device/device_pass.cpp
  device/pipeline.cpp
  device/device_drafts.cpp
  device/device_model.cpp
  engine/grammar.cpp
  engine/grammar_parser.cpp
  engine/sampler.cpp
  engine/speculative.cpp
  engine/token_chooser.cpp
  engine/warm_state.cpp
  engine/batcher.cpp
  engine/decoder.cpp
  engine/local_backend.cpp
  engine/prefill_pace.cpp
  engine/commands.cpp
  engine/open_model.cpp
)
target_link_libraries(ambit_inference
  PRIVATE nlohmann_json::nlohmann_json PkgConfig::HWY PkgConfig::XXHASH ${CMAKE_DL_LIBS})
# Tiles live in registers only when their small loops are unrolled, which -O2 does not do.
set_source_files_properties(ops/block_formats.cpp ops/gemm_simd.cpp ops/rows_simd.cpp ops/attention_simd.cpp
  ops/packed_scores_cpu.cpp ops/packed_scores_vnni.cpp ops/sparse_attention_cpu.cpp ops/top_k_cpu.cpp
  PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-O3>")
