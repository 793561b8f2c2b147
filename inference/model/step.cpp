#include "inference/model/step.h"

#include <algorithm>

namespace ambit::inference {
namespace {

constexpr std::size_t kBlockFloats = std::size_t{1} << 20U;

}  // namespace

void Scratch::reset() {
  block_ = 0;
  used_ = 0;
}

void* Scratch::take_bytes(std::size_t bytes) {
  // In whole cache lines, so that threads that fill neighbouring buffers do not share one.
  const std::size_t n = (bytes + 63) / 64 * 16;
  while (block_ < blocks_.size() && used_ + n > blocks_[block_].size()) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) blocks_.emplace_back(std::max(n, kBlockFloats));
  float* p = blocks_[block_].data() + used_;
  used_ += n;
  return p;
}

}  // namespace ambit::inference
