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
constexpr std::size_t kCandidates = 600;
constexpr double kMapShare = 0.08;       // of the stable budget
constexpr double kSkeletonShare = 0.45;  // of the stable budget, at most
constexpr double kDeltaShare = 0.10;  // of the whole budget: past it the stable part is made again
constexpr std::uint64_t kMaxFullTextBytes = 256 << 10;

struct Stable {
  std::int64_t budget = 0;
  std::vector<PackSpan> spans;
  std::int64_t tokens = 0;
  struct Frozen {
    BlobId blob;
    bool full = false;
    std::string text;  // the span's text (S2) or the file's text (S3)
  };
  std::map<std::string, Frozen> files;
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

    const std::int64_t task_budget =
        request.budget_tokens < options_.min_stable_budget
            ? request.budget_tokens
            : std::min<std::int64_t>(
                  options_.max_task_tokens,
                  static_cast<std::int64_t>(static_cast<double>(request.budget_tokens) *
                                            (1.0 - options_.stable_share)));
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

    // Outlines in rank order until their share is full, then full texts with what is left.
    std::vector<PackSpan> skeleton;
    std::vector<PackSpan> full;
    std::int64_t used = 0;
    const auto skeleton_budget =
        static_cast<std::int64_t>(static_cast<double>(limit) * kSkeletonShare);
    for (const FileNumber f : order) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");
      if (used > skeleton_budget * 19 / 20) break;
      const auto symbols = base_->symbols_in(graph_.path(f));
      if (symbols.empty()) continue;
      auto span = make_span(graph_.path(f), Region::kSkeleton, Detail::kOutline,
                            render_outline(graph_.path(f), symbols, {}, {}, {}), count,
                            "outline of a file near in the symbol graph", rank[f]);
      if (used + span.tokens > skeleton_budget) continue;
      used += span.tokens;
      span.blob = graph_.facts(f).blob;
      skeleton.push_back(std::move(span));
    }
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
      out->files[span.path] = {span.blob, true, std::move(*text)};
      full.push_back(std::move(span));
    }
    // Canonical order, so that a change of rank moves nothing; a file given in full has no outline.
    const auto by_path = [](const PackSpan& a, const PackSpan& b) { return a.path < b.path; };
    std::sort(skeleton.begin(), skeleton.end(), by_path);
    std::sort(full.begin(), full.end(), by_path);
    for (PackSpan& s : skeleton) {
      if (in_full.contains(s.path)) continue;
      out->files[s.path] = {s.blob, false, s.text};
      add(std::move(s));
    }
    for (PackSpan& s : full) add(std::move(s));
    return std::shared_ptr<const Stable>(out);
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
        std::string outline = render_outline(path, snapshot.symbols_in(path), {}, {}, {});
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

  struct Chosen {
    FileNumber file;
    std::vector<std::uint32_t> symbols;
    double best = 0;
    std::string reason;
    std::vector<std::pair<std::string, std::uint32_t>> keys;
  };

  PackSpan render_chosen(const Snapshot& snapshot, const Chosen& c, const TokenCounter& count) {
    const std::string& path = graph_.path(c.file);
    const auto symbols = snapshot.symbols_in(path);
    const auto text = snapshot.text(path);
    OutlineOptions options;
    options.bodies = true;
    auto span = make_span(
        path, Region::kTask, Detail::kExcerpt,
        render_outline(path, symbols, c.symbols, text ? std::string_view(*text) : "", options),
        count, c.reason, c.best);
    if (const auto info = snapshot.file(path)) span.blob = info->blob;
    if (!symbols.empty()) {
      span.start_line = symbols.front().line;
      for (const std::uint32_t s : c.symbols) {
        if (s >= symbols.size()) continue;
        span.start_line = std::min(span.start_line, symbols[s].line);
        span.end_line = std::max(span.end_line, symbols[s].end_line);
      }
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
    const auto ranked = rank_definitions(graph_, view, kCandidates);
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
      if (!stream.shown.contains(key(ranked[i]))) missing.push_back(i);
    }
    if (stale || used > budget || missing.size() > head / 2 || stream.task.empty()) {
      stream.task.clear();
      stream.task_blobs.clear();
      stream.shown.clear();
      stream.path = request.path;
      // A third is kept free for what later cursors need, so that the prefix can stay.
      const std::int64_t first = request.stream == 0 ? budget : budget * 2 / 3;
      choose(stream, snapshot, ranked, 0, ranked.size(), first, count);
    } else if (!missing.empty()) {
      choose(stream, snapshot, ranked, missing.front(), head, budget - used, count);
    }
    return {};
  }

  [[nodiscard]] std::pair<std::string, std::uint32_t> key(const ScoredDefinition& d) const {
    return {graph_.path(d.file), graph_.facts(d.file).definitions[d.definition].line};
  }

  // Appends definitions [begin, end) of the ranking that are not shown yet, best first under the
  // budget, grouped by file, the best file last (nearest to the cursor).
  void choose(Stream& stream, const Snapshot& snapshot, const std::vector<ScoredDefinition>& ranked,
              std::size_t begin, std::size_t end, std::int64_t budget, const TokenCounter& count) {
    std::map<FileNumber, std::size_t> group_of;
    std::vector<Chosen> groups;
    std::int64_t left = budget;
    int misses = 0;
    for (std::size_t i = begin; i < end && misses < 24; ++i) {
      const ScoredDefinition& d = ranked[i];
      if (stream.shown.contains(key(d))) continue;
      const Definition& definition = graph_.facts(d.file).definitions[d.definition];
      const auto [it, fresh] = group_of.try_emplace(d.file, groups.size());
      Chosen trial = fresh ? Chosen{d.file, {}, d.score, d.reason, {}} : groups[it->second];
      const std::int64_t before = fresh ? 0 : cost_[d.file];
      trial.symbols.push_back(definition.symbol);
      trial.keys.push_back(key(d));
      const std::int64_t cost = render_chosen(snapshot, trial, count).tokens;
      if (cost - before > left) {
        if (fresh) group_of.erase(it);
        ++misses;
        continue;
      }
      left -= cost - before;
      cost_[d.file] = cost;
      if (fresh) {
        groups.push_back(std::move(trial));
      } else {
        groups[it->second] = std::move(trial);
      }
    }
    cost_.clear();
    std::stable_sort(groups.begin(), groups.end(),
                     [](const Chosen& a, const Chosen& b) { return a.best < b.best; });
    for (const Chosen& c : groups) {
      auto span = render_chosen(snapshot, c, count);
      stream.task_blobs[span.path] = span.blob;
      stream.shown.insert(c.keys.begin(), c.keys.end());
      stream.task.push_back(std::move(span));
    }
  }

  const PackerOptions options_;
  std::mutex mutex_;  // guards everything below
  SymbolGraph graph_;
  std::shared_ptr<const Snapshot> base_;
  std::vector<std::shared_ptr<const Stable>> stable_;
  std::list<Stream> streams_;
  std::unordered_map<FileNumber, std::int64_t> cost_;  // scratch of choose()
};

}  // namespace
}  // namespace context

std::unique_ptr<Packer> make_packer(PackerOptions options) {
  return std::make_unique<context::PackerImpl>(std::move(options));
}

}  // namespace ambit::indexer
