// One packer per workspace. It keeps
// - the graph of the prepared snapshot (no unsaved text),
// - one stable part per budget, frozen: S0 preamble, S1 map, S2 outlines, S3 full texts. It is made
//   again only when what changed since costs more than making it again would, because everything
//   behind a changed token must be computed anew by the model;
// - per stream what the last pack said: the delta log D (changes since the stable part was frozen)
//   and the task part T (definitions for this cursor). Both grow at their end while they can.
#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "indexer/context/graph.h"
#include "indexer/context/pack.h"
#include "indexer/context/render.h"
#include "indexer/context/signals.h"

namespace ambit::indexer {

std::string_view to_string(Region region) {
  switch (region) {
    case Region::kPreamble:
      return "S0";
    case Region::kMap:
      return "S1";
    case Region::kSkeleton:
      return "S2";
    case Region::kFullText:
      return "S3";
    case Region::kDelta:
      return "D";
    case Region::kTask:
      return "T";
    case Region::kCursor:
      return "C";
  }
  return "?";
}

std::string_view to_string(Detail detail) {
  switch (detail) {
    case Detail::kOutline:
      return "outline";
    case Detail::kFull:
      return "full";
    case Detail::kExcerpt:
      return "excerpt";
  }
  return "?";
}

namespace context {
namespace {

constexpr std::size_t kMaxStreams = 64;
// Definitions that are ranked: as many as could fit, a line of one costs some 10 tokens.
constexpr std::size_t kLeastCandidates = 600;
constexpr std::size_t kMostCandidates = 8000;
constexpr std::int64_t kLeastTokensOfLine = 8;
constexpr std::size_t kRich = 40;        // definitions that may come with doc and body
constexpr std::int64_t kRichShare = 40;  // percent of the task part that these may take
constexpr std::size_t kRepeated = 12;    // that are shown at the cursor although S2 or S3 has them
constexpr int kMisses = 48;              // definitions that do not fit before the rest is dropped
constexpr double kMapShare = 0.05;       // of the stable budget
constexpr double kSkeletonShare = 0.65;  // of the stable budget, at most
constexpr double kDeltaShare = 0.10;  // of the whole budget: past it the stable part is made again
constexpr std::uint64_t kMaxFullTextBytes = 256 << 10;

struct Stable {
  std::int64_t budget = 0;
  std::vector<PackSpan> spans;
  std::int64_t tokens = 0;
  struct Frozen {
    BlobId blob;
    bool full = false;
    std::string text;             // the span's text (S2) or the file's text (S3)
    std::set<std::string> names;  // S2: whose definitions it shows
    std::set<std::string> left;   // S2: what the file defined besides
  };
  std::map<std::string, Frozen> files;
  // Whether a definition of the name in this file is in S2 or S3.
  [[nodiscard]] bool shows(const std::string& path, const std::string& name) const {
    const auto it = files.find(path);
    return it != files.end() && (it->second.full || it->second.names.contains(name));
  }
};

struct Stream {
  std::uint64_t id = 0;
  std::shared_ptr<const Stable> stable;
  std::string path;
  std::vector<PackSpan> delta;
  std::map<std::string, BlobId> delta_blobs;
  std::vector<PackSpan> task;
  std::map<std::string, BlobId> task_blobs;
  std::set<std::pair<std::string, std::uint32_t>> shown;  // path, line of the name: what T defines
  std::vector<std::string> last_texts;                    // of the whole last pack, span by span
};

PackSpan make_span(std::string path, Region region, Detail detail, std::string text,
                   const TokenCounter& count, std::string reason, double score = 0) {
  PackSpan s;
  s.path = std::move(path);
  s.region = region;
  s.detail = detail;
  s.tokens = count(text);
  s.text = std::move(text);
  s.reason = std::move(reason);
  s.score = score;
  return s;
}

std::uint32_t line_count(std::string_view text) {
  return static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n')) +
         (text.empty() || text.back() == '\n' ? 0U : 1U);
}

class PackerImpl final : public Packer {
 public:
  explicit PackerImpl(PackerOptions options) : options_(std::move(options)) {}

  void prepare(std::shared_ptr<const Snapshot> snapshot, std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    if (graph_.update(*snapshot, stop)) base_ = std::move(snapshot);
  }

  Result<ContextPack> pack(const Snapshot& snapshot, const PackRequest& request,
                           const TokenCounter& count, std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    if (request.budget_tokens <= 0) {
      return make_error(Code::kInvalidArgument, "a pack's budget must be positive");
    }
    if (base_ == nullptr) {
      return make_error(Code::kUnavailable, "the index is not ready yet: no pack can be made");
    }
    Stream fresh;
    Stream& stream = request.stream == 0 ? fresh : stream_of(request.stream);

    const std::int64_t task_budget = task_share(request.budget_tokens);
    const std::int64_t stable_budget = request.budget_tokens - task_budget;

    auto stable = stable_part(stable_budget, request, count, stop);
    if (!stable) return stable.error();
    if (stream.stable != *stable) {
      stream.stable = *stable;
      stream.delta.clear();
      stream.delta_blobs.clear();
    }
    // What the stable part leaves of its budget is for the delta log.
    update_delta(stream, snapshot, request, count, stable_budget - stream.stable->tokens);
    if (stop.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");
    std::int64_t delta_tokens = 0;
    for (const PackSpan& s : stream.delta) delta_tokens += s.tokens;
    const std::int64_t task_left =
        std::min(task_budget, request.budget_tokens - stream.stable->tokens - delta_tokens);
    AMBIT_CHECK_OK(update_task(stream, snapshot, request, count, task_left, stop));

    ContextPack out;
    out.budget_tokens = request.budget_tokens;
    for (const std::vector<PackSpan>* part : std::initializer_list<const std::vector<PackSpan>*>{
             &stream.stable->spans, &stream.delta, &stream.task}) {
      out.spans.insert(out.spans.end(), part->begin(), part->end());
    }
    std::size_t same = 0;
    while (same < out.spans.size() && same < stream.last_texts.size() &&
           out.spans[same].text == stream.last_texts[same]) {
      ++same;
    }
    stream.last_texts.clear();
    for (std::size_t i = 0; i < out.spans.size(); ++i) {
      out.tokens += out.spans[i].tokens;
      if (i >= same) out.predicted_recompute += out.spans[i].tokens;
      stream.last_texts.push_back(out.spans[i].text);
    }
    return out;
  }

 private:
  // The cursor's own part: half of a small window, at most max_task_tokens of a large one.
  [[nodiscard]] std::int64_t task_share(std::int64_t budget) const {
    if (budget < options_.min_stable_budget) return budget;
    const auto share =
        static_cast<std::int64_t>(static_cast<double>(budget) * (1.0 - options_.stable_share));
    return std::min(options_.max_task_tokens, std::max(share, budget / 2));
  }

  Stream& stream_of(std::uint64_t id) {
    for (auto it = streams_.begin(); it != streams_.end(); ++it) {
      if (it->id == id) {
        streams_.splice(streams_.begin(), streams_, it);
        return streams_.front();
      }
    }
    if (streams_.size() >= kMaxStreams) streams_.pop_back();
    streams_.emplace_front().id = id;
    return streams_.front();
  }

  // The frozen part for this budget: the one that exists, unless too much has changed under it.
  Result<std::shared_ptr<const Stable>> stable_part(std::int64_t budget, const PackRequest& request,
                                                    const TokenCounter& count,
                                                    std::stop_token stop) {
    for (auto& s : stable_) {
      if (s->budget != budget) continue;
      if (!worn_out(*s)) return s;
      AMBIT_TRY(again, make_stable(budget, request, count, stop));
      s = again;
      return again;
    }
    AMBIT_TRY(made, make_stable(budget, request, count, stop));
    if (stable_.size() >= 4) stable_.erase(stable_.begin());
    stable_.push_back(made);
    return made;
  }

  // More than kDeltaShare of the frozen tokens belong to files that have changed in the base.
  [[nodiscard]] bool worn_out(const Stable& s) const {
    std::size_t changed = 0;
    std::size_t all = 1;
    for (const auto& [path, frozen] : s.files) {
      all += frozen.text.size();
      const FileNumber f = graph_.find(path);
      if (f == kNoFile || graph_.facts(f).blob != frozen.blob) changed += frozen.text.size();
    }
    return static_cast<double>(changed) > kDeltaShare * 2.5 * static_cast<double>(all);
  }

  Result<std::shared_ptr<const Stable>> make_stable(std::int64_t budget, const PackRequest& request,
                                                    const TokenCounter& count,
                                                    std::stop_token stop) {
    auto out = std::make_shared<Stable>();
    out->budget = budget;
    if (budget <= 0) return std::shared_ptr<const Stable>(out);
    const auto limit = static_cast<std::int64_t>(static_cast<double>(budget) * (1.0 - kDeltaShare));
    const auto add = [&](PackSpan span) {
      if (out->tokens + span.tokens > limit) return false;
      out->tokens += span.tokens;
      out->spans.push_back(std::move(span));
      return true;
    };
    add(make_span("", Region::kPreamble, Detail::kFull, render_preamble(options_.repository), count,
                  "names the repository"));
    const auto files = base_->files();
    const auto map_budget = static_cast<double>(budget) * kMapShare;
    add(make_span("", Region::kMap, Detail::kOutline,
                  render_map(files, static_cast<std::size_t>(map_budget * 3.0)), count,
                  "directory tree"));

    std::vector<std::string> around = request.open_files;
    around.insert(around.begin(), request.path);
    const auto rank = rank_files(graph_, around);
    std::vector<FileNumber> order(graph_.file_count());
    for (FileNumber f = 0; f < order.size(); ++f) order[f] = f;
    std::sort(order.begin(), order.end(), [&](FileNumber a, FileNumber b) {
      return rank[a] != rank[b] ? rank[a] > rank[b] : a < b;
    });

    // Definitions that matter around the session's files, one line each, until their share is
    // full; then full texts with what is left.
    std::vector<PackSpan> skeleton;
    std::vector<PackSpan> full;
    const auto skeleton_budget =
        static_cast<std::int64_t>(static_cast<double>(limit) * kSkeletonShare);
    std::map<std::string, std::set<std::string>> names;
    AMBIT_TRY(used, skeleton_part(skeleton_budget, request, count, stop, skeleton, names));
    std::int64_t left = limit - out->tokens - used;
    std::set<std::string> in_full;
    for (const FileNumber f : order) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");
      if (left < limit / 50) break;
      const auto info = base_->file(graph_.path(f));
      if (!info || info->bytes > kMaxFullTextBytes ||
          static_cast<std::int64_t>(info->bytes) > left * 6) {
        continue;
      }
      auto text = base_->text(graph_.path(f));
      if (!text) continue;
      auto span = make_span(graph_.path(f), Region::kFullText, Detail::kFull,
                            render_file(graph_.path(f), *text), count,
                            "full text of a file near in the symbol graph", rank[f]);
      if (span.tokens > left) continue;
      left -= span.tokens;
      span.blob = graph_.facts(f).blob;
      span.end_line = line_count(*text) == 0 ? 0 : line_count(*text) - 1;
      in_full.insert(span.path);
      out->files[span.path] = {span.blob, true, std::move(*text), {}, {}};
      full.push_back(std::move(span));
    }
    // Canonical order, so that a change of rank moves nothing; a file given in full has no outline.
    const auto by_path = [](const PackSpan& a, const PackSpan& b) { return a.path < b.path; };
    std::sort(skeleton.begin(), skeleton.end(), by_path);
    std::sort(full.begin(), full.end(), by_path);
    for (PackSpan& s : skeleton) {
      if (in_full.contains(s.path)) continue;
      std::set<std::string> rest;
      for (const Symbol& symbol : base_->symbols_in(s.path)) {
        if (!names[s.path].contains(symbol.name)) rest.insert(symbol.name);
      }
      out->files[s.path] = {s.blob, false, s.text, names[s.path], std::move(rest)};
      add(std::move(s));
    }
    for (PackSpan& s : full) add(std::move(s));
    return std::shared_ptr<const Stable>(out);
  }

  // One line for each definition of these names.
  static std::string named_outline(const std::string& path, const std::vector<Symbol>& symbols,
                                   const std::set<std::string>& names) {
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t i = 0; i < symbols.size(); ++i) {
      if (names.contains(symbols[i].name)) chosen.push_back(i);
    }
    if (chosen.empty()) return "### " + path + "\n\n";
    OutlineOptions options;
    options.docs = false;
    return render_outline(path, symbols, chosen, {}, options);
  }

  // Fills S2 for the request's files as they are in the base, best definitions first; the tokens
  // used.
  Result<std::int64_t> skeleton_part(std::int64_t budget, const PackRequest& request,
                                     const TokenCounter& count, std::stop_token stop,
                                     std::vector<PackSpan>& out,
                                     std::map<std::string, std::set<std::string>>& names) {
    auto text = base_->text(request.path);
    const std::string own = text ? std::move(*text) : std::string();
    CursorView view{request.path,
                    own,
                    0,
                    base_->references_in(request.path),
                    base_->symbols_in(request.path),
                    request.open_files,
                    true};
    const auto limit = std::clamp<std::size_t>(
        static_cast<std::size_t>(budget / kLeastTokensOfLine), kLeastCandidates, kMostCandidates);
    std::map<std::string, std::vector<Symbol>> symbols;
    std::map<std::string, std::set<std::uint32_t>> lines;  // shown, by index into symbols
    std::int64_t left = budget;
    for (const auto& d : rank_definitions(graph_, view, limit)) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");
      const std::string& path = graph_.path(d.file);
      const auto [it, fresh] = symbols.try_emplace(path);
      if (fresh) it->second = base_->symbols_in(path);
      const auto& all = it->second;
      const std::uint32_t i = graph_.facts(d.file).definitions[d.definition].symbol;
      if (i >= all.size() || names[path].contains(all[i].name)) continue;
      std::int64_t cost = names[path].empty() ? count("### " + path + "\n\n") : 0;
      std::set<std::uint32_t> more;
      for (std::uint32_t s = 0; s < all.size(); ++s) {
        if (all[s].name != all[i].name) continue;
        more.insert(s);
        for (const std::uint32_t p : enclosing(all, s)) more.insert(p);
      }
      for (const std::uint32_t s : more) {
        if (!lines[path].contains(s)) cost += count("    " + all[s].signature + "\n");
      }
      if (cost > left) continue;
      left -= cost;
      lines[path].merge(more);
      names[path].insert(all[i].name);
    }
    std::int64_t used = 0;
    for (auto it = names.begin(); it != names.end();) {
      if (it->second.empty()) {
        it = names.erase(it);
        continue;
      }
      auto span = make_span(it->first, Region::kSkeleton, Detail::kOutline,
                            named_outline(it->first, symbols[it->first], it->second), count,
                            "definitions near in the symbol graph");
      if (used + span.tokens > budget) {  // dearer together than line by line: rare
        it = names.erase(it);
        continue;
      }
      used += span.tokens;
      span.blob = graph_.facts(graph_.find(it->first)).blob;
      out.push_back(std::move(span));
      ++it;
    }
    return used;
  }

  // Appends what has changed in frozen files since the log's last entry about them.
  void update_delta(Stream& stream, const Snapshot& snapshot, const PackRequest& request,
                    const TokenCounter& count, std::int64_t budget) {
    std::int64_t used = 0;
    for (const PackSpan& s : stream.delta) used += s.tokens;
    for (const auto& [path, frozen] : stream.stable->files) {
      if (path == request.path) continue;  // its text stands at the cursor
      const auto info = snapshot.file(path);
      const BlobId now = info ? info->blob : BlobId{};
      const auto logged = stream.delta_blobs.find(path);
      if (now == (logged == stream.delta_blobs.end() ? frozen.blob : logged->second)) continue;
      std::vector<PackSpan> entry;
      if (!info) {
        entry.push_back(make_span(path, Region::kDelta, Detail::kExcerpt,
                                  "### " + path + " (deleted)\n\n", count, "deleted since"));
      } else if (!frozen.full) {
        // What it showed, as it is now, and what is new in the file.
        const auto symbols = snapshot.symbols_in(path);
        std::set<std::string> names = frozen.names;
        for (const Symbol& s : symbols) {
          if (in_outline(s) && !frozen.left.contains(s.name)) names.insert(s.name);
        }
        std::string outline = named_outline(path, symbols, names);
        if (outline != frozen.text || logged != stream.delta_blobs.end()) {
          entry.push_back(make_span(path, Region::kDelta, Detail::kOutline, std::move(outline),
                                    count, "a signature changed since"));
        }
      } else if (const auto text = snapshot.text(path)) {
        for (const LineRange& r : changed_lines(frozen.text, *text)) {
          const std::uint32_t first = r.first < 2 ? 0 : r.first - 2;
          const std::uint32_t last = r.last + 2;
          auto span = make_span(path, Region::kDelta, Detail::kExcerpt,
                                render_lines(path, first, last, lines_of(*text, first, last)),
                                count, "changed since");
          span.start_line = first;
          span.end_line = last;
          entry.push_back(std::move(span));
        }
      }
      std::int64_t cost = 0;
      for (PackSpan& s : entry) {
        s.blob = now;
        cost += s.tokens;
      }
      if (used + cost > budget) continue;  // the stable part will be made again when this adds up
      used += cost;
      stream.delta_blobs[path] = now;
      for (PackSpan& s : entry) stream.delta.push_back(std::move(s));
    }
  }

  // Definitions of one file in the task part.
  struct Chosen {
    FileNumber file = kNoFile;
    std::vector<Symbol> all;  // of the file
    std::string text;
    std::vector<std::uint32_t> symbols;  // indices into all, in the order of the ranking
    std::set<std::uint32_t> rich;        // of those: with doc comment and short bodies
    std::set<std::uint32_t> lines;       // symbols and what encloses them
    double best = 0;
    std::string reason;
  };

  PackSpan render_chosen(const Snapshot& snapshot, const Chosen& c, const TokenCounter& count) {
    const std::string& path = graph_.path(c.file);
    OutlineOptions options;
    options.bodies = true;
    options.rich = &c.rich;
    auto span =
        make_span(path, Region::kTask, Detail::kExcerpt,
                  render_outline(path, c.all, c.symbols, c.text, options), count, c.reason, c.best);
    if (const auto info = snapshot.file(path)) span.blob = info->blob;
    span.start_line = c.all[c.symbols.front()].line;
    for (const std::uint32_t s : c.symbols) {
      span.start_line = std::min(span.start_line, c.all[s].line);
      span.end_line = std::max(span.end_line, c.all[s].end_line);
    }
    return span;
  }

  Result<void> update_task(Stream& stream, const Snapshot& snapshot, const PackRequest& request,
                           const TokenCounter& count, std::int64_t budget, std::stop_token stop) {
    AMBIT_TRY(text, snapshot.text(request.path));
    CursorView view{
        request.path,
        text,
        std::min<std::uint32_t>(request.cursor, static_cast<std::uint32_t>(text.size())),
        snapshot.references_in(request.path),
        snapshot.symbols_in(request.path),
        request.open_files};
    const auto limit = std::clamp<std::size_t>(
        static_cast<std::size_t>(budget / kLeastTokensOfLine), kLeastCandidates, kMostCandidates);
    const auto ranked = rank_definitions(graph_, view, limit);
    if (stop.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");

    // Keep the last task part when it still holds most of what matters most here.
    bool stale = stream.path != request.path;
    for (const auto& [path, blob] : stream.task_blobs) {
      const auto info = snapshot.file(path);
      stale |= !info || info->blob != blob;
    }
    std::int64_t used = 0;
    for (const PackSpan& s : stream.task) used += s.tokens;
    std::vector<std::size_t> missing;
    const std::size_t head = std::min<std::size_t>(ranked.size(), 16);
    for (std::size_t i = 0; i < head; ++i) {
      if (!stream.shown.contains(key(ranked[i])) &&
          (i < kRepeated ||
           !stream.stable->shows(graph_.path(ranked[i].file), name_of(ranked[i])))) {
        missing.push_back(i);
      }
    }
    if (stale || used > budget || missing.size() > head / 2 || stream.task.empty()) {
      stream.task.clear();
      stream.task_blobs.clear();
      stream.shown.clear();
      stream.path = request.path;
      // A fifth is kept free for what later cursors need, so that the prefix can stay.
      const std::int64_t first = request.stream == 0 ? budget : budget * 4 / 5;
      choose(stream, snapshot, ranked, 0, ranked.size(), first, count);
    } else if (!missing.empty()) {
      choose(stream, snapshot, ranked, missing.front(), head, budget - used, count);
    }
    return {};
  }

  [[nodiscard]] const std::string& name_of(const ScoredDefinition& d) const {
    return graph_.name(graph_.facts(d.file).definitions[d.definition].name);
  }
  [[nodiscard]] std::pair<std::string, std::uint32_t> key(const ScoredDefinition& d) const {
    return {graph_.path(d.file), graph_.facts(d.file).definitions[d.definition].line};
  }

  // Appends definitions [begin, end) of the ranking that are not shown yet, best first under the
  // budget, grouped by file, the best file last (nearest to the cursor). The first ones come with
  // their doc comments and short bodies, the rest as one line each, so that many fit.
  void choose(Stream& stream, const Snapshot& snapshot, const std::vector<ScoredDefinition>& ranked,
              std::size_t begin, std::size_t end, std::int64_t budget, const TokenCounter& count) {
    std::map<FileNumber, std::size_t> group_of;
    std::vector<Chosen> groups;
    std::vector<std::size_t> order;  // group of each definition taken
    std::int64_t left = budget;
    int misses = 0;
    for (std::size_t i = begin; i < end && misses < kMisses; ++i) {
      const ScoredDefinition& d = ranked[i];
      if (stream.shown.contains(key(d))) continue;
      if (i >= kRepeated && stream.stable->shows(graph_.path(d.file), name_of(d))) continue;
      const std::uint32_t symbol = graph_.facts(d.file).definitions[d.definition].symbol;
      const std::string& path = graph_.path(d.file);
      const auto [it, fresh] = group_of.try_emplace(d.file, groups.size());
      if (fresh) {
        Chosen& g = groups.emplace_back();
        g.file = d.file;
        g.all = snapshot.symbols_in(path);
        if (auto text = snapshot.text(path)) g.text = std::move(*text);
        g.best = d.score;
        g.reason = d.reason;
      }
      Chosen& g = groups[it->second];
      if (symbol >= g.all.size()) continue;
      const bool rich = i < kRich && left > budget * (100 - kRichShare) / 100;
      std::int64_t cost = g.symbols.empty() ? count("### " + path + "\n\n") : 0;
      std::vector<std::uint32_t> lines;
      for (const std::uint32_t p : enclosing(g.all, symbol)) {
        if (!g.lines.contains(p)) lines.push_back(p);
      }
      for (const std::uint32_t p : lines) cost += count("  " + g.all[p].signature + "\n");
      if (rich) {
        Chosen alone = {d.file, g.all, g.text, {symbol}, {symbol}, {}, 0, {}};
        cost += render_chosen(snapshot, alone, count).tokens;
      } else if (!g.lines.contains(symbol)) {
        cost += count("    " + g.all[symbol].signature + "\n");
      }
      if (cost > left) {
        ++misses;
        continue;
      }
      left -= cost;
      g.symbols.push_back(symbol);
      if (rich) g.rich.insert(symbol);
      g.lines.insert(symbol);
      g.lines.insert(lines.begin(), lines.end());
      order.push_back(it->second);
    }
    // The sum above is of lines counted alone. Should their files cost more, the last ones go.
    std::vector<PackSpan> spans(groups.size());
    std::int64_t used = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].symbols.empty()) continue;
      spans[i] = render_chosen(snapshot, groups[i], count);
      used += spans[i].tokens;
    }
    while (used > budget && !order.empty()) {
      Chosen& g = groups[order.back()];
      PackSpan& span = spans[order.back()];
      order.pop_back();
      g.rich.erase(g.symbols.back());
      g.symbols.pop_back();
      used -= span.tokens;
      span = g.symbols.empty() ? PackSpan{} : render_chosen(snapshot, g, count);
      used += span.tokens;
    }
    std::vector<std::size_t> by_score(groups.size());
    for (std::size_t i = 0; i < groups.size(); ++i) by_score[i] = i;
    std::stable_sort(by_score.begin(), by_score.end(),
                     [&](std::size_t a, std::size_t b) { return groups[a].best < groups[b].best; });
    for (const std::size_t i : by_score) {
      const Chosen& g = groups[i];
      if (g.symbols.empty()) continue;
      stream.task_blobs[spans[i].path] = spans[i].blob;
      for (const std::uint32_t s : g.symbols) stream.shown.emplace(spans[i].path, g.all[s].line);
      stream.task.push_back(std::move(spans[i]));
    }
  }

  const PackerOptions options_;
  std::mutex mutex_;  // guards everything below
  SymbolGraph graph_;
  std::shared_ptr<const Snapshot> base_;
  std::vector<std::shared_ptr<const Stable>> stable_;
  std::list<Stream> streams_;
};

}  // namespace
}  // namespace context

std::unique_ptr<Packer> make_packer(PackerOptions options) {
  return std::make_unique<context::PackerImpl>(std::move(options));
}

}  // namespace ambit::indexer
