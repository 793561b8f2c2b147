#include "indexer/context/signals.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "indexer/context/features.h"

namespace ambit::indexer::context {
namespace {

constexpr float kCostPower = 0.6F;   // 1 would be right if the odds were
constexpr float kHeadBytes = 24.0F;  // what a line costs besides its own text

#include "indexer/context/weights.inc"

// The logarithm of the room that a line of so many bytes takes.
float room_of(std::size_t bytes) {
  static const auto kRooms = [] {
    std::array<float, 512> rooms{};
    for (std::size_t i = 0; i < rooms.size(); ++i) {
      rooms[i] = std::log(kHeadBytes + static_cast<float>(i));
    }
    return rooms;
  }();
  return kRooms[std::min(bytes, kRooms.size() - 1)];
}

}  // namespace

std::vector<float> rank_files(const SymbolGraph& graph, const std::vector<std::string>& around) {
  std::vector<float> seeds(graph.file_count(), 1.0F / (1.0F + graph.file_count()));
  for (std::size_t i = 0; i < around.size(); ++i) {
    const FileNumber n = graph.find(around[i]);
    if (n != kNoFile) seeds[n] += 1.0F / static_cast<float>(i + 1);
  }
  return graph.rank(seeds);
}

std::vector<ScoredDefinition> rank_definitions(const SymbolGraph& graph, const CursorView& view,
                                               std::size_t limit) {
  if (graph.file_count() == 0 || limit == 0) return {};
  Features features(graph, view, kWeights);
  struct Place {
    float score;
    FileNumber file;
    std::uint32_t definition;
  };
  std::vector<Place> order;
  for (FileNumber file = 0; file < graph.file_count(); ++file) {
    const auto& definitions = graph.facts(file).definitions;
    if (definitions.empty()) continue;
    features.enter(file);
    for (std::uint32_t i = 0; i < definitions.size(); ++i) {
      if (!features.candidate(file, definitions[i])) continue;
      // The learned sum is the logarithm of how likely it is wanted; what counts is that for the
      // room it takes.
      const float room = room_of(definitions[i].bytes);
      order.push_back({features.score(i) - kCostPower * room, file, i});
    }
  }
  const std::size_t count = std::min(limit, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [](const Place& a, const Place& b) {
                      if (a.score != b.score) return a.score > b.score;
                      return a.file != b.file ? a.file < b.file : a.definition < b.definition;
                    });
  std::vector<ScoredDefinition> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Place& p = order[i];
    out.push_back({p.file, p.definition, p.score,
                   features.reason(p.file, graph.facts(p.file).definitions[p.definition].name)});
  }
  return out;
}

}  // namespace ambit::indexer::context
