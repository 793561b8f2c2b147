// pack_probe ROOT CACHE TOKENIZER_JSON [ROWS]: packs for the cases on standard input, one JSON
// object a line, and says on standard output what each pack holds of what the edit needs. The
// driver (packbench.py) moves the work tree at ROOT to the parent of each commit before it sends a
// case.
//
//   in:  {"path", "new_text", "lines": [inserted, 0-based, in new_text], "at": line in the parent,
//         "open": [paths], "budgets": [tokens], "methods": [names], "moved": the tree has changed}
//   out: {"needed": n, "novel": n, "results": {method: {budget: {"needed", "novel", "missed",
//   "tokens",
//         "ms", "key_ms", "warm_ms", "recompute", "regions"}}}}
//   of the method "typing": {"keys", "first": tokens of T, "later": tokens that changed, "changes"}
// ROWS: a file for train_ranker.py.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "indexer/context/at_rest.h"
#include "indexer/context/features.h"
#include "indexer/context/pack.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/bench/context/baselines.h"

namespace ambit::bench {
namespace {

using Json = nlohmann::json;

struct Needed {
  std::string name;
  std::vector<indexer::Symbol> definitions;
  bool novel = false;
};

bool distinctive(std::string_view name) {
  bool upper = false;
  bool lower = false;
  for (const char c : name) {
    upper |= c >= 'A' && c <= 'Z';
    lower |= c >= 'a' && c <= 'z';
  }
  return name.find('_') != std::string_view::npos || (upper && lower) || name.size() >= 8;
}

// The identifiers of the inserted lines that are defined in the tree, in at most three files, none
// of them on screen.
std::vector<Needed> needed_symbols(const indexer::Snapshot& tree, const Json& c, const View& view) {
  const std::string path = view.path;
  std::set<std::uint32_t> lines;
  for (const auto& l : c["lines"]) lines.insert(l.get<std::uint32_t>());
  const auto after = tree.with_buffers(
      {{path, std::make_shared<const std::string>(c["new_text"].get<std::string>())}});
  std::set<std::string, std::less<>> seen;
  std::set<std::string, std::less<>> on_screen;
  const auto look = [&](std::string_view text) {
    for (const auto id : identifiers(text)) on_screen.insert(std::string(id));
  };
  look(view.text);
  for (const auto& open : view.open_files) {
    if (const auto text = tree.text(open)) look(*text);
  }
  std::vector<Needed> out;
  for (const auto& r : after->references_in(path)) {
    if (!lines.contains(r.line) || r.name.size() < 3 || seen.contains(r.name)) continue;
    if (!distinctive(r.name) && r.kind != indexer::ReferenceKind::kCall) continue;
    seen.insert(r.name);
    Needed n;
    n.name = r.name;
    n.definitions = tree.definitions(r.name, 64);
    std::set<std::string> files;
    bool visible = false;
    for (const auto& d : n.definitions) {
      files.insert(d.path);
      visible |= d.path == path || std::find(view.open_files.begin(), view.open_files.end(),
                                             d.path) != view.open_files.end();
    }
    if (files.empty() || files.size() > 3 || visible) continue;
    n.novel = !on_screen.contains(r.name);
    out.push_back(std::move(n));
  }
  return out;
}

bool shows(std::string_view text, std::string_view name) {
  for (const auto id : identifiers(text)) {
    if (id == name) return true;
  }
  return false;
}

struct Shown {
  std::string path;
  std::uint32_t first = 0, last = 0;
  std::string text;
};

Json score(const std::vector<Needed>& needed, const std::vector<Shown>& shown) {
  int hit = 0;
  int novel = 0;
  Json missed = Json::array();
  for (const Needed& n : needed) {
    bool found = false;
    for (const auto& d : n.definitions) {
      for (const Shown& s : shown) {
        found |= s.path == d.path && s.first <= d.line && d.line <= s.last && shows(s.text, n.name);
      }
    }
    if (!found) {
      const auto& d = n.definitions.front();
      missed.push_back(n.name + " " + d.path + ":" + std::to_string(d.line + 1));
    }
    hit += found ? 1 : 0;
    novel += found && n.novel ? 1 : 0;
  }
  return {{"needed", hit}, {"novel", novel}, {"missed", missed}};
}

// What the ranking sees at a case's cursor, for train_ranker.py: for each definition the case's
// number, 1 when it is needed (2: and novel), the row. All that some signal speaks for; of the rest
// a sixteenth.
void write_rows(std::FILE* to, std::uint32_t number, const indexer::Snapshot& tree,
                const indexer::context::SymbolGraph& graph, const View& view, std::uint32_t cursor,
                const std::vector<Needed>& needed) {
  namespace context = indexer::context;
  constexpr std::size_t kLoudest = 2500;
  context::CursorView at{
      view.path,      view.text, cursor, tree.references_in(view.path), tree.symbols_in(view.path),
      view.open_files};
  const auto history = tree.history();
  at.history = history.get();
  const context::Row weights{};
  context::AtRest rest;
  rest.update(graph, weights);
  context::Features features(graph, rest, at, weights);
  std::map<std::string_view, float> wanted;
  for (const Needed& n : needed) wanted.emplace(n.name, n.novel ? 2.0F : 1.0F);
  struct Line {
    float label, loud;
    context::Row row;
  };
  std::vector<Line> lines;
  std::vector<float> loud;
  for (context::FileNumber f = 0; f < graph.file_count(); ++f) {
    const auto& open = view.open_files;
    if (std::find(open.begin(), open.end(), graph.path(f)) != open.end()) continue;
    const auto& definitions = graph.facts(f).definitions;
    for (std::uint32_t i = 0; i < definitions.size(); ++i) {
      if (!features.candidate(f, definitions[i])) continue;
      const auto found = wanted.find(graph.name(definitions[i].name));
      Line line{found == wanted.end() ? 0.0F : found->second, 0.0F, features.row(f, i)};
      for (const auto signal :
           {context::kNear, context::kWords, context::kKin, context::kNeighbour,
            context::kTogetherUse, context::kFlow, context::kImported, context::kAffinity,
            context::kSibling, context::kFolder, context::kTogether}) {
        line.loud += line.row[signal];
      }
      loud.push_back(line.loud);
      lines.push_back(line);
    }
  }
  float least = 0;
  if (loud.size() > kLoudest) {
    std::nth_element(loud.begin(), loud.begin() + kLoudest, loud.end(), std::greater<>());
    least = loud[kLoudest];
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Line& l = lines[i];
    if (l.label == 0.0F && l.loud < least && i % 16 != 0) continue;
    std::fwrite(&number, sizeof number, 1, to);
    std::fwrite(&l.label, sizeof l.label, 1, to);
    std::fwrite(l.row.data(), sizeof(float), l.row.size(), to);
  }
}

// The inserted lines typed key by key: tokens of the pack that change, over all keys, and how often
// anything does.
Json type_keys(const indexer::Snapshot& tree, indexer::Packer& packer, indexer::PackRequest request,
               const Json& c, const std::string& text, const indexer::TokenCounter& count) {
  std::vector<std::string> lines;
  {
    std::istringstream in(c["new_text"].get<std::string>());
    for (std::string line; std::getline(in, line);) lines.push_back(line);
  }
  std::string typed;
  for (const auto& l : c["lines"]) {
    if (const auto n = l.get<std::size_t>(); n < lines.size()) typed += lines[n] + "\n";
  }
  typed.resize(std::min<std::size_t>(typed.size(), 200));
  std::int64_t first = 0, later = 0;
  int keys = 0, changes = 0;
  const auto at = request.cursor;
  for (std::size_t n = 0; n <= typed.size(); ++n) {
    auto now = std::make_shared<std::string>(text);
    now->insert(at, typed.substr(0, n));
    request.cursor = at + static_cast<std::uint32_t>(n);
    const auto pack = packer.pack(*tree.with_buffers({{request.path, now}}), request, count);
    if (!pack) break;
    if (n == 0) {
      for (const auto& s : pack->spans) {
        first += s.region == indexer::Region::kTask ? s.tokens : 0;
      }
    } else {
      ++keys;
      later += pack->predicted_recompute;
      changes += pack->predicted_recompute > 0 ? 1 : 0;
    }
  }
  return {{"keys", keys}, {"first", first}, {"later", later}, {"changes", changes}};
}

// Places of the ranking at which it is not that of looking at every definition.
int differ_from_all(const indexer::Snapshot& tree, const indexer::context::Ranker& ranker,
                    const View& view, std::uint32_t cursor) {
  indexer::context::CursorView at{
      view.path,      view.text, cursor, tree.references_in(view.path), tree.symbols_in(view.path),
      view.open_files};
  const auto history = tree.history();
  at.history = history.get();
  int differ = 0;
  for (const std::size_t limit : {600U, 10000U}) {
    const auto fast = ranker.rank(at, limit);
    const auto all = ranker.rank_all(at, limit);
    differ += static_cast<int>(all.size() - fast.size());
    for (std::size_t i = 0; i < std::min(fast.size(), all.size()); ++i) {
      differ += fast[i].file != all[i].file || fast[i].definition != all[i].definition ||
                        fast[i].score != all[i].score
                    ? 1
                    : 0;
    }
  }
  return differ;
}

int run(const char* root, const char* cache, const char* tokenizer_json, const char* rows_file) {
  const auto tokenizer = inference::Tokenizer::load(tokenizer_json);
  if (!tokenizer) return std::fprintf(stderr, "%s\n", tokenizer.error().message.c_str()), 2;
  const indexer::TokenCounter count = [&](std::string_view text) {
    return static_cast<std::int64_t>((*tokenizer)->count(text));
  };
  indexer::IndexOptions options;
  options.cache_directory = cache;
  auto opened = indexer::RepoIndex::open(root, options);
  if (!opened) return std::fprintf(stderr, "%s\n", opened.error().message.c_str()), 2;
  indexer::RepoIndex& index = **opened;
  Baselines baselines(count);
  // Ranked anew for every cursor; and as the editor has it: a frozen stable part, a task part.
  indexer::PackerOptions anew;
  anew.stable_share = 0;
  anew.max_task_tokens = std::int64_t{1} << 40;
  const auto reranked = indexer::make_packer(anew);
  auto frozen = indexer::make_packer();
  std::uint64_t stream = 0;
  indexer::context::SymbolGraph graph;
  std::unique_ptr<indexer::context::Ranker> ranker;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> rows(
      rows_file == nullptr ? nullptr : std::fopen(rows_file, "wb"), std::fclose);
  if (rows_file != nullptr && !rows) return std::fprintf(stderr, "cannot write %s\n", rows_file), 2;
  std::uint32_t number = 0;
  double prepare_ms = -1;  // of the latest tree

  for (std::string line; std::getline(std::cin, line);) {
    const Json c = Json::parse(line);
    if (c["moved"].get<bool>()) {
      if (const auto r = index.update(); !r) {
        return std::fprintf(stderr, "%s\n", r.error().message.c_str()), 2;
      }
      (void)index.update_history();
      const bool compared =
          std::any_of(c["methods"].begin(), c["methods"].end(), [](const Json& m) {
            return m != "reranked" && m != "frozen" && m != "typing" && m != "exact";
          });
      if (compared) baselines.read(index.snapshot());
      if (std::find(c["methods"].begin(), c["methods"].end(), "reranked") != c["methods"].end()) {
        reranked->prepare(index.snapshot());
      }
      const bool exact =
          std::find(c["methods"].begin(), c["methods"].end(), "exact") != c["methods"].end();
      if (rows || exact) graph.update(*index.snapshot(), {});
      if (exact) ranker = std::make_unique<indexer::context::Ranker>(graph);
      // As after opening the editor here: the first case's files decide the stable part.
      frozen = indexer::make_packer();
      const auto start = std::chrono::steady_clock::now();
      frozen->prepare(index.snapshot());
      prepare_ms =
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
              .count();
    }
    const auto tree = index.snapshot();
    View view;
    view.path = c["path"].get<std::string>();
    view.line = c["at"].get<std::uint32_t>();
    view.open_files = c["open"].get<std::vector<std::string>>();
    const auto text = tree->text(view.path);
    if (!text) {
      std::cout << Json({{"skipped", text.error().message}}).dump() << std::endl;
      continue;
    }
    view.text = *text;
    const auto needed = needed_symbols(*tree, c, view);
    Json out = {{"needed", needed.size()}, {"novel", 0}, {"results", Json::object()}};
    out["prepare_ms"] = prepare_ms;
    for (const auto& n : needed) out["novel"] = out["novel"].get<int>() + (n.novel ? 1 : 0);
    if (needed.empty() && !c.value("timed", false)) {
      std::cout << out.dump() << std::endl;
      continue;
    }
    std::uint32_t cursor = 0;
    for (std::uint32_t l = 0; l < view.line && cursor < text->size(); ++l) {
      const auto n = text->find('\n', cursor);
      cursor = n == std::string::npos ? static_cast<std::uint32_t>(text->size())
                                      : static_cast<std::uint32_t>(n + 1);
    }
    ++stream;
    if (rows) write_rows(rows.get(), number++, *tree, graph, view, cursor, needed);
    for (const auto& m : c["methods"]) {
      const auto method = m.get<std::string>();
      for (const auto& b : c["budgets"]) {
        const auto budget = b.get<std::int64_t>();
        const auto start = std::chrono::steady_clock::now();
        const auto ms_since = [](std::chrono::steady_clock::time_point from) {
          return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from)
              .count();
        };
        std::vector<Shown> shown;
        std::int64_t tokens = -1;
        std::int64_t recompute = -1;
        double took = -1, key_ms = -1, warm_ms = -1;
        if (method == "exact") {
          out["results"][method][std::to_string(budget)] = {
              {"differ", differ_from_all(*tree, *ranker, view, cursor)}};
          continue;
        }
        if (method == "typing") {
          indexer::PackRequest request;
          request.path = view.path;
          request.cursor = cursor;
          request.budget_tokens = budget;
          request.open_files = view.open_files;
          request.stream = ++stream;
          out["results"][method][std::to_string(budget)] =
              type_keys(*tree, *frozen, request, c, *text, count);
          continue;
        }
        if (method == "reranked" || method == "frozen") {
          indexer::PackRequest request;
          request.path = view.path;
          request.cursor = cursor;
          request.budget_tokens = budget;
          request.open_files = view.open_files;
          request.stream = method == "frozen" ? ++stream : 0;
          const auto pack = (method == "frozen" ? frozen : reranked)->pack(*tree, request, count);
          if (!pack) return std::fprintf(stderr, "%s\n", pack.error().message.c_str()), 2;
          took = ms_since(start);
          // The next key at this place, and another place of the same tree.
          const auto again = [&](const indexer::Snapshot& now, std::uint32_t at) {
            request.cursor = at;
            const auto then = std::chrono::steady_clock::now();
            (void)(method == "frozen" ? frozen : reranked)->pack(now, request, count);
            return ms_since(then);
          };
          auto typed = std::make_shared<std::string>(*text);
          typed->insert(cursor, "x");
          key_ms = again(*tree->with_buffers({{view.path, typed}}), cursor + 1);
          warm_ms = again(*tree, static_cast<std::uint32_t>(text->size() / 2));
          for (const auto& s : pack->spans) {
            const bool whole = s.detail == indexer::Detail::kOutline;
            shown.push_back(
                {s.path, whole ? 0 : s.start_line, whole ? 0xFFFFFFFF : s.end_line, s.text});
          }
          tokens = pack->tokens;
          for (const auto& s : pack->spans) {
            auto& sum = out["results"][method][std::to_string(budget)]["regions"]
                           [std::string(to_string(s.region))];
            sum = (sum.is_null() ? 0 : sum.get<std::int64_t>()) + s.tokens;
          }
          recompute = pack->predicted_recompute;
        } else {
          const auto pieces = method == "aider"      ? baselines.aider(view, budget, false)
                              : method == "aider+"   ? baselines.aider(view, budget, true)
                              : method == "bm25"     ? baselines.bm25(view, budget)
                              : method == "same-dir" ? baselines.same_directory(view, budget)
                                                     : baselines.recent(view, budget);
          for (const auto& p : pieces) shown.push_back({p.path, p.first_line, p.last_line, p.text});
        }
        if (took < 0) took = ms_since(start);
        Json result = score(needed, shown);
        result["ms"] = took;
        if (warm_ms >= 0) result["key_ms"] = key_ms, result["warm_ms"] = warm_ms;
        if (tokens > budget) return std::fprintf(stderr, "a pack is over its budget\n"), 1;
        if (tokens >= 0) result["tokens"] = tokens;
        if (recompute >= 0) result["recompute"] = recompute;
        out["results"][method][std::to_string(budget)].update(result);
      }
    }
    std::cout << out.dump() << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace ambit::bench

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::fprintf(stderr, "usage: pack_probe ROOT CACHE TOKENIZER_JSON [ROWS]\n");
    return 2;
  }
  return ambit::bench::run(argv[1], argv[2], argv[3], argc == 5 ? argv[4] : nullptr);
}
