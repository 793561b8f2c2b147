#pragma once

#include <cstddef>

namespace ambit::inference {

// Everything taken from a scratch memory while this lives is given back when it dies; scopes nest.
// `S` is Scratch (inference/model/step.h) or DeviceScratch (inference/device/memory.h).
template <class S>
class ScratchScope {
 public:
  explicit ScratchScope(S& scratch)
      : scratch_(scratch), block_(scratch.block_), used_(scratch.used_) {}
  ~ScratchScope() {
    scratch_.block_ = block_;
    scratch_.used_ = used_;
  }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  S& scratch_;
  std::size_t block_, used_;
};

}  // namespace ambit::inference
