#include "indexer/context/at_rest.h"

#include <algorithm>
#include <cmath>

namespace ambit::indexer::context {
namespace {

constexpr float kCostPower = 0.6F;   // 1 would be right if the odds were
constexpr float kHeadBytes = 24.0F;  // what a line costs besides its own text
constexpr float kNone = -1e9F;

Feature kind_of(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::kFunction:
    case SymbolKind::kMethod:
    case SymbolKind::kConstructor:
      return kCallable;
    case SymbolKind::kClass:
    case SymbolKind::kStruct:
    case SymbolKind::kInterface:
    case SymbolKind::kTrait:
    case SymbolKind::kEnum:
    case SymbolKind::kTypeAlias:
    case SymbolKind::kUnion:
      return kType;
    case SymbolKind::kMacro:
    case SymbolKind::kConstant:
    case SymbolKind::kEnumerator:
      return kConstant;
    case SymbolKind::kField:
    case SymbolKind::kProperty:
      return kField;
    case SymbolKind::kVariable:
      return kVariable;
    default:
      return kModule;
  }
}

}  // namespace

float cost_of_room(std::size_t bytes) {
  static const auto kCosts = [] {
    std::array<float, 512> costs{};
    for (std::size_t i = 0; i < costs.size(); ++i) {
      costs[i] = kCostPower * std::log(kHeadBytes + static_cast<float>(i));
    }
    return costs;
  }();
  return kCosts[std::min(bytes, kCosts.size() - 1)];
}

Row row_at_rest(const SymbolGraph& graph, const Definition& d) {
  Row r{};
  r[kDefiners] = graph.crowd(d.name);
  r[kUsers] = 1.0F - graph.rarity(d.name);
  r[kUnused] = graph.users(d.name) == 0 ? 1.0F : 0.0F;
  r[kDistinctive] = graph.distinctive(d.name) ? 1.0F : 0.0F;
  r[kHidden] = graph.name(d.name).starts_with('_') ? 1.0F : 0.0F;
  r[kind_of(d.kind)] = 1.0F;
  r[kExported] = d.exported ? 1.0F : 0.0F;
  return r;
}

void AtRest::update(const SymbolGraph& graph, const Row& weights) {
  begin_.clear();
  scores_.clear();
  best_in_.assign(graph.file_count(), kNone);
  best_named_.assign(graph.name_count(), kNone);
  for (FileNumber f = 0; f < graph.file_count(); ++f) {
    begin_.push_back(scores_.size());
    for (const Definition& d : graph.facts(f).definitions) {
      const float score = dot(row_at_rest(graph, d), weights) - cost_of_room(d.bytes);
      scores_.push_back(score);
      best_in_[f] = std::max(best_in_[f], score);
      best_named_[d.name] = std::max(best_named_[d.name], score);
    }
  }
}

}  // namespace ambit::indexer::context
