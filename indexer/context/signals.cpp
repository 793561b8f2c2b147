#include "indexer/context/signals.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

namespace ambit::indexer::context {
namespace {

constexpr float kReferenceReach =
    12.0F;  // lines over which the pull of a name near the cursor decays
constexpr std::size_t kMaxNeighbours =
    48;  // files of the same directory that are asked what they use
// Of files that change with this one: how much of a walk starts there, and how much their
// definitions gain.
constexpr float kTogetherSeed = 0.25F, kTogetherPull = 0.4F;
constexpr std::size_t kMaxTogether = 64;  // files that changed with one
constexpr double kFusion = 40.0;          // reciprocal rank fusion: 1 / (kFusion + rank)

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

float kind_prior(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::kFunction:
    case SymbolKind::kMethod:
    case SymbolKind::kClass:
    case SymbolKind::kStruct:
    case SymbolKind::kInterface:
    case SymbolKind::kTrait:
      return 1.0F;
    case SymbolKind::kEnum:
    case SymbolKind::kTypeAlias:
    case SymbolKind::kUnion:
    case SymbolKind::kMacro:
      return 0.9F;
    case SymbolKind::kConstant:
    case SymbolKind::kConstructor:
    case SymbolKind::kEnumerator:
      return 0.6F;
    case SymbolKind::kField:
    case SymbolKind::kProperty:
      return 0.5F;
    case SymbolKind::kVariable:
      return 0.4F;
    case SymbolKind::kNamespace:
    case SymbolKind::kModule:
    case SymbolKind::kLabel:
    case SymbolKind::kSection:
      return 0.15F;
  }
  return 0.3F;
}

struct Features {
  std::vector<float> near;       // [names] pull of a name by its uses around the cursor
  std::vector<float> neighbour;  // [names] how much similar files use it
  std::vector<char> imported;    // [files]
  std::vector<float> words;      // [names] idf-weighted words shared with the text at the cursor
  std::vector<char> own;         // [names] defined in the current file
  std::vector<char> completing;  // [names] starts with the identifier being typed
  std::vector<float> together;   // [files] changed in the same commits as this file, 0…1
};

// Who changes with the current file, and (half as much) with the open ones.
void together(const SymbolGraph& graph, const CursorView& view, Features& f) {
  if (view.history == nullptr) return;
  const auto add = [&](const std::string& path, float weight) {
    for (const CoChange& c : view.history->with(path, kMaxTogether)) {
      const FileNumber n = graph.find(c.path);
      if (n == kNoFile) continue;
      f.together[n] = std::max(f.together[n], weight * static_cast<float>(c.strength));
    }
  };
  add(view.path, 1.0F);
  for (std::size_t i = 0; i < view.open_files.size() && i < 4; ++i) add(view.open_files[i], 0.5F);
}

void near_names(const SymbolGraph& graph, const CursorView& view, std::uint32_t line, Features& f) {
  for (const Symbol& s : view.symbols) {
    const NameId id = graph.find_name(s.name);
    if (id != SymbolGraph::kNoName) f.own[id] = 1;
  }
  for (const Reference& r : view.references) {
    const NameId id = graph.find_name(r.name);
    if (id == SymbolGraph::kNoName) continue;
    const float distance = std::fabs(static_cast<float>(r.line) - static_cast<float>(line));
    if (view.whole) {
      f.near[id] = 0.6F;
      continue;
    }
    const float side = r.line > line ? 0.7F : 1.0F;
    f.near[id] = std::max(f.near[id], 0.2F + side * std::exp(-distance / kReferenceReach));
  }
}

void word_overlap(const SymbolGraph& graph, const CursorView& view, Features& f) {
  // Words of some 25 lines before and 8 after the cursor.
  std::size_t begin = view.cursor;
  for (int lines = 0; begin > 0 && lines < 25; --begin)
    lines += view.text[begin - 1] == '\n' ? 1 : 0;
  std::size_t end = view.cursor;
  for (int lines = 0; end < view.text.size() && lines < 8; ++end) {
    lines += view.text[end] == '\n' ? 1 : 0;
  }
  std::vector<std::string> words;
  split_words(view.text.substr(begin, end - begin), words);
  // Each by how rare it is among the names that are defined somewhere.
  std::unordered_map<WordId, float> weight;
  const float defined = 1.0F + static_cast<float>(graph.defined_names());
  std::vector<NameId> names;
  for (const auto& w : words) {
    if (w.size() < 3) continue;
    const WordId id = graph.find_word(w);
    if (id == SymbolGraph::kNoWord || weight.contains(id)) continue;
    const auto with = graph.names_with(id);
    weight[id] = std::log(defined / (1.0F + static_cast<float>(with.size())));
    names.insert(names.end(), with.begin(), with.end());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const float scale = std::log(defined) + 1e-6F;
  for (const NameId n : names) {
    float hit = 0.0F;
    float all = 0.0F;
    for (const WordId w : graph.words_of(n)) {
      const auto it = weight.find(w);
      all += it == weight.end() ? scale : it->second;
      if (it != weight.end()) hit += it->second;
    }
    if (all > 0.0F) f.words[n] = hit / all * std::min(1.0F, hit / scale);
  }
}

void imports(const SymbolGraph& graph, const CursorView& view, Features& f) {
  std::set<std::string, std::less<>> stems;
  std::string_view own_stem = stem(view.path);
  stems.insert(std::string(own_stem));  // foo.cpp and foo.h belong together
  for (const Reference& r : view.references) {
    if (r.kind != ReferenceKind::kImport) continue;
    stems.insert(std::string(stem(r.name)));
    const NameId id = graph.find_name(r.name);
    if (id == SymbolGraph::kNoName) continue;
    const auto definers = graph.definers(id);
    if (definers.size() > 3) continue;
    for (const auto& d : definers) f.imported[d.file] = 1;
  }
  for (FileNumber n = 0; n < graph.file_count(); ++n) {
    const std::string_view path = graph.path(n);
    if (stems.contains(stem(path))) f.imported[n] = 1;
    // A package's own file (mod.rs, __init__.py, index.ts) goes by its directory's name.
    const std::string_view s = stem(path);
    if ((s == "mod" || s == "__init__" || s == "index") && stems.contains(stem(directory(path)))) {
      f.imported[n] = 1;
    }
  }
}

void neighbours(const SymbolGraph& graph, const CursorView& view, Features& f) {
  std::vector<std::pair<float, FileNumber>> near;
  for (FileNumber n = 0; n < graph.file_count(); ++n) {
    if (graph.path(n) == view.path) continue;
    const float c = closeness(graph.path(n), view.path);
    if (c >= 0.5F) near.emplace_back(c, n);
  }
  for (std::size_t i = 0; i < view.open_files.size() && i < 8; ++i) {
    const FileNumber n = graph.find(view.open_files[i]);
    if (n != kNoFile) near.emplace_back(1.5F / static_cast<float>(i + 1), n);
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (near.size() > kMaxNeighbours) near.resize(kMaxNeighbours);
  float total = 1e-6F;
  for (const auto& [c, n] : near) total += c;
  for (const auto& [c, n] : near) {
    for (const Use& u : graph.facts(n).uses) f.neighbour[u.name] += c / total;
  }
}

void completing(const SymbolGraph& graph, const CursorView& view, Features& f) {
  std::size_t begin = view.cursor;
  while (begin > 0 && identifier_char(view.text[begin - 1])) --begin;
  const std::string_view typed = view.text.substr(begin, view.cursor - begin);
  if (typed.size() < 2) return;
  for (NameId n = 0; n < graph.name_count(); ++n) {
    if (graph.name(n).starts_with(typed)) f.completing[n] = 1;
  }
}

std::uint32_t line_of(std::string_view text, std::uint32_t offset) {
  return static_cast<std::uint32_t>(
      std::count(text.begin(), text.begin() + std::min<std::size_t>(offset, text.size()), '\n'));
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
  const std::size_t names = graph.name_count();
  const std::size_t files = graph.file_count();
  if (files == 0 || limit == 0) return {};
  const std::uint32_t cursor_line = line_of(view.text, view.cursor);
  Features f{std::vector<float>(names), std::vector<float>(names), std::vector<char>(files),
             std::vector<float>(names), std::vector<char>(names),  std::vector<char>(names),
             std::vector<float>(files)};
  near_names(graph, view, cursor_line, f);
  if (!view.whole) word_overlap(graph, view, f);
  imports(graph, view, f);
  neighbours(graph, view, f);
  if (!view.whole) completing(graph, view, f);
  together(graph, view, f);

  // Walk 1: from the cursor's file, the open files and the definers of the names near the cursor.
  const FileNumber own = graph.find(view.path);
  std::vector<float> seeds(files, 0.0F);
  if (own != kNoFile) seeds[own] = 1.0F;
  for (std::size_t i = 0; i < view.open_files.size() && i < 8; ++i) {
    const FileNumber n = graph.find(view.open_files[i]);
    if (n != kNoFile) seeds[n] += 0.4F / static_cast<float>(i + 1);
  }
  for (FileNumber n = 0; n < files; ++n) seeds[n] += kTogetherSeed * f.together[n];
  std::vector<float> name_pull(names, 0.0F);  // rank that flows through each name
  for (NameId n = 0; n < names; ++n) {
    if (f.near[n] <= 0.0F || f.own[n] != 0) continue;
    const float w = f.near[n] * graph.name_weight(n);
    name_pull[n] += w;
    const auto definers = graph.definers(n);
    for (const auto& d : definers) seeds[d.file] += 0.3F * w / static_cast<float>(definers.size());
  }
  const std::vector<float> rank = graph.rank(seeds);
  for (FileNumber file = 0; file < files; ++file) {
    if (rank[file] < 1e-6F) continue;
    const auto& uses = graph.facts(file).uses;
    float sum = 1e-9F;
    for (const Use& u : uses) {
      sum += graph.name_weight(u.name) * std::sqrt(static_cast<float>(u.count));
    }
    for (const Use& u : uses) {
      name_pull[u.name] +=
          rank[file] * graph.name_weight(u.name) * std::sqrt(static_cast<float>(u.count)) / sum;
    }
  }

  struct Candidate {
    FileNumber file;
    std::uint32_t definition;
    float walk;
    float direct;
  };
  std::vector<Candidate> candidates;
  for (FileNumber file = 0; file < files; ++file) {
    if (file == own) continue;
    const float near_tree = closeness(graph.path(file), view.path);
    const auto& definitions = graph.facts(file).definitions;
    for (std::uint32_t i = 0; i < definitions.size(); ++i) {
      const Definition& d = definitions[i];
      if (f.own[d.name] != 0 && f.near[d.name] == 0.0F) continue;
      const float definers = static_cast<float>(graph.definers(d.name).size());
      const float prior = kind_prior(d.kind) / std::sqrt(definers);
      // Among several definers of one name the imported or nearer file is the likelier one.
      const float place = 0.3F + 0.5F * near_tree + (f.imported[file] != 0 ? 0.7F : 0.0F);
      const float walk = name_pull[d.name] * place * (0.5F + rank[file]);
      const float direct =
          prior *
          (2.5F * f.near[d.name] * (f.own[d.name] != 0 ? 0.2F : 1.0F) * place +
           (f.imported[file] != 0 ? 0.55F : 0.0F) + 0.9F * f.neighbour[d.name] +
           0.8F * f.words[d.name] + 0.25F * near_tree + kTogetherPull * f.together[file] +
           (f.completing[d.name] != 0 ? 0.8F : 0.0F)) *
          (d.exported || near_tree == 1.0F ? 1.0F : 0.3F);
      candidates.push_back({file, i, walk, direct});
    }
  }

  std::vector<double> fused(candidates.size(), 0.0);
  std::vector<std::uint32_t> order(candidates.size());
  const auto add_ranking = [&](auto key, double weight) {
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    const std::size_t top = std::min(order.size(), std::max<std::size_t>(limit * 2, 512));
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
                      [&](std::uint32_t a, std::uint32_t b) {
                        const float ka = key(candidates[a]);
                        const float kb = key(candidates[b]);
                        return ka != kb ? ka > kb : a < b;
                      });
    for (std::size_t r = 0; r < top; ++r) {
      if (key(candidates[order[r]]) <= 0.0F) break;
      fused[order[r]] += weight / (kFusion + static_cast<double>(r));
    }
  };
  add_ranking([](const Candidate& c) { return c.walk; }, 1.0);
  add_ranking([](const Candidate& c) { return c.direct; }, 1.0);

  std::vector<std::uint32_t> best;
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    if (fused[i] > 0.0) best.push_back(i);
  }
  const std::size_t count = std::min(limit, best.size());
  std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count), best.end(),
                    [&](std::uint32_t a, std::uint32_t b) {
                      return fused[a] != fused[b] ? fused[a] > fused[b] : a < b;
                    });
  std::vector<ScoredDefinition> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Candidate& c = candidates[best[i]];
    const NameId n = graph.facts(c.file).definitions[c.definition].name;
    std::string reason = "defines " + graph.name(n);
    if (f.near[n] > 0.6F) {
      reason += ", used near the cursor";
    } else if (f.near[n] > 0.0F) {
      reason += ", used in this file";
    } else if (f.completing[n] != 0) {
      reason += ", begins with what is being typed";
    } else if (f.imported[c.file] != 0) {
      reason += ", in a file that this one imports";
    } else if (f.together[c.file] > 0.3F) {
      reason += ", in a file that changes with this one";
    } else if (f.neighbour[n] > 0.1F) {
      reason += ", used by neighbouring files";
    } else if (f.words[n] > 0.3F) {
      reason += ", shares words with the text at the cursor";
    } else {
      reason += ", close in the symbol graph";
    }
    out.push_back({c.file, c.definition, fused[best[i]], std::move(reason)});
  }
  return out;
}

}  // namespace ambit::indexer::context
