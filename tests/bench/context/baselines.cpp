#include "tests/bench/context/baselines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

namespace ambit::bench {
namespace {

using indexer::Snapshot;

bool starts_identifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool in_identifier(char c) {
  return starts_identifier(c) || (c >= '0' && c <= '9');
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto n = text.find('\n');
    lines.push_back(text.substr(0, n));
    if (n == std::string_view::npos) break;
    text.remove_prefix(n + 1);
  }
  return lines;
}

std::string directory(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

constexpr std::uint32_t kChunk = 40;

}  // namespace

std::vector<std::string_view> identifiers(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < text.size();) {
    if (!starts_identifier(text[i])) {
      // A number's letters are no identifier.
      if (text[i] >= '0' && text[i] <= '9') {
        while (i < text.size() && in_identifier(text[i])) ++i;
      } else {
        ++i;
      }
      continue;
    }
    const std::size_t begin = i;
    while (i < text.size() && in_identifier(text[i])) ++i;
    out.push_back(text.substr(begin, i - begin));
  }
  return out;
}

struct Baselines::State {
  struct Tag {
    std::string name;
    std::uint32_t line = 0;
    std::string signature;
  };
  struct File {
    indexer::BlobId blob;
    std::string text;
    std::vector<Tag> definitions;
    std::map<std::string, std::uint32_t> references;
    std::vector<std::map<std::string, std::uint32_t>> chunks;  // terms, lower case
  };
  explicit State(indexer::TokenCounter c) : count(std::move(c)) {}

  indexer::TokenCounter count;
  std::shared_ptr<const Snapshot> snapshot;
  std::map<std::string, std::shared_ptr<const File>> files;

  // Takes pieces while they fit; what does not fit is cut at a line when it is a whole file.
  bool take(std::vector<Piece>& out, Piece piece, std::int64_t& left, bool cut) const {
    const std::string head = piece.path + "\n";
    const std::int64_t cost = count(head + piece.text);
    if (cost <= left) {
      left -= cost;
      out.push_back(std::move(piece));
      return true;
    }
    if (!cut || left < 64) return false;
    const auto lines = lines_of(piece.text);
    std::string kept;
    std::uint32_t n = 0;
    std::int64_t used = count(head);
    for (const auto line : lines) {
      const std::int64_t more = count(std::string(line) + "\n");
      if (used + more > left) break;
      used += more;
      kept += std::string(line) + "\n";
      ++n;
    }
    if (n == 0) return false;
    left -= used;
    piece.text = kept;
    piece.last_line = piece.first_line + n - 1;
    out.push_back(std::move(piece));
    return true;
  }
  Piece whole(const std::string& path) const {
    const std::string& text = files.at(path)->text;
    const auto n = static_cast<std::uint32_t>(lines_of(text).size());
    return {path, 0, n == 0 ? 0 : n - 1, text};
  }
  static bool visible(const View& view, const std::string& path) {
    return path == view.path ||
           std::find(view.open_files.begin(), view.open_files.end(), path) != view.open_files.end();
  }
};

Baselines::Baselines(indexer::TokenCounter count)
    : state_(std::make_unique<State>(std::move(count))) {}
Baselines::~Baselines() = default;

void Baselines::read(std::shared_ptr<const Snapshot> snapshot) {
  std::map<std::string, std::shared_ptr<const State::File>> files;
  for (const auto& info : snapshot->files()) {
    if (!info.skipped.empty()) continue;
    const auto old = state_->files.find(info.path);
    if (old != state_->files.end() && old->second->blob == info.blob) {
      files[info.path] = old->second;
      continue;
    }
    auto text = snapshot->text(info.path);
    if (!text) continue;
    auto f = std::make_shared<State::File>();
    f->blob = info.blob;
    f->text = std::move(*text);
    for (const auto& s : snapshot->symbols_in(info.path)) {
      f->definitions.push_back({s.name, s.line, s.signature});
    }
    for (const auto& r : snapshot->references_in(info.path)) ++f->references[r.name];
    if (!f->definitions.empty() || !f->references.empty()) {
      const auto lines = lines_of(f->text);
      for (std::size_t from = 0; from < lines.size(); from += kChunk) {
        auto& terms = f->chunks.emplace_back();
        for (std::size_t i = from; i < std::min<std::size_t>(lines.size(), from + kChunk); ++i) {
          for (const auto id : identifiers(lines[i])) {
            std::string term(id);
            for (char& c : term) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
            ++terms[term];
          }
        }
      }
    }
    files[info.path] = std::move(f);
  }
  state_->files = std::move(files);
  state_->snapshot = std::move(snapshot);
}

std::vector<Piece> Baselines::aider(const View& view, std::int64_t budget, bool mentions) {
  const State& s = *state_;
  std::vector<const std::string*> names;
  std::vector<const State::File*> nodes;
  std::map<std::string_view, std::size_t> number;
  for (const auto& [path, f] : s.files) {
    if (f->definitions.empty() && f->references.empty()) continue;
    number[path] = names.size();
    names.push_back(&path);
    nodes.push_back(f.get());
  }
  const std::size_t n = names.size();
  std::map<std::string_view, std::vector<std::size_t>> defines;
  std::map<std::string_view, std::vector<std::pair<std::size_t, std::uint32_t>>> references;
  for (std::size_t i = 0; i < n; ++i) {
    for (const auto& d : nodes[i]->definitions) {
      auto& v = defines[d.name];
      if (v.empty() || v.back() != i) v.push_back(i);
    }
    for (const auto& [name, k] : nodes[i]->references) references[name].emplace_back(i, k);
  }
  std::set<std::string, std::less<>> mentioned;
  if (mentions) {
    const auto lines = lines_of(view.text);
    const std::size_t from = view.line < 30 ? 0 : view.line - 30;
    for (std::size_t i = from; i < std::min<std::size_t>(lines.size(), view.line + 10U); ++i) {
      for (const auto id : identifiers(lines[i])) mentioned.insert(std::string(id));
    }
  }
  struct Edge {
    std::size_t from, to;
    std::string_view name;
    double weight;
  };
  std::vector<Edge> edges;
  for (const auto& [name, definers] : defines) {
    const auto users = references.find(name);
    if (users == references.end()) {
      for (const std::size_t d : definers) edges.push_back({d, d, name, 0.1});
      continue;
    }
    double mul = 1;
    const bool snake = name.find('_') != std::string_view::npos;
    const bool camel =
        std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }) &&
        std::any_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    if (mentioned.contains(name)) mul *= 10;
    if ((snake || camel) && name.size() >= 8) mul *= 10;
    if (name.starts_with('_')) mul *= 0.1;
    if (definers.size() > 5) mul *= 0.1;
    for (const auto& [user, k] : users->second) {
      const double use = State::visible(view, *names[user]) ? mul * 50 : mul;
      for (const std::size_t d : definers) {
        edges.push_back({user, d, name, use * std::sqrt(static_cast<double>(k))});
      }
    }
  }
  std::vector<double> restart(n, 0);
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (State::visible(view, *names[i])) restart[i] = 1;
    total += restart[i];
  }
  if (total == 0) restart.assign(n, 1), total = static_cast<double>(n);
  for (double& r : restart) r /= total;
  std::vector<double> out(n, 0);
  for (const Edge& e : edges) out[e.from] += e.weight;
  std::vector<double> rank(n, 1.0 / static_cast<double>(std::max<std::size_t>(n, 1)));
  for (int round = 0; round < 100; ++round) {
    std::vector<double> next(n, 0);
    double dangling = 0;
    for (std::size_t i = 0; i < n; ++i) dangling += out[i] == 0 ? rank[i] : 0;
    for (const Edge& e : edges) next[e.to] += 0.85 * rank[e.from] * e.weight / out[e.from];
    double change = 0;
    for (std::size_t i = 0; i < n; ++i) {
      next[i] += (0.85 * dangling + 0.15) * restart[i];
      change += std::fabs(next[i] - rank[i]);
    }
    rank.swap(next);
    if (change < static_cast<double>(n) * 1e-6) break;
  }
  std::map<std::pair<std::size_t, std::string_view>, double> ranked;
  for (const Edge& e : edges) {
    ranked[{e.to, e.name}] += rank[e.from] * e.weight / out[e.from];
  }
  std::vector<std::pair<double, std::pair<std::size_t, std::string_view>>> order;
  for (const auto& [key, score] : ranked) {
    if (!State::visible(view, *names[key.first])) order.emplace_back(score, key);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Piece> pieces;
  std::set<std::size_t> headed;
  std::int64_t left = budget;
  for (const auto& [score, key] : order) {
    const State::File& f = *nodes[key.first];
    const auto lines = lines_of(f.text);
    for (const auto& d : f.definitions) {
      if (d.name != key.second || d.line >= lines.size()) continue;
      std::string text = std::string(lines[d.line]) + "\n";
      const bool head = !headed.contains(key.first);
      const std::int64_t cost =
          s.count((head ? "\n" + *names[key.first] + ":\n⋮\n" : std::string("⋮\n")) + text);
      if (cost > left) return pieces;
      left -= cost;
      headed.insert(key.first);
      pieces.push_back({*names[key.first], d.line, d.line, std::move(text)});
    }
  }
  return pieces;
}

std::vector<Piece> Baselines::bm25(const View& view, std::int64_t budget) {
  const State& s = *state_;
  std::map<std::string, double> query;
  const auto lines = lines_of(view.text);
  const std::size_t from = view.line < 60 ? 0 : view.line - 60;
  for (std::size_t i = from; i < std::min<std::size_t>(lines.size(), view.line + 30U); ++i) {
    for (const auto id : identifiers(lines[i])) {
      std::string term(id);
      for (char& c : term) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      query[term] = 0;
    }
  }
  double chunks = 0;
  double length = 0;
  for (const auto& [path, f] : s.files) {
    for (const auto& terms : f->chunks) {
      ++chunks;
      length += static_cast<double>(terms.size());
      for (auto& [term, df] : query) df += terms.contains(term) ? 1 : 0;
    }
  }
  const double mean = chunks > 0 ? length / chunks : 1;
  struct Hit {
    double score;
    const std::string* path;
    std::uint32_t chunk;
  };
  std::vector<Hit> hits;
  for (const auto& [path, f] : s.files) {
    if (State::visible(view, path)) continue;
    for (std::uint32_t c = 0; c < f->chunks.size(); ++c) {
      const auto& terms = f->chunks[c];
      double score = 0;
      for (const auto& [term, df] : query) {
        const auto it = terms.find(term);
        if (it == terms.end()) continue;
        const double idf = std::log(1 + (chunks - df + 0.5) / (df + 0.5));
        const double tf = it->second;
        score +=
            idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * static_cast<double>(terms.size()) / mean));
      }
      if (score > 0) hits.push_back({score, &path, c});
    }
  }
  std::stable_sort(hits.begin(), hits.end(),
                   [](const Hit& a, const Hit& b) { return a.score > b.score; });
  std::vector<Piece> pieces;
  std::int64_t left = budget;
  int misses = 0;
  for (const Hit& h : hits) {
    const auto all = lines_of(s.files.at(*h.path)->text);
    const std::uint32_t first = h.chunk * kChunk;
    const auto last =
        std::min<std::uint32_t>(first + kChunk, static_cast<std::uint32_t>(all.size()));
    std::string text;
    for (std::uint32_t i = first; i < last; ++i) text += std::string(all[i]) + "\n";
    if (!s.take(pieces, {*h.path, first, last - 1, text}, left, false) && ++misses > 8) break;
  }
  return pieces;
}

std::vector<Piece> Baselines::same_directory(const View& view, std::int64_t budget) {
  std::vector<Piece> pieces;
  std::int64_t left = budget;
  for (const auto& [path, f] : state_->files) {
    if (State::visible(view, path) || directory(path) != directory(view.path)) continue;
    if (!state_->take(pieces, state_->whole(path), left, true)) break;
  }
  return pieces;
}

std::vector<Piece> Baselines::recent(const View& view, std::int64_t budget) {
  std::vector<Piece> pieces;
  std::int64_t left = budget;
  for (const auto& path : state_->snapshot->history()->recent(2000)) {
    if (State::visible(view, path) || !state_->files.contains(path)) continue;
    if (!state_->take(pieces, state_->whole(path), left, true)) break;
  }
  return pieces;
}

}  // namespace ambit::bench
