#include "inference/tokenizer/char_class.h"

#include <algorithm>
#include <cassert>

namespace ambit::inference {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
  CharClass cls;
};

constexpr Range kRanges[] = {
#include "inference/tokenizer/unicode_table.inc"
};

}  // namespace

CharClasses::CharClasses() {
  std::size_t pages = 0;
  const Range* range = std::begin(kRanges);
  for (std::uint32_t page = 0; page < index_.size(); ++page) {
    std::array<CharClass, 256> content{};
    const std::uint32_t first = page << 8;
    const std::uint32_t last = first + 0xFF;
    // A range may reach over several pages: it is left only when this page ends behind it.
    while (range != std::end(kRanges) && range->first <= last) {
      for (std::uint32_t c = std::max(range->first, first); c <= std::min(range->last, last); ++c) {
        content[c & 0xFF] = range->cls;
      }
      if (range->last > last) break;
      ++range;
    }
    const auto known = std::find(pages_.begin(), pages_.begin() + pages, content);
    index_[page] = static_cast<std::uint8_t>(known - pages_.begin());
    if (index_[page] == pages) {
      assert(pages + 1 < kMaxPages);
      pages_[pages++] = content;
    }
  }
}

const CharClasses& CharClasses::get() {
  static const CharClasses classes;
  return classes;
}

}  // namespace ambit::inference
