#include "inference/layer_split.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace ambit::inference {

LayerSplit split_layers(std::size_t layers, std::size_t cards,
                        const std::function<double(std::size_t card, LayerRange range)>& fullness) {
  // best[c][l]: of the first l layers on the first c cards, how full the fullest is, the sum of
  // squares, and where the last of them begins.
  struct Best {
    double fullest = std::numeric_limits<double>::infinity(), squares = fullest;
    std::size_t from = 0;
  };
  std::vector<std::vector<Best>> best(cards + 1, std::vector<Best>(layers + 1));
  best[0][0] = {0, 0, 0};
  for (std::size_t c = 1; c <= cards; ++c) {
    for (std::size_t l = c; l <= layers; ++l) {
      Best& here = best[c][l];
      for (std::size_t from = c - 1; from < l; ++from) {
        const Best& before = best[c - 1][from];
        const double own = fullness(c - 1, {from, l});
        const double fullest = std::max(before.fullest, own);
        const double squares = before.squares + own * own;
        if (std::pair(fullest, squares) < std::pair(here.fullest, here.squares)) {
          here = {fullest, squares, from};
        }
      }
    }
  }
  LayerSplit out;
  out.fullest = best[cards][layers].fullest;
  out.ranges.resize(cards);
  for (std::size_t c = cards, end = layers; c > 0; --c) {
    out.ranges[c - 1] = {best[c][end].from, end};
    end = best[c][end].from;
  }
  return out;
}

std::size_t step_pieces(std::size_t rows, std::size_t cards, std::size_t rows_of_a_read) {
  constexpr std::size_t kLeastPiece =
      16;  // shorter steps are recorded whole (device/step_graphs.h)
  if (cards == 1) return 1;
  const double best =
      std::sqrt(static_cast<double>((cards - 1) * rows) / static_cast<double>(rows_of_a_read));
  const auto most = std::max<std::size_t>(rows / kLeastPiece, 1);
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::ceil(best)), 1, most);
}

}  // namespace ambit::inference
