#include "indexer/context/features.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "indexer/file_class.h"

namespace ambit::indexer::context {
namespace {

constexpr float kReach = 12.0F;             // lines over which the pull of a name decays
constexpr std::size_t kMaxNeighbours = 48;  // files of the folder that are asked what they use
constexpr std::size_t kMaxTogether = 64;    // files that changed with one
constexpr std::size_t kMaxKin = 24;         // files that use most like the cursor's surroundings
constexpr std::size_t kMaxKinUsers = 400;   // a name that more files use says nothing about kin
constexpr float kTogetherSeed = 0.25F;      // how much of a walk starts at files changed together
constexpr float kSiblingReach = 4.0F;       // definitions over which the pull of a sibling decays
constexpr float kLeastRank = 1e-6F;

std::string_view directory(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view stem(std::string_view path) {
  const auto slash = path.find_last_of("/\\:");
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  const auto dot = path.find('.');
  return dot == std::string_view::npos || dot == 0 ? path : path.substr(0, dot);
}

bool identifier_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

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

// 1 at the top, 0 at a millionth of it and below.
float magnitude(float value, float top) {
  return value <= top * 1e-6F ? 0.0F : 1.0F + std::log10(value / top) / 6.0F;
}

float dot(const Row& a, const Row& b) {
  float sum = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Adds what a file uses, each name once, times `weight`.
void add_uses(const FileFacts& facts, float weight, std::vector<float>& to) {
  for (const Use& u : facts.uses) to[u.name] += weight;
}

}  // namespace

// Directories in common from the root, over the longer depth.
float closeness(std::string_view a, std::string_view b) {
  a = directory(a);
  b = directory(b);
  if (a == b) return 1.0F;
  std::size_t common = 0;
  std::size_t depth_a = 1;
  std::size_t depth_b = 1;
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  while (i < n && a[i] == b[i]) {
    common += a[i] == '/' ? 1 : 0;
    ++i;
  }
  if (i == n && (a.size() == n || a[n] == '/') && (b.size() == n || b[n] == '/')) ++common;
  depth_a += static_cast<std::size_t>(std::count(a.begin(), a.end(), '/'));
  depth_b += static_cast<std::size_t>(std::count(b.begin(), b.end(), '/'));
  return static_cast<float>(common) / static_cast<float>(std::max(depth_a, depth_b) + 1);
}

Features::Features(const SymbolGraph& graph, const CursorView& view, const Row& weights)
    : graph_(graph), view_(view), weights_(weights), own_file_(graph.find(view.path)) {
  const std::size_t names = graph.name_count();
  const std::size_t files = graph.file_count();
  for (auto* v : {&near_, &words_, &neighbour_, &kin_, &together_use_, &flow_}) v->resize(names);
  for (auto* v : {&own_, &used_, &completing_}) v->resize(names);
  for (auto* v : {&together_, &affinity_}) v->resize(files);
  imported_.resize(files);
  line_ = static_cast<std::uint32_t>(std::count(
      view.text.begin(),
      view.text.begin() + std::min<std::ptrdiff_t>(view.cursor, std::ssize(view.text)), '\n'));
  in_test_ = is_test_path(view.path);
  near_names();
  if (!view.whole) word_overlap();
  imports();
  neighbours();
  if (!view.whole) completing();
  together();
  kin();
  flow();
  add_up_names();
}

void Features::add_up_names() {
  named_.resize(graph_.name_count());
  for (NameId n = 0; n < named_.size(); ++n) {
    if (graph_.definers(n).empty()) continue;
    // Most names of a large repository have nothing to do with the cursor.
    if (used_[n] == 0 && own_[n] == 0 && completing_[n] == 0 && words_[n] == 0.0F &&
        neighbour_[n] == 0.0F && kin_[n] == 0.0F && together_use_[n] == 0.0F &&
        flow_[n] <= top_flow_ * kLeastRank) {
      const float users = 1.0F - graph_.rarity(n);
      named_[n].users = users;
      named_[n].sum = weights_[kDefiners] * graph_.crowd(n) + weights_[kUsers] * users +
                      (graph_.users(n) == 0 ? weights_[kUnused] : 0.0F) +
                      (graph_.distinctive(n) ? weights_[kDistinctive] : 0.0F) +
                      (graph_.name(n).starts_with('_') ? weights_[kHidden] : 0.0F);
      continue;
    }
    const Row r = name_row(n);
    named_[n] = {dot(r, weights_), r[kNear], r[kWords], r[kKin], r[kUsers]};
  }
}

void Features::near_names() {
  for (const Symbol& s : view_.symbols) {
    const NameId id = graph_.find_name(s.name);
    if (id != SymbolGraph::kNoName) own_[id] = 1;
  }
  for (const Reference& r : view_.references) {
    const NameId id = graph_.find_name(r.name);
    if (id == SymbolGraph::kNoName) continue;
    used_[id] = 1;
    if (view_.whole) {
      near_[id] = 0.6F;
      continue;
    }
    const float distance = std::fabs(static_cast<float>(r.line) - static_cast<float>(line_));
    const float side = r.line > line_ ? 0.7F : 1.0F;
    near_[id] = std::max(near_[id], 0.2F + side * std::exp(-distance / kReach));
  }
  for (NameId n = 0; n < near_.size(); ++n) {
    if (near_[n] == 0.0F || own_[n] != 0) continue;
    const auto definers = graph_.definers(n);
    if (definers.empty() || definers.size() > 8) continue;
    const float w = near_[n] * graph_.rarity(n) / static_cast<float>(definers.size());
    all_near_ += w;
    for (const auto& d : definers) affinity_[d.file] += w;
  }
}

// Words of some 25 lines before and 8 after the cursor, each by how rare it is among the names that
// are defined somewhere.
void Features::word_overlap() {
  std::size_t begin = std::min<std::size_t>(view_.cursor, view_.text.size());
  std::size_t end = begin;
  for (int lines = 0; begin > 0 && lines < 25; --begin) {
    lines += view_.text[begin - 1] == '\n' ? 1 : 0;
  }
  for (int lines = 0; end < view_.text.size() && lines < 8; ++end) {
    lines += view_.text[end] == '\n' ? 1 : 0;
  }
  std::vector<std::string> words;
  split_words(view_.text.substr(begin, end - begin), words);
  std::unordered_map<WordId, float> weight;
  const float defined = 1.0F + static_cast<float>(graph_.defined_names());
  std::vector<NameId> names;
  for (const auto& w : words) {
    if (w.size() < 3) continue;
    const WordId id = graph_.find_word(w);
    if (id == SymbolGraph::kNoWord || weight.contains(id)) continue;
    const auto with = graph_.names_with(id);
    weight[id] = std::log(defined / (1.0F + static_cast<float>(with.size())));
    names.insert(names.end(), with.begin(), with.end());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const float scale = std::log(defined) + 1e-6F;
  for (const NameId n : names) {
    float hit = 0.0F;
    float all = 0.0F;
    for (const WordId w : graph_.words_of(n)) {
      const auto it = weight.find(w);
      all += it == weight.end() ? scale : it->second;
      if (it != weight.end()) hit += it->second;
    }
    if (all > 0.0F) words_[n] = hit / all * std::min(1.0F, hit / scale);
  }
}

void Features::imports() {
  std::set<std::string, std::less<>> stems;
  stems.insert(std::string(stem(view_.path)));  // foo.cpp and foo.h belong together
  for (const Reference& r : view_.references) {
    if (r.kind != ReferenceKind::kImport) continue;
    stems.insert(std::string(stem(r.name)));
    const NameId id = graph_.find_name(r.name);
    if (id == SymbolGraph::kNoName) continue;
    const auto definers = graph_.definers(id);
    if (definers.size() > 3) continue;
    for (const auto& d : definers) imported_[d.file] = 1;
  }
  for (FileNumber n = 0; n < graph_.file_count(); ++n) {
    const std::string_view path = graph_.path(n);
    if (stems.contains(stem(path))) imported_[n] = 1;
    // A package's own file (mod.rs, __init__.py, index.ts) goes by its directory's name.
    const std::string_view s = stem(path);
    if ((s == "mod" || s == "__init__" || s == "index") && stems.contains(stem(directory(path)))) {
      imported_[n] = 1;
    }
  }
}

void Features::neighbours() {
  std::vector<std::pair<float, FileNumber>> near;
  for (FileNumber n = 0; n < graph_.file_count(); ++n) {
    if (n == own_file_) continue;
    const float c = closeness(graph_.path(n), view_.path);
    if (c >= 0.5F) near.emplace_back(c, n);
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
  for (const auto& [c, n] : near) add_uses(graph_.facts(n), c / total, neighbour_);
}

// Files that use what stands near the cursor, by how rare that is: what else do they use?
void Features::kin() {
  std::vector<float> pull(graph_.file_count());
  for (NameId n = 0; n < near_.size(); ++n) {
    if (near_[n] == 0.0F || graph_.users(n) > kMaxKinUsers) continue;
    const float w = near_[n] * graph_.rarity(n);
    for (const FileNumber f : graph_.users_of(n)) pull[f] += w * w;
  }
  std::vector<std::pair<float, FileNumber>> kin;
  for (FileNumber f = 0; f < pull.size(); ++f) {
    if (pull[f] == 0.0F || f == own_file_) continue;
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
  for (const auto& [w, f] : kin) add_uses(graph_.facts(f), w / total, kin_);
}

// Who changes with the current file, and (half as much) with the open ones; and what they use.
void Features::together() {
  if (view_.history == nullptr) return;
  const auto add = [&](const std::string& path, float weight) {
    for (const CoChange& c : view_.history->with(path, kMaxTogether)) {
      const FileNumber n = graph_.find(c.path);
      if (n == kNoFile) continue;
      together_[n] = std::max(together_[n], weight * static_cast<float>(c.strength));
    }
  };
  add(view_.path, 1.0F);
  for (std::size_t i = 0; i < view_.open_files.size() && i < 4; ++i) {
    add(view_.open_files[i], 0.5F);
  }
  float total = 1e-6F;
  for (FileNumber n = 0; n < together_.size(); ++n) {
    if (n != own_file_) total += together_[n];
  }
  for (FileNumber n = 0; n < together_.size(); ++n) {
    if (n != own_file_ && together_[n] > 0.0F) {
      add_uses(graph_.facts(n), together_[n] / total, together_use_);
    }
  }
}

void Features::completing() {
  std::size_t begin = std::min<std::size_t>(view_.cursor, view_.text.size());
  const std::size_t end = begin;
  while (begin > 0 && identifier_char(view_.text[begin - 1])) --begin;
  const std::string_view typed = view_.text.substr(begin, end - begin);
  if (typed.size() < 2) return;
  for (NameId n = 0; n < graph_.name_count(); ++n) {
    if (graph_.name(n).starts_with(typed)) completing_[n] = 1;
  }
}

// A walk from the cursor's file, the open files, those that change with it and the definers of the
// names near the cursor.
void Features::flow() {
  const std::size_t files = graph_.file_count();
  std::vector<float> seeds(files, 0.0F);
  if (own_file_ != kNoFile) seeds[own_file_] = 1.0F;
  for (std::size_t i = 0; i < view_.open_files.size() && i < 8; ++i) {
    const FileNumber n = graph_.find(view_.open_files[i]);
    if (n != kNoFile) seeds[n] += 0.4F / static_cast<float>(i + 1);
  }
  for (FileNumber n = 0; n < files; ++n) seeds[n] += kTogetherSeed * together_[n];
  for (NameId n = 0; n < near_.size(); ++n) {
    if (near_[n] <= 0.0F || own_[n] != 0) continue;
    const float w = near_[n] * graph_.name_weight(n);
    flow_[n] += w;
    const auto definers = graph_.definers(n);
    for (const auto& d : definers) seeds[d.file] += 0.3F * w / static_cast<float>(definers.size());
  }
  rank_ = graph_.rank(seeds);
  for (FileNumber file = 0; file < files; ++file) {
    if (rank_[file] < kLeastRank) continue;
    const auto& uses = graph_.facts(file).uses;
    float sum = 1e-9F;
    for (const Use& u : uses) {
      sum += graph_.name_weight(u.name) * std::sqrt(static_cast<float>(u.count));
    }
    for (const Use& u : uses) {
      flow_[u.name] +=
          rank_[file] * graph_.name_weight(u.name) * std::sqrt(static_cast<float>(u.count)) / sum;
    }
  }
  for (const float v : flow_) top_flow_ = std::max(top_flow_, v);
  for (FileNumber n = 0; n < files; ++n) {
    if (n != own_file_) top_rank_ = std::max(top_rank_, rank_[n]);
  }
}

void Features::enter(FileNumber file) {
  file_ = file;
  base_ = {};
  const auto& path = graph_.path(file);
  const auto& facts = graph_.facts(file);
  base_[kImported] = imported_[file] != 0 ? 1.0F : 0.0F;
  base_[kFolder] = closeness(path, view_.path);
  base_[kSameFolder] = base_[kFolder] == 1.0F ? 1.0F : 0.0F;
  base_[kTogether] = together_[file];
  base_[kRank] = magnitude(rank_[file], top_rank_);
  base_[kAffinity] = all_near_ > 0.0F ? std::sqrt(affinity_[file] / all_near_) : 0.0F;
  base_[kTestOnly] = facts.test && !in_test_ ? 1.0F : 0.0F;
  base_[kTested] = !facts.test && in_test_ ? 1.0F : 0.0F;
  const auto product = [&](Feature of_imported, Feature of_folder) {
    return weights_[of_imported] * base_[kImported] + weights_[of_folder] * base_[kFolder];
  };
  factor_ = {dot(base_, weights_), product(kNearImported, kNearFolder),
             product(kWordsImported, kWordsFolder), weights_[kKinFolder] * base_[kFolder],
             weights_[kUsersFolder] * base_[kFolder]};
  // What stands beside what is used near the cursor, less with every definition between.
  const auto& definitions = facts.definitions;
  sibling_.assign(definitions.size(), 0.0F);
  if (affinity_[file] == 0.0F) return;
  const float decay = std::exp(-1.0F / kSiblingReach);
  const auto sweep = [&](auto begin, auto end, auto step) {
    float now = 0.0F;
    for (auto i = begin; i != end; i += step) {
      const NameId n = definitions[static_cast<std::size_t>(i)].name;
      float& here = sibling_[static_cast<std::size_t>(i)];
      here = std::max(here, now);
      if (own_[n] == 0) now = std::max(now, near_[n]);
      now *= decay;
    }
  };
  const auto n = std::ssize(definitions);
  sweep(std::ptrdiff_t{0}, n, std::ptrdiff_t{1});
  sweep(n - 1, std::ptrdiff_t{-1}, std::ptrdiff_t{-1});
}

Row Features::name_row(NameId n) const {
  Row r{};
  const float rarity = graph_.rarity(n);
  r[kNear] = own_[n] != 0 ? 0.0F : near_[n];
  r[kNearRare] = r[kNear] * rarity;
  r[kUsedHere] = used_[n] != 0 ? 1.0F : 0.0F;
  r[kWords] = words_[n];
  r[kCompleting] = completing_[n] != 0 ? 1.0F : 0.0F;
  r[kNeighbour] = std::sqrt(neighbour_[n]);
  r[kKin] = std::sqrt(kin_[n]);
  r[kKinRare] = r[kKin] * rarity;
  r[kTogetherUse] = std::sqrt(together_use_[n]);
  r[kFlow] = magnitude(flow_[n], top_flow_);
  r[kDefiners] = graph_.crowd(n);
  r[kUsers] = 1.0F - rarity;
  r[kUnused] = graph_.users(n) == 0 ? 1.0F : 0.0F;
  r[kDistinctive] = graph_.distinctive(n) ? 1.0F : 0.0F;
  r[kHidden] = graph_.name(n).starts_with('_') ? 1.0F : 0.0F;
  r[kOwn] = own_[n] != 0 ? 1.0F : 0.0F;
  return r;
}

Row Features::row(std::uint32_t definition) const {
  const Definition& d = graph_.facts(file_).definitions[definition];
  Row r = name_row(d.name);
  for (std::size_t i = 0; i < kFeatures; ++i) r[i] += base_[i];
  r[kind_of(d.kind)] = 1.0F;
  r[kExported] = d.exported ? 1.0F : 0.0F;
  r[kSibling] = sibling_[definition];
  r[kNearImported] = r[kNear] * r[kImported];
  r[kNearFolder] = r[kNear] * r[kFolder];
  r[kWordsImported] = r[kWords] * r[kImported];
  r[kWordsFolder] = r[kWords] * r[kFolder];
  r[kKinFolder] = r[kKin] * r[kFolder];
  r[kUsersFolder] = r[kUsers] * r[kFolder];
  return r;
}

float Features::score(std::uint32_t definition) const {
  const Definition& d = graph_.facts(file_).definitions[definition];
  const Named& n = named_[d.name];
  return n.sum + factor_.sum + n.near * factor_.near + n.words * factor_.words +
         n.kin * factor_.kin + n.users * factor_.users + weights_[kind_of(d.kind)] +
         (d.exported ? weights_[kExported] : 0.0F) + weights_[kSibling] * sibling_[definition];
}

std::string Features::reason(FileNumber file, NameId n) const {
  const std::string defines = "defines " + graph_.name(n);
  if (near_[n] > 0.6F) return defines + ", used near the cursor";
  if (near_[n] > 0.0F) return defines + ", used in this file";
  if (completing_[n] != 0) return defines + ", begins with what is being typed";
  if (imported_[file] != 0) return defines + ", in a file that this one imports";
  if (together_[file] > 0.3F) return defines + ", in a file that changes with this one";
  if (kin_[n] > 0.2F) return defines + ", used by files that use what stands at the cursor";
  if (neighbour_[n] > 0.1F) return defines + ", used by neighbouring files";
  if (words_[n] > 0.3F) return defines + ", shares words with the text at the cursor";
  return defines + ", close in the symbol graph";
}

}  // namespace ambit::indexer::context
