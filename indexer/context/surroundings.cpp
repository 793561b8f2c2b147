#include "indexer/context/surroundings.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "indexer/file_class.h"

namespace ambit::indexer::context {
namespace {

constexpr float kReach = 12.0F;             // lines over which the pull of a name decays
constexpr std::size_t kMaxNeighbours = 48;  // files of the folder that are asked what they use
constexpr std::size_t kMaxTogether = 64;    // files that changed with one
constexpr std::size_t kMaxKin = 24;         // files that use most like the cursor's surroundings
constexpr std::size_t kMaxKinUsers = 400;   // a name that more files use says nothing about kin
constexpr float kTogetherSeed = 0.25F;      // how much of a walk starts at files changed together
constexpr float kLeastRank = 1e-6F;
// What bounds the work in a large repository; smaller ones are below all of these.
constexpr std::size_t kMostSharers = 1 << 15;    // names that share a word, of the rarest words
constexpr std::size_t kMostCompleted = 1 << 16;  // a beginning that more names have tells nothing
constexpr std::size_t kMostFlowUses = 1 << 18;   // uses that rank flows through, best files first

bool identifier_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

NameSignals& NameTable::touch(NameId name) {
  auto& page = pages_[name / kPage];
  if (!page) page = std::make_unique<Page>();
  std::uint32_t& at = (*page)[name % kPage];
  if (at == 0) {
    touched_.push_back({});
    touched_.back().name = name;
    at = static_cast<std::uint32_t>(touched_.size());
  }
  return touched_[at - 1];
}

Surroundings::Surroundings(const SymbolGraph& graph, const CursorView& view)
    : own_file(graph.find(view.path)),
      in_test(is_test_path(view.path)),
      names(graph.name_count()),
      imported(graph.file_count()),
      together(graph.file_count()),
      affinity(graph.file_count()),
      graph_(graph),
      view_(view) {
  for (const std::string& f : graph.folders()) {
    closeness.push_back(context::closeness(f, folder(view.path)));
  }
  near_names();
  if (!view.whole) word_overlap();
  imports();
  neighbours();
  if (!view.whole) completing();
  changed_together();
  kin();
  walk();
  flow();
}

// Adds what a file uses, each name once, times `weight`.
void Surroundings::add_uses(FileNumber file, float weight, float NameSignals::*to) {
  for (const Use& u : graph_.facts(file).uses) names.touch(u.name).*to += weight;
}

void Surroundings::near_names() {
  for (const Symbol& s : view_.symbols) {
    const NameId id = graph_.find_name(s.name);
    if (id != SymbolGraph::kNoName) names.touch(id).own = true;
  }
  const auto cursor = std::min<std::size_t>(view_.cursor, view_.text.size());
  const auto line = static_cast<std::uint32_t>(std::count(
      view_.text.begin(), view_.text.begin() + static_cast<std::ptrdiff_t>(cursor), '\n'));
  std::set<NameId> near;
  for (const Reference& r : view_.references) {
    const NameId id = graph_.find_name(r.name);
    if (id == SymbolGraph::kNoName) continue;
    NameSignals& n = names.touch(id);
    near.insert(id);
    n.used = true;
    if (view_.whole) {
      n.near = 0.6F;
      continue;
    }
    const float distance = std::fabs(static_cast<float>(r.line) - static_cast<float>(line));
    const float side = r.line > line ? 0.7F : 1.0F;
    n.near = std::max(n.near, 0.2F + side * std::exp(-distance / kReach));
  }
  for (const NameId id : near) {
    const NameSignals& n = names[id];
    top_near = std::max(top_near, n.near);
    if (n.own) continue;
    const auto definers = graph_.definers(id);
    if (definers.empty() || definers.size() > 8) continue;
    const float w = n.near * graph_.rarity(id) / static_cast<float>(definers.size());
    all_near += w;
    for (const auto& d : definers) affinity[d.file] += w;
  }
}

// Words of some 25 lines before and 8 after the cursor, each by how rare it is among the names that
// are defined somewhere.
void Surroundings::word_overlap() {
  std::size_t begin = std::min<std::size_t>(view_.cursor, view_.text.size());
  std::size_t end = begin;
  for (int lines = 0; begin > 0 && lines < 25; --begin) {
    lines += view_.text[begin - 1] == '\n' ? 1 : 0;
  }
  for (int lines = 0; end < view_.text.size() && lines < 8; ++end) {
    lines += view_.text[end] == '\n' ? 1 : 0;
  }
  std::vector<std::string> found;
  split_words(view_.text.substr(begin, end - begin), found);
  const float defined = 1.0F + static_cast<float>(graph_.defined_names());
  std::vector<std::pair<WordId, float>> words;
  for (const auto& w : found) {
    const WordId id = w.size() < 3 ? SymbolGraph::kNoWord : graph_.find_word(w);
    if (id == SymbolGraph::kNoWord) continue;
    const auto with = static_cast<float>(graph_.names_with(id).size());
    words.emplace_back(id, std::log(defined / (1.0F + with)));
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  auto rarest = words;
  std::sort(rarest.begin(), rarest.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::vector<NameId> sharers;
  for (const auto& [id, weight] : rarest) {
    const auto with = graph_.names_with(id);
    if (sharers.size() + with.size() > kMostSharers) break;
    sharers.insert(sharers.end(), with.begin(), with.end());
  }
  std::sort(sharers.begin(), sharers.end());
  sharers.erase(std::unique(sharers.begin(), sharers.end()), sharers.end());
  const float scale = std::log(defined) + 1e-6F;
  for (const NameId n : sharers) {
    float hit = 0.0F;
    float all = 0.0F;
    for (const WordId w : graph_.words_of(n)) {
      const auto it = std::lower_bound(words.begin(), words.end(), std::pair(w, -1e9F));
      const bool shared = it != words.end() && it->first == w;
      all += shared ? it->second : scale;
      if (shared) hit += it->second;
    }
    if (all > 0.0F) names.touch(n).words = hit / all * std::min(1.0F, hit / scale);
  }
}

void Surroundings::imports() {
  std::set<std::string, std::less<>> stems;
  stems.insert(std::string(stem(view_.path)));  // foo.cpp and foo.h belong together
  for (const Reference& r : view_.references) {
    if (r.kind != ReferenceKind::kImport) continue;
    stems.insert(std::string(stem(r.name)));
    const NameId id = graph_.find_name(r.name);
    if (id == SymbolGraph::kNoName) continue;
    const auto definers = graph_.definers(id);
    if (definers.size() > 3) continue;
    for (const auto& d : definers) imported[d.file] = 1;
  }
  for (const std::string& s : stems) {
    for (const FileNumber f : graph_.files_called(s)) imported[f] = 1;
  }
}

void Surroundings::neighbours() {
  std::vector<std::pair<float, FileNumber>> near;
  for (FileNumber n = 0; n < graph_.file_count(); ++n) {
    const float c = closeness[graph_.folder_of(n)];
    if (c >= 0.5F && n != own_file) near.emplace_back(c, n);
  }
  for (std::size_t i = 0; i < view_.open_files.size() && i < 8; ++i) {
    const FileNumber n = graph_.find(view_.open_files[i]);
    if (n != kNoFile) near.emplace_back(1.5F / static_cast<float>(i + 1), n);
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (near.size() > kMaxNeighbours) near.resize(kMaxNeighbours);
  float total = 1e-6F;
  for (const auto& [c, n] : near) total += c;
  for (const auto& [c, n] : near) add_uses(n, c / total, &NameSignals::neighbour);
}

// Files that use what stands near the cursor, by how rare that is: what else do they use?
void Surroundings::kin() {
  std::vector<float> pull(graph_.file_count());
  std::vector<NameId> near;
  for (const NameSignals& n : names.touched()) {
    if (n.near > 0.0F && graph_.users(n.name) <= kMaxKinUsers) near.push_back(n.name);
  }
  std::sort(near.begin(), near.end());
  for (const NameId n : near) {
    const float w = names[n].near * graph_.rarity(n);
    for (const FileNumber f : graph_.users_of(n)) pull[f] += w * w;
  }
  std::vector<std::pair<float, FileNumber>> kin;
  for (FileNumber f = 0; f < pull.size(); ++f) {
    if (pull[f] == 0.0F || f == own_file) continue;
    // A file that uses everything is nobody's kin.
    kin.emplace_back(pull[f] / std::sqrt(20.0F + static_cast<float>(graph_.facts(f).uses.size())),
                     f);
  }
  const auto most = static_cast<std::ptrdiff_t>(std::min(kMaxKin, kin.size()));
  std::partial_sort(kin.begin(), kin.begin() + most, kin.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  kin.resize(static_cast<std::size_t>(most));
  float total = 1e-6F;
  for (const auto& [w, f] : kin) total += w;
  for (const auto& [w, f] : kin) add_uses(f, w / total, &NameSignals::kin);
}

// Who changes with the current file, and (half as much) with the open ones; and what they use.
void Surroundings::changed_together() {
  if (view_.history == nullptr) return;
  const auto add = [&](const std::string& path, float weight) {
    for (const CoChange& c : view_.history->with(path, kMaxTogether)) {
      const FileNumber n = graph_.find(c.path);
      if (n == kNoFile) continue;
      together[n] = std::max(together[n], weight * static_cast<float>(c.strength));
    }
  };
  add(view_.path, 1.0F);
  for (std::size_t i = 0; i < view_.open_files.size() && i < 4; ++i) {
    add(view_.open_files[i], 0.5F);
  }
  float total = 1e-6F;
  for (FileNumber n = 0; n < together.size(); ++n) {
    if (n != own_file) total += together[n];
  }
  for (FileNumber n = 0; n < together.size(); ++n) {
    if (n != own_file && together[n] > 0.0F) {
      add_uses(n, together[n] / total, &NameSignals::together);
    }
  }
}

void Surroundings::completing() {
  std::size_t begin = std::min<std::size_t>(view_.cursor, view_.text.size());
  const std::size_t end = begin;
  while (begin > 0 && identifier_char(view_.text[begin - 1])) --begin;
  const auto completed = graph_.names_from(view_.text.substr(begin, end - begin));
  if (completed.size() > kMostCompleted) return;
  for (const NameId n : completed) names.touch(n).completes = true;
}

// From the cursor's file, the open files, those that change with it and the definers of the names
// near the cursor.
void Surroundings::walk() {
  const std::size_t files = graph_.file_count();
  std::vector<float> seeds(files, 0.0F);
  if (own_file != kNoFile) seeds[own_file] = 1.0F;
  for (std::size_t i = 0; i < view_.open_files.size() && i < 8; ++i) {
    const FileNumber n = graph_.find(view_.open_files[i]);
    if (n != kNoFile) seeds[n] += 0.4F / static_cast<float>(i + 1);
  }
  for (FileNumber n = 0; n < files; ++n) seeds[n] += kTogetherSeed * together[n];
  std::vector<NameId> near;
  for (const NameSignals& n : names.touched()) {
    if (n.near > 0.0F && !n.own) near.push_back(n.name);
  }
  std::sort(near.begin(), near.end());
  for (const NameId id : near) {
    NameSignals& n = names.touch(id);
    const float w = n.near * graph_.name_weight(id);
    n.flow += w;
    const auto definers = graph_.definers(id);
    for (const auto& d : definers) seeds[d.file] += 0.3F * w / static_cast<float>(definers.size());
  }
  rank = graph_.rank(seeds);
  for (FileNumber n = 0; n < files; ++n) {
    if (n != own_file) top_rank = std::max(top_rank, rank[n]);
  }
}

void Surroundings::flow() {
  std::vector<FileNumber> through;
  std::size_t uses = 0;
  for (FileNumber f = 0; f < graph_.file_count(); ++f) {
    if (rank[f] < kLeastRank) continue;
    through.push_back(f);
    uses += graph_.facts(f).uses.size();
  }
  if (uses > kMostFlowUses) {
    std::sort(through.begin(), through.end(), [&](FileNumber a, FileNumber b) {
      return rank[a] != rank[b] ? rank[a] > rank[b] : a < b;
    });
    std::size_t most = 0;
    for (uses = 0; most < through.size(); ++most) {
      uses += graph_.facts(through[most]).uses.size();
      if (uses > kMostFlowUses) break;
    }
    through.resize(most);
    std::sort(through.begin(), through.end());
  }
  std::vector<float> weights;
  for (const FileNumber f : through) {
    weights.clear();
    float sum = 1e-9F;
    for (const Use& u : graph_.facts(f).uses) {
      weights.push_back(graph_.name_weight(u.name) * std::sqrt(static_cast<float>(u.count)));
      sum += weights.back();
    }
    std::size_t i = 0;
    for (const Use& u : graph_.facts(f).uses) {
      const float w = weights[i++];
      if (w > 0.0F) names.touch(u.name).flow += rank[f] * w / sum;
    }
  }
  for (const NameSignals& n : names.touched()) top_flow = std::max(top_flow, n.flow);
}

}  // namespace ambit::indexer::context
