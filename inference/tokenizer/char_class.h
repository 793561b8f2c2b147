// The general categories that the pre-tokenizer's expressions ask for, by Unicode 16.
#pragma once

#include <array>
#include <cstdint>

namespace ambit::inference {

enum class CharClass : std::uint8_t {
  kOther,        // none of the below: controls, unassigned, private use, formats
  kLetter,       // \p{L}
  kMark,         // \p{M}
  kNumber,       // \p{N}
  kPunctuation,  // \p{P}
  kSymbol,       // \p{S}
  kSpace,        // White_Space, which is disjoint from the rest
};

// Two stages: code point / 256 gives a page, the page gives the class.
class CharClasses {
 public:
  [[nodiscard]] static const CharClasses& get();
  [[nodiscard]] CharClass of(std::uint32_t code_point) const {
    if (code_point > 0x10FFFF) return CharClass::kOther;
    return pages_[index_[code_point >> 8]][code_point & 0xFF];
  }

 private:
  CharClasses();
  static constexpr std::size_t kMaxPages = 256;
  std::array<std::uint8_t, 0x1100> index_{};
  std::array<std::array<CharClass, 256>, kMaxPages> pages_{};
};

}  // namespace ambit::inference
