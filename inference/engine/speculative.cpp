#include "inference/engine/speculative.h"

#include <algorithm>

namespace ambit::inference {
namespace {

constexpr std::size_t kGram = 3;

std::uint64_t gram_key(const TokenId* ids) {
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < kGram; ++i)
    key = key << 21U | (static_cast<std::uint64_t>(ids[i]) & 0x1FFFFFU);
  return key;
}

}  // namespace

LookupDrafter::LookupDrafter(std::span<const TokenId> prompt, std::span<const TokenId> draft) {
  draft = draft.first(std::min(draft.size(), kMemory));
  prompt = prompt.last(std::min(prompt.size(), kMemory));
  text_.reserve(draft.size() + prompt.size() + 256);
  text_.assign(draft.begin(), draft.end());
  text_.insert(text_.end(), prompt.begin(), prompt.end());
  index_to(text_.size());
}

void LookupDrafter::index_to(std::size_t end) {
  // The gram that ends at `end` itself is not entered yet: it would find itself.
  for (; indexed_ + kGram < end; ++indexed_) {
    last_[gram_key(text_.data() + indexed_)] = static_cast<std::uint32_t>(indexed_ + kGram);
  }
}

void LookupDrafter::push(std::span<const TokenId> ids) {
  text_.insert(text_.end(), ids.begin(), ids.end());
  index_to(text_.size());
}

void LookupDrafter::propose(std::size_t most, std::vector<TokenId>& out) const {
  if (text_.size() < kGram) return;
  const auto at = last_.find(gram_key(text_.data() + text_.size() - kGram));
  if (at == last_.end()) return;
  const std::size_t n = std::min({most, length_, text_.size() - at->second});
  for (std::size_t i = 0; i < n; ++i) out.push_back(text_[at->second + i]);
}

void LookupDrafter::report(std::size_t proposed, std::size_t accepted) {
  if (proposed == 0) return;
  if (accepted == proposed) {
    length_ = std::min(length_ * 2, kLongest);
  } else {
    length_ = std::max<std::size_t>(1, std::min(length_, accepted + 1));
  }
}

}  // namespace ambit::inference
