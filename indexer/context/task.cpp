#include "indexer/context/task.h"

#include <algorithm>

#include "indexer/context/render.h"
#include "indexer/context/spans.h"

namespace ambit::indexer::context {

namespace {

// Definitions that are ranked: as many as could fit, a line of one costs some 10 tokens.
constexpr std::size_t kLeastCandidates = 600;
constexpr std::size_t kMostCandidates = 60000;
constexpr std::int64_t kLeastTokensOfLine = 8;
constexpr std::size_t kRich = 40;       // definitions that may come with doc and body
constexpr std::int64_t kRichShare = 8;  // percent of the budget that these may take
constexpr std::size_t kRepeated = 12;   // that are shown at the cursor although S2 or S3 has them
constexpr std::int64_t kWorthFilling = 24;  // tokens that are left
constexpr int kMisses = 48;  // definitions that do not fit before the rest is dropped
// The best of a ranking: the last part is kept while it shows most of these. What is missing is
// added when it is among the very first or so many are.
constexpr std::size_t kHead = 16, kFirst = 4, kWorthwhile = 4;
// Within so many lines of the cursor a name that the repository defines is a reason to look again.
constexpr std::uint32_t kNearLines = 3;
constexpr std::size_t kTypedBytes = 3;  // of a word, from which on it tells what it may become

bool word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

const std::string& name_of(const SymbolGraph& graph, const ScoredDefinition& d) {
  return graph.name(graph.facts(d.file).definitions[d.definition].name);
}

// The symbol of a definition in a snapshot that may have other text than the graph was made of.
std::uint32_t symbol_in(const std::vector<Symbol>& all, const Definition& d,
                        std::string_view name) {
  if (d.symbol < all.size() && all[d.symbol].name == name) return d.symbol;
  auto best = static_cast<std::uint32_t>(all.size());
  std::uint32_t distance = 0xFFFFFFFF;
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const auto away = all[i].line > d.line ? all[i].line - d.line : d.line - all[i].line;
    if (all[i].name == name && away < distance) best = i, distance = away;
  }
  return best;
}

}  // namespace

std::shared_ptr<const FileView> FileViews::of(const Snapshot& snapshot, const std::string& path) {
  const auto info = snapshot.file(path);
  const auto known = by_path_.find(path);
  if (known != by_path_.end() && info && known->second->blob == info->blob) {
    entries_.splice(entries_.begin(), entries_, known->second);
    return known->second->view;
  }
  auto view = std::make_shared<FileView>();
  view->symbols = snapshot.symbols_in(path);
  if (auto text = prompt_text(snapshot, path)) view->text = std::move(*text);
  if (!info) return view;
  const auto forget = [&](std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes;
    by_path_.erase(entry->path);
    entries_.erase(entry);
  };
  if (known != by_path_.end()) forget(known->second);
  const std::size_t bytes = view->text.size() + view->symbols.size() * 2 * sizeof(Symbol);
  entries_.push_front({path, info->blob, bytes, view});
  by_path_[path] = entries_.begin();
  bytes_ += bytes;
  while (bytes_ > kMostBytes && entries_.size() > 1) forget(std::prev(entries_.end()));
  return view;
}

// Definitions of one file.
struct TaskPart::Chosen {
  std::string path;
  std::shared_ptr<const FileView> file;
  std::vector<std::uint32_t> symbols{};  // indices into all, in the order of the ranking
  std::set<std::uint32_t> rich{};        // of those: with doc comment and short bodies
  std::set<std::uint32_t> lines{};       // symbols and what encloses them
  double best = 0;
  std::string reason{};

  Chosen(const Snapshot& snapshot, FileViews& views, std::string p)
      : path(std::move(p)), file(views.of(snapshot, path)) {}

  [[nodiscard]] const std::vector<Symbol>& all() const { return file->symbols; }

  [[nodiscard]] PackSpan render(const TokenCounter& count) const {
    return render(symbols, rich, count);
  }
  [[nodiscard]] PackSpan render(const std::vector<std::uint32_t>& which,
                                const std::set<std::uint32_t>& rich_ones,
                                const TokenCounter& count) const {
    OutlineOptions options;
    options.bodies = true;
    options.rich = &rich_ones;
    auto span =
        make_span(path, Region::kTask, Detail::kExcerpt,
                  render_outline(path, all(), which, file->text, options), count, reason, best);
    span.start_line = all()[which.front()].line;
    for (const std::uint32_t s : which) {
      span.start_line = std::min(span.start_line, all()[s].line);
      span.end_line = std::max(span.end_line, all()[s].end_line);
    }
    return span;
  }
};

TaskPart::Key TaskPart::key_at(const SymbolGraph& graph, const PackRequest& request,
                               std::string_view text) {
  Key key;
  key.path = request.path;
  key.graph = graph.version();
  const std::size_t cursor = std::min<std::size_t>(request.cursor, text.size());
  key.line = static_cast<std::uint32_t>(
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(cursor), '\n'));
  std::size_t begin = cursor;
  for (std::uint32_t lines = 0; begin > 0; --begin) {
    if (text[begin - 1] == '\n' && ++lines > kNearLines) break;
  }
  std::size_t end = std::min(text.find('\n', cursor), text.size());
  end = std::min(text.find('\n', std::min(end + 1, text.size())), text.size());
  std::size_t word = begin;
  while (word < end) {
    std::size_t stop = word;
    while (stop < end && word_byte(text[stop])) ++stop;
    if (stop > word) {
      const auto found = text.substr(word, stop - word);
      const NameId id = graph.find_name(found);
      // A word that is being typed is many names on its way to be one.
      if (stop == cursor) {
        if (found.size() >= kTypedBytes) key.typed = found.substr(0, kTypedBytes);
      } else if (id != SymbolGraph::kNoName && !graph.definers(id).empty()) {
        key.names.insert(id);
      }
    }
    word = std::max(stop, word + 1);
  }
  return key;
}

bool TaskPart::still_right(const Key& now) const {
  const auto away = now.line > key_.line ? now.line - key_.line : key_.line - now.line;
  return now.path == key_.path && now.graph == key_.graph && away <= kNearLines &&
         (now.typed.empty() || now.typed == key_.typed) &&
         std::includes(key_.names.begin(), key_.names.end(), now.names.begin(), now.names.end());
}

// A file in T has other text now. Mostly the lines that T shows are the same; if not, they are
// shown again behind the rest.
bool TaskPart::follow_edits(const Snapshot& snapshot, FileViews& views, const TokenCounter& count,
                            std::int64_t budget) {
  std::int64_t used = sum_tokens(spans_);
  for (auto& [path, shown] : files_) {
    const auto info = snapshot.file(path);
    if (info && info->blob == shown.blob) continue;
    if (!info) return false;
    Chosen chosen(snapshot, views, path);
    for (const std::string& name : shown.names) {
      for (std::uint32_t i = 0; i < chosen.all().size(); ++i) {
        if (chosen.all()[i].name != name) continue;
        chosen.symbols.push_back(i);
        if (shown.rich.contains(name)) chosen.rich.insert(i);
        break;
      }
    }
    if (chosen.symbols.empty()) return false;
    chosen.reason = "a definition changed since";
    auto span = chosen.render(count);
    shown.blob = info->blob;
    if (span.text == shown.text) continue;
    used += span.tokens;
    if (used > budget) return false;
    shown.text = span.text;
    span.blob = info->blob;
    spans_.push_back(std::move(span));
  }
  return used <= budget;
}

Result<TaskPart::Update> TaskPart::update(const Ranker& ranker, const StablePart& stable,
                                          const Snapshot& snapshot, FileViews& views,
                                          const PackRequest& request, const TokenCounter& count,
                                          std::int64_t budget, const std::stop_token& stop) {
  const SymbolGraph& graph = ranker.graph();
  AMBIT_TRY(text, snapshot.text(request.path));
  Key key = key_at(graph, request, text);
  const bool fits =
      key_.path == request.path && !spans_.empty() && follow_edits(snapshot, views, count, budget);
  if (fits && still_right(key)) return Update{};

  CursorView view{request.path,
                  text,
                  std::min<std::uint32_t>(request.cursor, static_cast<std::uint32_t>(text.size())),
                  snapshot.references_in(request.path),
                  snapshot.symbols_in(request.path),
                  request.open_files};
  const auto history = snapshot.history();
  view.history = history.get();
  const auto limit = std::clamp<std::size_t>(static_cast<std::size_t>(budget / kLeastTokensOfLine),
                                             kLeastCandidates, kMostCandidates);
  const auto ranked = ranker.rank(view, limit);
  if (stop.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");
  key_ = std::move(key);

  // Keep the last part when it still holds most of what matters most here: a change costs what
  // changes and the text around the cursor, which stands behind it.
  std::vector<std::size_t> missing;
  const std::size_t head = std::min(ranked.size(), kHead);
  for (std::size_t i = 0; i < head; ++i) {
    const std::string& path = graph.path(ranked[i].file);
    const std::string& name = name_of(graph, ranked[i]);
    if (!shown_.contains({path, name}) && !stable.shows(path, name)) missing.push_back(i);
  }
  if (fits && missing.size() <= head / 2) {
    if (!missing.empty() && (missing.front() < kFirst || missing.size() >= kWorthwhile)) {
      choose(graph, stable, snapshot, views, ranked, {missing.front(), head, 0},
             budget - sum_tokens(spans_), count);
    }
    return Update{};
  }
  spans_.clear();
  files_.clear();
  shown_.clear();
  // A sixteenth is kept free for what later cursors need, so that the prefix can stay.
  choose(graph, stable, snapshot, views, ranked, {0, ranked.size(), kRepeated},
         request.stream == 0 ? budget : budget * 15 / 16, count);
  return Update{true};
}

// Appends definitions of the ranking that are not shown yet, best first under the budget, grouped
// by file, the best file last (nearest to the cursor).
void TaskPart::choose(const SymbolGraph& graph, const StablePart& stable, const Snapshot& snapshot,
                      FileViews& views, const std::vector<ScoredDefinition>& ranked,
                      const Part& part, std::int64_t budget, const TokenCounter& count) {
  std::map<FileNumber, std::size_t> group_of;
  std::vector<Chosen> groups;
  std::vector<std::size_t> order;  // group of each definition taken
  std::vector<char> taken(part.end);
  const auto fill = [&](std::int64_t left) {
    int misses = 0;
    for (std::size_t i = part.begin; i < part.end && misses < kMisses; ++i) {
      const ScoredDefinition& d = ranked[i];
      const std::string& path = graph.path(d.file);
      const std::string& name = name_of(graph, d);
      if (taken[i] != 0 || shown_.contains({path, name})) continue;
      if (i >= part.repeated && stable.shows(path, name)) continue;
      const auto [it, fresh] = group_of.try_emplace(d.file, groups.size());
      if (fresh) {
        Chosen& g = groups.emplace_back(snapshot, views, path);
        g.best = d.score;
        g.reason = d.reason;
      }
      Chosen& g = groups[it->second];
      const std::uint32_t symbol =
          symbol_in(g.all(), graph.facts(d.file).definitions[d.definition], name);
      if (symbol >= g.all().size()) continue;
      const bool rich = i < kRich && left > budget * (100 - kRichShare) / 100;
      std::int64_t cost = g.symbols.empty() ? count("### " + path + "\n\n") : 0;
      std::vector<std::uint32_t> lines;
      for (const std::uint32_t p : enclosing(g.all(), symbol)) {
        if (!g.lines.contains(p)) lines.push_back(p);
      }
      for (const std::uint32_t p : lines) cost += count("  " + g.all()[p].signature + "\n");
      if (rich) {
        cost += g.render({symbol}, {symbol}, count).tokens;
      } else if (!g.lines.contains(symbol)) {
        cost += count("    " + g.all()[symbol].signature + "\n");
      }
      if (cost > left) {
        ++misses;
        continue;
      }
      left -= cost;
      taken[i] = 1;
      g.symbols.push_back(symbol);
      if (rich) g.rich.insert(symbol);
      g.lines.insert(symbol);
      g.lines.insert(lines.begin(), lines.end());
      order.push_back(it->second);
    }
  };
  std::vector<PackSpan> spans;
  std::int64_t used = 0;
  const auto render = [&](std::size_t i) {
    Chosen& g = groups[i];
    used -= spans[i].tokens;
    spans[i] = g.symbols.empty() ? PackSpan{} : g.render(count);
    used += spans[i].tokens;
  };
  // The sums are of lines counted alone. Together they mostly take less: what is left is filled
  // too. Should they take more, the last ones go.
  for (std::size_t done = 0; done == 0 || budget - used >= kWorthFilling;) {
    fill(budget - used);
    if (order.size() == done) break;
    spans.resize(groups.size());
    const std::set<std::size_t> changed(order.begin() + static_cast<std::ptrdiff_t>(done),
                                        order.end());
    for (const std::size_t i : changed) render(i);
    done = order.size();
  }
  spans.resize(groups.size());
  while (used > budget && !order.empty()) {
    Chosen& g = groups[order.back()];
    g.rich.erase(g.symbols.back());
    g.symbols.pop_back();
    render(order.back());
    order.pop_back();
  }
  std::vector<std::size_t> by_score(groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) by_score[i] = i;
  std::stable_sort(by_score.begin(), by_score.end(),
                   [&](std::size_t a, std::size_t b) { return groups[a].best < groups[b].best; });
  for (const std::size_t i : by_score) {
    const Chosen& g = groups[i];
    if (g.symbols.empty()) continue;
    Shown& file = files_[g.path];
    if (const auto info = snapshot.file(g.path)) spans[i].blob = file.blob = info->blob;
    for (const std::uint32_t s : g.symbols) {
      shown_.emplace(g.path, g.all()[s].name);
      file.names.push_back(g.all()[s].name);
      if (g.rich.contains(s)) file.rich.insert(g.all()[s].name);
    }
    // What follow_edits() would render now: later additions are of the same text.
    Chosen all = g;
    all.symbols.clear();
    all.rich.clear();
    for (const std::string& name : file.names) {
      for (std::uint32_t s = 0; s < all.all().size(); ++s) {
        if (all.all()[s].name != name) continue;
        all.symbols.push_back(s);
        if (file.rich.contains(name)) all.rich.insert(s);
        break;
      }
    }
    file.text = all.render(count).text;
    spans_.push_back(std::move(spans[i]));
  }
}

}  // namespace ambit::indexer::context
