#include "indexer/context/signals.h"

#include <algorithm>
#include <unordered_map>

#include "indexer/context/at_rest.h"
#include "indexer/context/features.h"

namespace ambit::indexer::context {
namespace {

#include "indexer/context/weights.inc"

// Another definition of a name says little that the first does not: mostly it is the prototype, the
// same function for another system, or something else that is only called so.
constexpr float kAgain = 4.0F;
constexpr float kRounding = 1e-3F;  // a bound is another sum of the same numbers than a score

struct Place {
  float score;
  FileNumber file;
  std::uint32_t definition;

  bool operator<(const Place& b) const {  // better first
    if (score != b.score) return score > b.score;
    return file != b.file ? file < b.file : definition < b.definition;
  }
};

// The best so far.
class Best {
 public:
  explicit Best(std::size_t limit) : limit_(limit) {}

  // Nothing below it can be among the best any more.
  [[nodiscard]] float least() const { return least_; }

  void offer(const Place& place) {
    if (place.score < least_) return;
    places_.push_back(place);
    if (places_.size() < 2 * limit_ + kSpare) return;
    cut();
    least_ = std::max_element(places_.begin(), places_.end())->score;
  }

  std::vector<Place> take() {
    if (places_.size() > limit_) cut();
    std::sort(places_.begin(), places_.end());
    return std::move(places_);
  }

 private:
  static constexpr std::size_t kSpare = 64;

  void cut() {
    const auto last = places_.begin() + static_cast<std::ptrdiff_t>(limit_);
    std::nth_element(places_.begin(), last, places_.end());
    places_.erase(last, places_.end());
  }

  const std::size_t limit_;
  float least_ = -1e9F;
  std::vector<Place> places_;
};

struct Bound {
  float score;
  std::uint32_t index;
};

bool higher(const Bound& a, const Bound& b) {
  return a.score != b.score ? a.score > b.score : a.index < b.index;
}

// What something around the cursor speaks for.
void offer_touched(const SymbolGraph& graph, Features& features, std::size_t limit, Best& best) {
  std::vector<Bound> names;
  for (std::uint32_t i = 0; i < features.touched().size(); ++i) {
    if (graph.definers(features.touched()[i].name).empty()) continue;
    names.push_back({features.bound_of_name(i) + kRounding, i});
  }
  // The loudest first, so that most others are out at once.
  if (names.size() > 2 * limit) {
    std::nth_element(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(2 * limit),
                     names.end(), higher);
  }
  for (const Bound& n : names) {
    if (n.score < best.least()) continue;
    for (const auto& d : graph.definers(features.touched()[n.index].name)) {
      if (features.bound_of_name(n.index, d.file) + kRounding < best.least()) continue;
      if (!features.candidate(d.file, graph.facts(d.file).definitions[d.definition])) continue;
      best.offer({features.score(d.file, d.definition), d.file, d.definition});
    }
  }
}

// All others, of the files that can have one of the best.
void offer_others(const SymbolGraph& graph, Features& features, Best& best) {
  std::vector<Bound> files;
  for (FileNumber f = 0; f < graph.file_count(); ++f) {
    const float bound = features.bound_of_others(f) + kRounding;
    if (bound >= best.least() && !graph.facts(f).definitions.empty()) files.push_back({bound, f});
  }
  std::sort(files.begin(), files.end(), higher);
  for (const Bound& f : files) {
    if (f.score < best.least()) break;
    const auto& definitions = graph.facts(f.index).definitions;
    for (std::uint32_t i = 0; i < definitions.size(); ++i) {
      if (features.bound_of_other(f.index, i) + kRounding < best.least() ||
          features.touched(definitions[i].name) || !features.candidate(f.index, definitions[i])) {
        continue;
      }
      best.offer({features.score(f.index, i), f.index, i});
    }
  }
}

std::vector<Place> names_first(const SymbolGraph& graph, std::vector<Place> places) {
  std::unordered_map<NameId, float> before;
  for (Place& p : places) {
    float& times = before[graph.facts(p.file).definitions[p.definition].name];
    p.score -= kAgain * times;
    times += 1.0F;
  }
  std::sort(places.begin(), places.end());
  return places;
}

std::vector<ScoredDefinition> with_reasons(const SymbolGraph& graph, const Features& features,
                                           Best& best) {
  std::vector<ScoredDefinition> out;
  for (const Place& p : names_first(graph, best.take())) {
    out.push_back({p.file, p.definition, p.score,
                   features.reason(p.file, graph.facts(p.file).definitions[p.definition].name)});
  }
  return out;
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

Ranker::Ranker(const SymbolGraph& graph) : graph_(graph), rest_(std::make_unique<AtRest>()) {
  update();
}

Ranker::~Ranker() = default;

void Ranker::update() {
  rest_->update(graph_, kWeights);
}

std::vector<ScoredDefinition> Ranker::rank(const CursorView& view, std::size_t limit) const {
  if (graph_.file_count() == 0 || limit == 0) return {};
  Features features(graph_, *rest_, view, kWeights);
  Best best(limit);
  offer_touched(graph_, features, limit, best);
  offer_others(graph_, features, best);
  return with_reasons(graph_, features, best);
}

std::vector<ScoredDefinition> Ranker::rank_all(const CursorView& view, std::size_t limit) const {
  if (graph_.file_count() == 0 || limit == 0) return {};
  Features features(graph_, *rest_, view, kWeights);
  Best best(limit);
  for (FileNumber f = 0; f < graph_.file_count(); ++f) {
    const auto& definitions = graph_.facts(f).definitions;
    for (std::uint32_t i = 0; i < definitions.size(); ++i) {
      if (features.candidate(f, definitions[i])) best.offer({features.score(f, i), f, i});
    }
  }
  return with_reasons(graph_, features, best);
}

}  // namespace ambit::indexer::context
