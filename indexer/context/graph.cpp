// The graph follows aider's idea (files point to the files that define what they use) with two
// changes: weights do not depend on the order in which definers are visited, and a use of a name
// with several definers is shared among them, nearer directories first.
#include "indexer/context/graph.h"

#include <algorithm>
#include <cmath>

#include "indexer/file_class.h"

namespace ambit::indexer::context {
namespace {

constexpr std::size_t kMaxDefiners =
    24;  // a name defined more often says nothing about one of them
constexpr float kDamping = 0.85F;
constexpr int kIterations = 24;
constexpr float kLeastPassed = 1e-9F;  // times the number of files: what a file still passes on

bool is_distinctive(std::string_view name) {
  if (name.size() >= 8) return true;
  bool lower = false;
  bool upper = false;
  for (const char c : name) {
    lower |= c >= 'a' && c <= 'z';
    upper |= c >= 'A' && c <= 'Z';
    if (c == '_') return true;
  }
  return lower && upper;
}

std::shared_ptr<const FileFacts> read_facts(const Snapshot& snapshot, const FileInfo& file,
                                            auto&& intern) {
  auto facts = std::make_shared<FileFacts>();
  facts->blob = file.blob;
  facts->test = is_test_path(file.path);
  const auto symbols = snapshot.symbols_in(file.path);
  facts->definitions.reserve(symbols.size());
  for (std::uint32_t i = 0; i < symbols.size(); ++i) {
    const Symbol& s = symbols[i];
    const auto bytes =
        static_cast<std::uint16_t>(std::min<std::size_t>(s.signature.size(), 0xFFFF));
    facts->definitions.push_back(
        {intern(s.name), s.kind, s.exported, bytes, s.line, s.end_line, i});
  }
  std::map<NameId, std::uint32_t> counts;
  for (const Reference& r : snapshot.references_in(file.path)) {
    ++counts[intern(r.name)];
  }
  facts->uses.reserve(counts.size());
  for (const auto& [name, count] : counts) facts->uses.push_back({name, count});
  return facts;
}

}  // namespace

void split_words(std::string_view s, std::vector<std::string>& out) {
  const auto kind = [](char c) {
    if (c >= 'a' && c <= 'z') return 1;
    if (c >= 'A' && c <= 'Z') return 2;
    if (c >= '0' && c <= '9') return 3;
    return static_cast<unsigned char>(c) >= 0x80 ? 1 : 0;
  };
  std::string word;
  const auto flush = [&] {
    if (word.size() >= 2) out.push_back(word);
    word.clear();
  };
  for (std::size_t i = 0; i < s.size(); ++i) {
    const int k = kind(s[i]);
    if (k == 0) {
      flush();
      continue;
    }
    const int previous = i > 0 ? kind(s[i - 1]) : 0;
    const int next = i + 1 < s.size() ? kind(s[i + 1]) : 0;
    if (k == 2 && (previous == 1 || previous == 3 || (previous == 2 && next == 1))) flush();
    word += k == 2 ? static_cast<char>(s[i] - 'A' + 'a') : s[i];
  }
  flush();
}

NameId SymbolGraph::intern(std::string_view name) {
  const auto [it, fresh] =
      name_ids_.try_emplace(std::string(name), static_cast<NameId>(names_.size()));
  if (!fresh) return it->second;
  names_.push_back(&it->first);
  std::vector<std::string> words;
  split_words(name, words);
  for (auto& word : words) {
    const auto id = static_cast<WordId>(word_ids_.size());
    name_words_.push_back(word_ids_.try_emplace(std::move(word), id).first->second);
  }
  word_begin_.push_back(static_cast<std::uint32_t>(name_words_.size()));
  return it->second;
}

bool SymbolGraph::update(const Snapshot& snapshot, std::stop_token stop) {
  std::vector<std::string> paths;
  std::vector<std::shared_ptr<const FileFacts>> facts;
  bool changed = false;
  for (const FileInfo& file : snapshot.files()) {
    if (!file.skipped.empty()) continue;
    if (stop.stop_requested()) return false;
    const FileNumber old = find(file.path);
    if (old != kNoFile && facts_[old]->blob == file.blob) {
      facts.push_back(facts_[old]);
    } else {
      facts.push_back(read_facts(snapshot, file, [this](std::string_view n) { return intern(n); }));
      changed = true;
    }
    paths.push_back(file.path);
  }
  if (!changed && paths == paths_) return true;
  paths_ = std::move(paths);
  facts_ = std::move(facts);
  build_edges();
  index_words();
  lookup_.update(paths_, names_);
  ++version_;
  return true;
}

FileNumber SymbolGraph::find(std::string_view path) const {
  const auto it = std::lower_bound(paths_.begin(), paths_.end(), path);
  if (it == paths_.end() || *it != path) return kNoFile;
  return static_cast<FileNumber>(it - paths_.begin());
}

NameId SymbolGraph::find_name(std::string_view name) const {
  const auto it = name_ids_.find(std::string(name));
  return it == name_ids_.end() ? kNoName : it->second;
}

WordId SymbolGraph::find_word(const std::string& word) const {
  const auto it = word_ids_.find(word);
  return it == word_ids_.end() ? kNoWord : it->second;
}

void SymbolGraph::index_words() {
  with_begin_.assign(word_ids_.size() + 1, 0);
  defined_names_ = 0;
  for (NameId n = 0; n < names_.size(); ++n) {
    if (definers(n).empty()) continue;
    ++defined_names_;
    for (const WordId w : words_of(n)) ++with_begin_[w + 1];
  }
  for (std::size_t w = 0; w < word_ids_.size(); ++w) with_begin_[w + 1] += with_begin_[w];
  with_word_.resize(with_begin_.back());
  auto next = with_begin_;
  for (NameId n = 0; n < names_.size(); ++n) {
    if (definers(n).empty()) continue;
    for (const WordId w : words_of(n)) with_word_[next[w]++] = n;
  }
}

std::span<const SymbolGraph::Definer> SymbolGraph::definers(NameId name) const {
  if (name + 1 >= definer_begin_.size()) return {};
  return std::span(definers_).subspan(definer_begin_[name],
                                      definer_begin_[name + 1] - definer_begin_[name]);
}

void SymbolGraph::build_edges() {
  const auto files = static_cast<FileNumber>(paths_.size());
  const std::size_t names = names_.size();
  definer_begin_.assign(names + 1, 0);
  users_.assign(names, 0);
  for (const auto& f : facts_) {
    for (const Definition& d : f->definitions) ++definer_begin_[d.name + 1];
    for (const Use& u : f->uses) ++users_[u.name];
  }
  for (std::size_t i = 0; i < names; ++i) definer_begin_[i + 1] += definer_begin_[i];
  definers_.resize(definer_begin_[names]);
  auto next = definer_begin_;
  for (FileNumber f = 0; f < files; ++f) {
    const auto& definitions = facts_[f]->definitions;
    for (std::uint32_t i = 0; i < definitions.size(); ++i) {
      definers_[next[definitions[i].name]++] = {f, i};
    }
  }

  user_begin_.assign(names + 1, 0);
  for (std::size_t n = 0; n < names; ++n) user_begin_[n + 1] = user_begin_[n] + users_[n];
  users_of_.resize(user_begin_[names]);
  auto next_user = user_begin_;
  for (FileNumber f = 0; f < files; ++f) {
    for (const Use& u : facts_[f]->uses) users_of_[next_user[u.name]++] = f;
  }
  rarity_.resize(names);
  crowd_.resize(names);
  distinctive_.resize(names);
  const float scale = 1.0F / std::log(2.0F + static_cast<float>(files));
  for (std::size_t n = 0; n < names; ++n) {
    rarity_[n] = 1.0F - std::log1p(static_cast<float>(users_[n])) * scale;
    crowd_[n] = std::log(
        static_cast<float>(std::max<std::size_t>(1, definer_begin_[n + 1] - definer_begin_[n])));
    distinctive_[n] = is_distinctive(*names_[n]) ? 1 : 0;
  }

  name_weight_.assign(names, 0.0F);
  for (NameId n = 0; n < names; ++n) {
    const std::size_t count = definers(n).size();
    if (count == 0 || count > kMaxDefiners) continue;
    const std::string_view text = *names_[n];
    float w = distinctive_[n] != 0 ? 1.0F : 0.15F;
    if (text.starts_with('_')) w *= 0.3F;
    if (text.size() < 3) w *= 0.1F;
    w /= std::sqrt(static_cast<float>(count));
    // A name that half of the repository uses is vocabulary, not a link.
    w *= std::log1p(static_cast<float>(files) / (1.0F + static_cast<float>(users_[n])));
    name_weight_[n] = w;
  }

  edge_begin_.assign(files + 1, 0);
  edge_to_.clear();
  edge_weight_.clear();
  std::vector<float> row(files, 0.0F);
  std::vector<FileNumber> touched;
  for (FileNumber f = 0; f < files; ++f) {
    touched.clear();
    for (const Use& u : facts_[f]->uses) {
      if (name_weight_[u.name] == 0.0F) continue;
      const float w = name_weight_[u.name] * std::sqrt(static_cast<float>(u.count));
      FileNumber last = kNoFile;
      for (const Definer& d : definers(u.name)) {
        if (d.file == f || d.file == last) continue;  // several definitions in one file count once
        last = d.file;
        if (row[d.file] == 0.0F) touched.push_back(d.file);
        row[d.file] += w;
      }
    }
    std::sort(touched.begin(), touched.end());
    float sum = 0.0F;
    for (const FileNumber t : touched) sum += row[t];
    for (const FileNumber t : touched) {
      edge_to_.push_back(t);
      edge_weight_.push_back(row[t] / sum);
      row[t] = 0.0F;
    }
    edge_begin_[f + 1] = static_cast<std::uint32_t>(edge_to_.size());
  }
}

std::vector<float> SymbolGraph::rank(const std::vector<float>& seeds) const {
  const std::size_t files = paths_.size();
  std::vector<float> restart = seeds;
  restart.resize(files, 0.0F);
  float total = 0.0F;
  for (const float s : restart) total += s;
  if (total <= 0.0F) {
    restart.assign(files, 1.0F);
    total = static_cast<float>(files);
  }
  for (float& s : restart) s /= total;
  std::vector<float> r = restart;
  std::vector<float> next(files);
  const float least = kLeastPassed * static_cast<float>(files);
  for (int i = 0; i < kIterations; ++i) {
    std::fill(next.begin(), next.end(), 0.0F);
    float kept = 0.0F;
    for (std::size_t f = 0; f < files; ++f) {
      if (r[f] <= least) continue;
      if (edge_begin_[f] == edge_begin_[f + 1]) continue;
      const float out = kDamping * r[f];
      kept += out;
      for (auto e = edge_begin_[f]; e < edge_begin_[f + 1]; ++e) {
        next[edge_to_[e]] += out * edge_weight_[e];
      }
    }
    const float back = 1.0F - kept;
    float change = 0.0F;
    for (std::size_t f = 0; f < files; ++f) {
      next[f] += back * restart[f];
      change += std::fabs(next[f] - r[f]);
    }
    r.swap(next);
    if (change < 1e-5F) break;
  }
  return r;
}

}  // namespace ambit::indexer::context
