#include "daemon/assists/token_cache.h"

namespace ambit::daemon {

TokenCache::Ids TokenCache::encode(const std::shared_ptr<const inference::Tokenizer>& tokenizer,
                                   std::string_view text) {
  {
    std::lock_guard lock(mutex_);
    if (tokenizer_ != tokenizer) {
      by_text_.clear();
      entries_.clear();
      bytes_ = 0;
      tokenizer_ = tokenizer;
    }
    if (const auto found = by_text_.find(text); found != by_text_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->ids;
    }
  }
  // Outside the lock: two threads may do the same text twice, which is cheaper than waiting.
  auto ids = std::make_shared<const std::vector<inference::TokenId>>(tokenizer->encode(text));
  std::lock_guard lock(mutex_);
  if (tokenizer_ != tokenizer || by_text_.contains(text)) return ids;
  entries_.push_front({std::string(text), ids});
  by_text_.emplace(entries_.front().text, entries_.begin());
  bytes_ += text.size();
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.back().text.size();
    by_text_.erase(entries_.back().text);
    entries_.pop_back();
  }
  return ids;
}

}  // namespace ambit::daemon
