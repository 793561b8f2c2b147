// Order. When a file changes for good, everything from it on is computed anew, so the expected cost
// of file f is its rate of change times the tokens from f to the end: the sum is least when files
// come by rate over size, ascending (Smith's rule for weighted completion times). Rates are cut to
// classes, so that the order does not move with every commit.
#include "indexer/context/stable.h"

#include <algorithm>
#include <cmath>

#include "indexer/context/render.h"
#include "indexer/context/signals.h"
#include "indexer/context/spans.h"

namespace ambit::indexer {

bool StablePart::shows(const std::string& path, const std::string& name) const {
  const auto it = files.find(path);
  return it != files.end() && (it->second.full || it->second.names.contains(name));
}

namespace context {
namespace {

// Definitions that are ranked: as many as could fit, a line of one costs some 10 tokens.
constexpr std::size_t kLeastCandidates = 600;
constexpr std::size_t kMostCandidates = 60000;
constexpr std::int64_t kLeastTokensOfLine = 8;
constexpr double kMapShare = 0.05;  // of the stable budget
constexpr std::uint64_t kMaxFullTextBytes = 256 << 10;

// Of the stable budget, at most: lines first, since a definition that is missing hurts more than
// one that is shown without its body.
double skeleton_share(std::int64_t budget) {
  return budget <= 8000 ? 1.0 : budget <= 48000 ? 0.92 : 0.65;
}

// The rules by which files are kept out name these files, and need not be read by a model either.
bool holds_ignore_rules(std::string_view path) {
  const auto slash = path.rfind('/');
  const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return name == ".gitignore" || name == ".ambitignore";
}

class Maker {
 public:
  Maker(const Ranker& ranker, const Snapshot& base, const std::vector<std::string>& around,
        const TokenCounter& count, std::stop_token stop)
      : ranker_(ranker),
        graph_(ranker.graph()),
        base_(base),
        around_(around),
        count_(count),
        stop_(std::move(stop)) {}

  Result<std::shared_ptr<const StablePart>> make(const std::string& repository,
                                                 std::int64_t budget) {
    auto out = std::make_shared<StablePart>();
    out->budget = budget;
    if (budget <= 0) return std::shared_ptr<const StablePart>(out);
    const auto limit = static_cast<std::int64_t>(static_cast<double>(budget) * (1.0 - kDeltaShare));
    const auto add = [&](PackSpan span) {
      if (out->tokens + span.tokens > limit) return;
      out->tokens += span.tokens;
      out->spans.push_back(std::move(span));
    };
    add(make_span("", Region::kPreamble, Detail::kFull, render_preamble(repository), count_,
                  "names the repository"));
    const auto map_bytes = static_cast<std::size_t>(static_cast<double>(budget) * kMapShare * 3.0);
    add(make_span("", Region::kMap, Detail::kOutline, render_map(base_.files(), map_bytes), count_,
                  "directory tree"));

    // Definitions that matter around the session's files, one line each, until their share is
    // full; then full texts with what is left.
    AMBIT_TRY(used, skeleton(static_cast<std::int64_t>(static_cast<double>(limit) *
                                                       skeleton_share(budget))));
    AMBIT_CHECK_OK(full_texts(limit - out->tokens - used, limit / 50, *out));
    // A file given in full has no outline.
    std::erase_if(skeleton_, [&](const PackSpan& s) { return out->files.contains(s.path); });
    for (PackSpan& s : ordered(std::move(skeleton_))) {
      std::set<std::string> rest;
      for (const Symbol& symbol : base_.symbols_in(s.path)) {
        if (!names_[s.path].contains(symbol.name)) rest.insert(symbol.name);
      }
      out->files[s.path] = {s.blob, false, s.text, names_[s.path], std::move(rest)};
      add(std::move(s));
    }
    for (PackSpan& s : ordered(std::move(full_))) add(std::move(s));
    return std::shared_ptr<const StablePart>(out);
  }

 private:
  // Fills S2 best definitions first; the tokens used.
  Result<std::int64_t> skeleton(std::int64_t budget) {
    const std::string path = around_.empty() ? std::string() : around_.front();
    auto text = base_.text(path);
    const std::string own = text ? std::move(*text) : std::string();
    CursorView view{path, own, 0, base_.references_in(path), base_.symbols_in(path), {}, true};
    for (std::size_t i = 1; i < around_.size(); ++i) view.open_files.push_back(around_[i]);
    const auto history = base_.history();
    view.history = history.get();
    const auto most = std::clamp<std::size_t>(static_cast<std::size_t>(budget / kLeastTokensOfLine),
                                              kLeastCandidates, kMostCandidates);
    std::map<std::string, std::vector<Symbol>> symbols;
    std::map<std::string, std::set<std::uint32_t>> lines;  // shown, by index into symbols
    std::int64_t left = budget;
    for (const auto& d : ranker_.rank(view, most)) {
      if (stop_.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");
      if (left < kLeastTokensOfLine) break;
      const std::string& file = graph_.path(d.file);
      const auto [it, fresh] = symbols.try_emplace(file);
      if (fresh) it->second = base_.symbols_in(file);
      const auto& all = it->second;
      const std::uint32_t i = graph_.facts(d.file).definitions[d.definition].symbol;
      if (i >= all.size() || names_[file].contains(all[i].name)) continue;
      std::int64_t cost = names_[file].empty() ? count_("### " + file + "\n\n") : 0;
      std::set<std::uint32_t> more;
      for (std::uint32_t s = 0; s < all.size(); ++s) {
        if (all[s].name != all[i].name) continue;
        more.insert(s);
        for (const std::uint32_t p : enclosing(all, s)) more.insert(p);
      }
      for (const std::uint32_t s : more) {
        if (!lines[file].contains(s)) cost += count_("    " + all[s].signature + "\n");
      }
      if (cost > left) continue;
      left -= cost;
      lines[file].merge(more);
      names_[file].insert(all[i].name);
    }
    std::int64_t used = 0;
    for (auto it = names_.begin(); it != names_.end();) {
      auto span = make_span(it->first, Region::kSkeleton, Detail::kOutline,
                            named_outline(it->first, symbols[it->first], it->second), count_,
                            "definitions near in the symbol graph");
      // Dearer together than line by line is rare.
      if (it->second.empty() || used + span.tokens > budget) {
        it = names_.erase(it);
        continue;
      }
      used += span.tokens;
      span.blob = graph_.facts(graph_.find(it->first)).blob;
      skeleton_.push_back(std::move(span));
      ++it;
    }
    return used;
  }

  // Fills S3, nearest files first.
  Result<void> full_texts(std::int64_t left, std::int64_t least, StablePart& out) {
    const auto rank = rank_files(graph_, around_);
    std::vector<FileNumber> order(graph_.file_count());
    for (FileNumber f = 0; f < order.size(); ++f) order[f] = f;
    std::sort(order.begin(), order.end(), [&](FileNumber a, FileNumber b) {
      return rank[a] != rank[b] ? rank[a] > rank[b] : a < b;
    });
    for (const FileNumber f : order) {
      if (stop_.stop_requested()) return make_error(Code::kCancelled, "packing was cancelled");
      if (left < least) break;
      if (holds_ignore_rules(graph_.path(f))) continue;
      const auto info = base_.file(graph_.path(f));
      if (!info || info->bytes > kMaxFullTextBytes ||
          static_cast<std::int64_t>(info->bytes) > left * 6) {
        continue;
      }
      auto text = prompt_text(base_, graph_.path(f));
      if (!text) continue;
      auto span = make_span(graph_.path(f), Region::kFullText, Detail::kFull,
                            render_file(graph_.path(f), *text), count_,
                            "full text of a file near in the symbol graph", rank[f]);
      if (span.tokens > left) continue;
      left -= span.tokens;
      span.blob = graph_.facts(f).blob;
      const auto lines = static_cast<std::uint32_t>(std::count(text->begin(), text->end(), '\n'));
      span.end_line = lines + (text->empty() || text->back() == '\n' ? 0U : 1U);
      span.end_line -= span.end_line == 0 ? 0 : 1;
      out.files[span.path] = {span.blob, true, std::move(*text), {}, {}};
      full_.push_back(std::move(span));
    }
    return {};
  }

  std::vector<PackSpan> ordered(std::vector<PackSpan> spans) const {
    const auto history = base_.history();
    std::map<std::string, int, std::less<>> rate;  // class of changes per token
    for (const PackSpan& s : spans) {
      const double changes =
          history->of(s.path).churn / static_cast<double>(std::max<std::int64_t>(s.tokens, 1));
      rate[s.path] =
          changes <= 0 ? 0 : std::clamp(static_cast<int>(std::log2(changes)) + 20, 1, 20);
    }
    std::sort(spans.begin(), spans.end(), [&](const PackSpan& a, const PackSpan& b) {
      const int ra = rate[a.path], rb = rate[b.path];
      return ra != rb ? ra < rb : a.path < b.path;
    });
    return spans;
  }

  const Ranker& ranker_;
  const SymbolGraph& graph_;
  const Snapshot& base_;
  const std::vector<std::string>& around_;
  const TokenCounter& count_;
  const std::stop_token stop_;
  std::vector<PackSpan> skeleton_, full_;
  std::map<std::string, std::set<std::string>> names_;  // of S2, by path
};

}  // namespace

std::string named_outline(const std::string& path, const std::vector<Symbol>& symbols,
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

Result<std::shared_ptr<const StablePart>> make_stable_part(
    const Ranker& ranker, const Snapshot& base, const std::string& repository, std::int64_t budget,
    const std::vector<std::string>& around, const TokenCounter& count, std::stop_token stop) {
  return Maker(ranker, base, around, count, std::move(stop)).make(repository, budget);
}

}  // namespace context
}  // namespace ambit::indexer
