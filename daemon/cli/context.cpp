// `ambit context pack|explain FILE:LINE:COL`: what a prompt at this position would hold, and why.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/scheduling/model_spec.h"
#include "daemon/session/documents.h"
#include "indexer/context/pack.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

struct Packed {
  indexer::ContextPack pack;
  std::string root, path;
};

Result<Packed> packed(const FilePosition& where, std::int64_t budget, const std::string& task,
                      const std::string& model) {
  AMBIT_TRY(config, Config::load());
  if (!model.empty()) AMBIT_CHECK_OK(config.set("model", model, "command line"));
  AMBIT_TRY(spec, resolve_model(config.text("model")));
  AMBIT_TRY(tokenizer, load_tokenizer(spec));
  AMBIT_TRY(open, open_index(where.file.parent_path().string(), config));
  Packed out;
  out.root = open.index->root().string();
  AMBIT_TRY(path, path_in(open.index->root(), where.file));
  out.path = path;
  const std::shared_ptr<const indexer::Snapshot> snapshot = open.index->snapshot();
  AMBIT_TRY(text, snapshot->text(path));
  indexer::PackRequest request;
  request.path = path;
  request.cursor = static_cast<std::uint32_t>(
      offset_at(text, {where.line - 1, where.column - 1}, PositionEncoding::kUtf8));
  request.budget_tokens = budget;
  request.task = task == "refactor" ? indexer::Task::kRefactor
                 : task == "review" ? indexer::Task::kReview
                                    : indexer::Task::kCompletion;
  indexer::PackerOptions options;
  options.repository = open.index->root().filename().string();
  const auto packer = indexer::make_packer(options);
  packer->prepare(snapshot);
  AMBIT_TRY(pack, packer->pack(*snapshot, request, [&](std::string_view words) {
    return static_cast<std::int64_t>(tokenizer->count(words));
  }));
  out.pack = std::move(pack);
  return out;
}

json to_json(const Packed& p) {
  json regions = json::array(), spans = json::array();
  std::set<std::string> seen;
  for (const auto& s : p.pack.spans) {
    const std::string region(to_string(s.region));
    if (seen.insert(region).second) regions.push_back({{"region", region}, {"tokens", 0}});
    for (auto& r : regions) {
      if (r["region"] == region) r["tokens"] = r["tokens"].get<std::int64_t>() + s.tokens;
    }
    spans.push_back({{"path", s.path},
                     {"start_line", s.start_line + 1},
                     {"end_line", s.end_line + 1},
                     {"blob", s.blob == indexer::BlobId{} ? json() : json(s.blob.hex())},
                     {"region", region},
                     {"tokens", s.tokens},
                     {"detail", to_string(s.detail)},
                     {"reason", s.reason},
                     {"score", s.score}});
  }
  return {{"root", p.root},
          {"path", p.path},
          {"tokens", p.pack.tokens},
          {"budget", p.pack.budget_tokens},
          {"regions", regions},
          {"spans", spans},
          {"predicted_recompute", p.pack.predicted_recompute}};
}

void explain(const Packed& p) {
  std::printf("%s: %lld of %lld tokens in %zu spans\n", p.path.c_str(),
              static_cast<long long>(p.pack.tokens), static_cast<long long>(p.pack.budget_tokens),
              p.pack.spans.size());
  std::string region;
  for (const auto& s : p.pack.spans) {
    if (region != to_string(s.region)) {
      region = to_string(s.region);
      std::printf("\n%s\n", region.c_str());
    }
    const auto place = s.path.empty() ? std::string("(our own words)")
                                      : s.path + ":" + std::to_string(s.start_line + 1) + "-" +
                                            std::to_string(s.end_line + 1);
    std::printf("  %6lld  %-8s %s\n          %s\n", static_cast<long long>(s.tokens),
                std::string(to_string(s.detail)).c_str(), place.c_str(), s.reason.c_str());
  }
}

}  // namespace

int context_command(const Arguments& arguments) {
  const bool pack = !arguments.empty() && arguments.front() == "pack";
  const bool known = pack || (!arguments.empty() && arguments.front() == "explain");
  Options options(pack    ? "context pack"
                  : known ? "context explain"
                          : "context pack|explain",
                  "FILE:LINE:COL --budget N [--task completion|refactor|review] [--json]",
                  "The code that a prompt at this position would hold, and why.");
  auto& where = options.positional("FILE:LINE:COL", Options::kRequired);
  auto& budget = options.integer("--budget", 2048, 0, 1 << 20, "the most tokens");
  auto& task = options.choice("--task", "completion", {"completion", "refactor", "review"},
                              "what the prompt is for");
  auto& model = options.text("--model", "", "SPEC", "count tokens as this model does");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (!known) {
    if (!arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h")) {
      return options.parse(arguments).value_or(kExitDone);
    }
    return options.usage_error("say pack or explain first");
  }
  if (auto done = options.parse(Arguments(arguments.begin() + 1, arguments.end()))) return *done;
  const auto position = parse_position(where);
  if (!position) return report(position.error());
  const auto result = packed(*position, budget, task, model);
  if (!result) return report(result.error());
  if (pack || as_json) {
    print_json(to_json(*result));
  } else {
    explain(*result);
  }
  return kExitDone;
}

}  // namespace ambit::daemon
