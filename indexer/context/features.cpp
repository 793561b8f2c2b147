#include "indexer/context/features.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "indexer/context/at_rest.h"

namespace ambit::indexer::context {
namespace {

constexpr float kSiblingReach = 4.0F;  // definitions over which the pull of a sibling decays

// 1 at the top, 0 at a millionth of it and below.
float magnitude(float value, float top) {
  return value <= top * 1e-6F ? 0.0F : 1.0F + std::log10(value / top) / 6.0F;
}

}  // namespace

float dot(const Row& a, const Row& b) {
  float sum = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Features::Features(const SymbolGraph& graph, const AtRest& rest, const CursorView& view,
                   const Row& weights)
    : graph_(graph), rest_(rest), weights_(weights), around_(graph, view) {
  names_.emplace_back();
  for (const NameSignals& n : touched()) {
    names_.emplace_back();
    if (graph.definers(n.name).empty()) continue;  // nobody will ask
    const Row r = of_name(n);
    names_.back() = {dot(r, weights_), r[kNear], r[kWords], r[kKin], 0.0F};
  }
  constexpr float kLow = -1e9F;
  most_ = {kLow, kLow, kLow, kLow, kLow};
  // Most files of a large repository differ in nothing but their folder.
  std::vector<std::array<std::optional<Part>, 2>> plain(graph.folders().size());
  files_.reserve(graph.file_count());
  for (FileNumber f = 0; f < graph.file_count(); ++f) {
    auto& same = plain[graph.folder_of(f)][graph.facts(f).test ? 1 : 0];
    const bool touched = around_.touches(f);
    if (!touched && !same) same = part_of(of_file(f));
    const Part part = touched ? part_of(of_file(f)) : *same;
    files_.push_back(part);
    most_ = {std::max(most_.sum, part.sum), std::max(most_.near, part.near),
             std::max(most_.words, part.words), std::max(most_.kin, part.kin),
             std::max(most_.users, part.users)};
  }
  most_of_definition_ = std::max(0.0F, weights_[kSibling]) * around_.top_near;
}

Features::Part Features::part_of(const Row& file) const {
  const auto product = [&](Feature of_imported, Feature of_folder) {
    return weights_[of_imported] * file[kImported] + weights_[of_folder] * file[kFolder];
  };
  return {dot(file, weights_), product(kNearImported, kNearFolder),
          product(kWordsImported, kWordsFolder), weights_[kKinFolder] * file[kFolder],
          weights_[kUsersFolder] * file[kFolder]};
}

Row Features::of_name(const NameSignals& n) const {
  Row r{};
  const float rarity = graph_.rarity(n.name);
  r[kNear] = n.own ? 0.0F : n.near;
  r[kNearRare] = r[kNear] * rarity;
  r[kUsedHere] = n.used ? 1.0F : 0.0F;
  r[kWords] = n.words;
  r[kCompleting] = n.completes ? 1.0F : 0.0F;
  r[kNeighbour] = std::sqrt(n.neighbour);
  r[kKin] = std::sqrt(n.kin);
  r[kKinRare] = r[kKin] * rarity;
  r[kTogetherUse] = std::sqrt(n.together);
  r[kFlow] = magnitude(n.flow, around_.top_flow);
  r[kOwn] = n.own ? 1.0F : 0.0F;
  return r;
}

Row Features::of_file(FileNumber file) const {
  Row r{};
  r[kImported] = around_.imported[file] != 0 ? 1.0F : 0.0F;
  r[kFolder] = around_.closeness[graph_.folder_of(file)];
  r[kSameFolder] = r[kFolder] == 1.0F ? 1.0F : 0.0F;
  r[kTogether] = around_.together[file];
  r[kRank] = magnitude(around_.rank[file], around_.top_rank);
  r[kAffinity] =
      around_.all_near > 0.0F ? std::sqrt(around_.affinity[file] / around_.all_near) : 0.0F;
  const bool test = graph_.facts(file).test;
  r[kTestOnly] = test && !around_.in_test ? 1.0F : 0.0F;
  r[kTested] = !test && around_.in_test ? 1.0F : 0.0F;
  return r;
}

// What stands beside what is used near the cursor, less with every definition between.
float Features::sibling(FileNumber file, std::uint32_t definition) {
  if (around_.affinity[file] == 0.0F) return 0.0F;
  const auto [it, fresh] = siblings_.try_emplace(file);
  if (fresh) {
    const auto& definitions = graph_.facts(file).definitions;
    auto& out = it->second;
    out.assign(definitions.size(), 0.0F);
    const float decay = std::exp(-1.0F / kSiblingReach);
    const auto sweep = [&](auto begin, auto end, auto step) {
      float now = 0.0F;
      for (auto i = begin; i != end; i += step) {
        const NameSignals& n = around_.names[definitions[static_cast<std::size_t>(i)].name];
        float& here = out[static_cast<std::size_t>(i)];
        here = std::max(here, now);
        if (!n.own) now = std::max(now, n.near);
        now *= decay;
      }
    };
    const auto n = std::ssize(definitions);
    sweep(std::ptrdiff_t{0}, n, std::ptrdiff_t{1});
    sweep(n - 1, std::ptrdiff_t{-1}, std::ptrdiff_t{-1});
  }
  return it->second[definition];
}

Row Features::row(FileNumber file, std::uint32_t definition) {
  const Definition& d = graph_.facts(file).definitions[definition];
  const Row name = of_name(around_.names[d.name]);
  const Row of = of_file(file);
  Row r = row_at_rest(graph_, d);
  for (std::size_t i = 0; i < kFeatures; ++i) r[i] += name[i] + of[i];
  r[kSibling] = sibling(file, definition);
  r[kNearImported] = r[kNear] * r[kImported];
  r[kNearFolder] = r[kNear] * r[kFolder];
  r[kWordsImported] = r[kWords] * r[kImported];
  r[kWordsFolder] = r[kWords] * r[kFolder];
  r[kKinFolder] = r[kKin] * r[kFolder];
  r[kUsersFolder] = r[kUsers] * r[kFolder];
  return r;
}

float Features::score(FileNumber file, std::uint32_t definition) {
  const Definition& d = graph_.facts(file).definitions[definition];
  Part name = names_[around_.names.slot(d.name)];
  name.users = users(d.name);
  return rest_.of(file, definition) + name.sum + files_[file].sum + products(name, files_[file]) +
         weights_[kSibling] * sibling(file, definition);
}

float Features::bound_of_name(std::size_t index) const {
  const NameId n = touched()[index].name;
  Part name = names_[index + 1];
  name.users = users(n);
  return rest_.best_named(n) + name.sum + most_.sum + products(name, most_) + most_of_definition_;
}

float Features::bound_of_name(std::size_t index, FileNumber file) const {
  const NameId n = touched()[index].name;
  Part name = names_[index + 1];
  name.users = users(n);
  return rest_.best_named(n) + name.sum + files_[file].sum + products(name, files_[file]) +
         most_of_definition(file);
}

float Features::bound_of_others(FileNumber file) const {
  return rest_.best_in(file) + files_[file].sum + std::max(0.0F, files_[file].users) +
         most_of_definition(file);
}

float Features::bound_of_other(FileNumber file, std::uint32_t definition) const {
  return rest_.of(file, definition) + files_[file].sum + std::max(0.0F, files_[file].users) +
         most_of_definition(file);
}

std::string Features::reason(FileNumber file, NameId id) const {
  const std::string defines = "defines " + graph_.name(id);
  const NameSignals& n = around_.names[id];
  if (n.near > 0.6F) return defines + ", used near the cursor";
  if (n.near > 0.0F) return defines + ", used in this file";
  if (n.completes) return defines + ", begins with what is being typed";
  if (around_.imported[file] != 0) return defines + ", in a file that this one imports";
  if (around_.together[file] > 0.3F) return defines + ", in a file that changes with this one";
  if (n.kin > 0.2F) return defines + ", used by files that use what stands at the cursor";
  if (n.neighbour > 0.1F) return defines + ", used by neighbouring files";
  if (n.words > 0.3F) return defines + ", shares words with the text at the cursor";
  return defines + ", close in the symbol graph";
}

}  // namespace ambit::indexer::context
