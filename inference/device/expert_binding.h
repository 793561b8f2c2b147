// Which routed experts the CPU computes, and why: how often each was chosen in earlier runs, kept
// in a file beside the model's state. Knows nothing of memory. Used from one thread.
//
// File, little-endian: magic "AMBX", version u32, the model's fingerprint u64, blocks u32, experts
// u32, tokens u64; how often each expert was chosen, u64 [blocks, experts]; the binding of the last
// run, u8 [blocks, experts], 1: the CPU's; XXH3 of all before.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "daemon/support/file.h"
#include "daemon/support/result.h"

namespace ambit::inference {

struct ExpertBinding {
  std::size_t blocks = 0, experts = 0;
  std::vector<std::uint8_t> cpu;  // [blocks, experts]
  [[nodiscard]] bool is_cpu(std::size_t block, std::size_t expert) const {
    return cpu[block * experts + expert] != 0;
  }
  [[nodiscard]] std::size_t on_card() const;
  // Of a model whose state does not depend on it, and of the CPU's arithmetic: what state computed
  // under this binding is valid under.
  [[nodiscard]] std::uint64_t fingerprint(std::uint64_t model, std::string_view arithmetic) const;
};

class ExpertUse {
 public:
  ExpertUse(std::size_t blocks, std::size_t experts)
      : blocks_(blocks), experts_(experts), chosen_(blocks * experts), before_(blocks * experts) {}

  // kNotFound when there is no file, kCorrupt when it is damaged, of another version or model.
  [[nodiscard]] static Result<ExpertUse> load(const std::filesystem::path& file,
                                              std::uint64_t fingerprint, std::size_t blocks,
                                              std::size_t experts);
  [[nodiscard]] Result<void> save(const std::filesystem::path& file, std::uint64_t fingerprint,
                                  FileSystem& files) const;

  // totals: [blocks, experts], how often each was chosen since the model was loaded (modulo 2^32);
  // tokens: how many have been computed since the last call. Old choices count half after millions
  // of tokens.
  void add(std::span<const std::uint32_t> totals, std::size_t tokens);

  // The experts that were chosen most often, `on_card` of them, are the card's; of equals, and when
  // nothing is known yet, those with lower numbers. State on disk is lost when the binding changes,
  // so the last one is kept while it fits, leaves no more than a twentieth of the places empty, and
  // the best would not save the CPU a tenth of its work.
  const ExpertBinding& bind(std::size_t on_card);

  // Of all choices, the share that is the card's under the binding; 0 to 1, 1 when none is known.
  [[nodiscard]] double share_on_card() const;
  [[nodiscard]] std::uint64_t tokens() const { return tokens_; }
  [[nodiscard]] const ExpertBinding& binding() const { return binding_; }

 private:
  [[nodiscard]] std::uint64_t of_cpu(const ExpertBinding& binding) const;

  std::size_t blocks_, experts_;
  std::uint64_t tokens_ = 0;
  std::vector<std::uint64_t> chosen_;
  std::vector<std::uint32_t> before_;  // totals of the last call
  ExpertBinding binding_;              // empty: none yet
};

}  // namespace ambit::inference
