#include "indexer/context/signals.h"

#include <algorithm>
#include <cmath>

#include "indexer/context/features.h"

namespace ambit::indexer::context {
namespace {

constexpr float kCostPower = 0.6F;   // 1 would be right if the odds were
constexpr float kHeadBytes = 24.0F;  // what a line costs besides its own text

#include "indexer/context/weights.inc"

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
  Features features(graph, view);
  std::vector<ScoredDefinition> out;
  for (FileNumber file = 0; file < graph.file_count(); ++file) {
    const auto& definitions = graph.facts(file).definitions;
    if (definitions.empty()) continue;
    features.enter(file);
    for (std::uint32_t i = 0; i < definitions.size(); ++i) {
      if (!features.candidate(file, definitions[i])) continue;
      const Row row = features.row(i);
      // The learned sum is the logarithm of how likely it is wanted; what counts is that for the
      // room it takes.
      float score = -kCostPower * std::log(kHeadBytes + static_cast<float>(definitions[i].bytes));
      for (std::size_t f = 0; f < kFeatures; ++f) score += kWeights[f] * row[f];
      out.push_back({file, i, score, {}});
    }
  }
  const std::size_t count = std::min(limit, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count), out.end(),
                    [](const ScoredDefinition& a, const ScoredDefinition& b) {
                      if (a.score != b.score) return a.score > b.score;
                      return a.file != b.file ? a.file < b.file : a.definition < b.definition;
                    });
  out.resize(count);
  for (ScoredDefinition& d : out) {
    d.reason = features.reason(d.file, graph.facts(d.file).definitions[d.definition].name);
  }
  return out;
}

}  // namespace ambit::indexer::context
