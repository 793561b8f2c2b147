#include "inference/kv/cache.h"

#include <algorithm>
#include <cassert>

namespace ambit::inference {

void KvCache::extend(std::span<const TokenId> ids) {
  std::size_t done = 0;
  while (done < ids.size()) {
    const std::size_t at = page_of(length_);
    const std::size_t slot = slot_of(length_);
    if (at == pages_.size()) {
      pages_.push_back(maker_->make());
      rows_.push_back(pages_.back()->rows.data());
    } else if (pages_[at].use_count() > 1) {
      pages_[at] = maker_->copy(*pages_[at], static_cast<std::int32_t>(slot));
      rows_[at] = pages_[at]->rows.data();
    }
    Page& p = *pages_[at];
    const std::size_t n = std::min(ids.size() - done, static_cast<std::size_t>(kPageTokens) - slot);
    std::copy_n(ids.data() + done, n, p.ids.data() + slot);
    p.filled = static_cast<std::int32_t>(slot + n);
    p.edge.reset();
    done += n;
    length_ += static_cast<std::int64_t>(n);
  }
}

void KvCache::truncate(std::int64_t length) {
  assert(length >= 0 && length <= length_);
  length_ = length;
  pages_.resize(page_of(length + kPageTokens - 1));
  rows_.resize(pages_.size());
  // What follows in a page of our own may be a draft that no model step has completed.
  if (slot_of(length) != 0 && pages_.back().use_count() == 1) {
    pages_.back()->filled = static_cast<std::int32_t>(slot_of(length));
    pages_.back()->edge.reset();
  }
}

void KvCache::adopt(PagePtr page, std::int32_t filled) {
  assert(slot_of(length_) == 0 && filled > 0 && filled <= page->filled);
  assert(filled == kPageTokens || !page->checkpoint);
  pages_.push_back(std::move(page));
  rows_.push_back(pages_.back()->rows.data());
  length_ += filled;
}

void KvCache::thaw() {
  const std::size_t tail = std::min(pages_.size(), shape().window_pages() + 1);
  for (std::size_t i = pages_.size() - tail; i < pages_.size(); ++i) maker_->thaw(*pages_[i]);
}

void KvCache::cool(std::size_t pages) {
  pages = std::max(pages, shape().window_pages() + 1);
  for (std::size_t i = pages_.size() - std::min(pages, pages_.size()); i-- > 0;) {
    if (!pages_[i]->window) break;  // from here on it was done before
    if (pages_[i].use_count() == 1) maker_->cool(*pages_[i]);
  }
}

void KvCache::strip(std::size_t pages) {
  pages = std::max(pages, shape().window_pages() + 1);
  for (std::size_t i = pages_.size() - std::min(pages, pages_.size()); i-- > 0;) {
    Page& p = *pages_[i];
    if (!p.has_window()) break;
    if (pages_[i].use_count() != 1) continue;
    p.strip();
  }
}

}  // namespace ambit::inference
