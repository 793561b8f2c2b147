// Which layers lie on which of several cards: one contiguous range each, in the order of the cards.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace ambit::inference {

struct LayerRange {
  std::size_t first = 0, end = 0;
  [[nodiscard]] std::size_t size() const { return end - first; }
};

struct LayerSplit {
  std::vector<LayerRange> ranges;  // one a card, none empty
  double fullest = 0;              // the largest fullness() of them
};

// The split whose fullest card is least full; of equals, the most even one. fullness(card, range):
// what the range needs on that card, as a share of its room; grows with the range. layers >= cards.
[[nodiscard]] LayerSplit split_layers(
    std::size_t layers, std::size_t cards,
    const std::function<double(std::size_t card, LayerRange range)>& fullness);

// Into how many pieces of rows a step of `rows` over several cards is cut, so that they work at
// once (device/pipeline.h): m pieces over p cards take (m + p - 1) (r + rows / m) / p in units of a
// row's arithmetic on one card, r being how many rows' arithmetic takes as long as reading all
// weights once. That is least at m = sqrt((p - 1) rows / r).
[[nodiscard]] std::size_t step_pieces(std::size_t rows, std::size_t cards,
                                      std::size_t rows_of_a_read);
inline constexpr std::size_t kRowsOfARead = 256, kRowsOfAReadFromHost = 2048;

// Rows of a step, at most: on one card, and where cards work at once or experts come from the host
// once a piece.
inline constexpr std::size_t kStepRows = 2048, kLongStepRows = 4096;

}  // namespace ambit::inference
