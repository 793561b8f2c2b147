// Token ids per text, each span alone: done once, and the same ids whatever stands beside it.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inference/tokenizer/tokenizer.h"

namespace ambit::daemon {

// Any thread. The least recently used texts leave when `max_bytes` of text are held.
class TokenCache {
 public:
  using Ids = std::shared_ptr<const std::vector<inference::TokenId>>;
  explicit TokenCache(std::size_t max_bytes = std::size_t{48} << 20) : max_bytes_(max_bytes) {}

  // Forgets everything when the tokenizer is another one than last time.
  [[nodiscard]] Ids encode(const std::shared_ptr<const inference::Tokenizer>& tokenizer,
                           std::string_view text);

 private:
  struct Entry {
    std::string text;
    Ids ids;
  };
  const std::size_t max_bytes_;
  std::mutex mutex_;
  std::shared_ptr<const inference::Tokenizer> tokenizer_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_text_;
  std::size_t bytes_ = 0;
};

}  // namespace ambit::daemon
