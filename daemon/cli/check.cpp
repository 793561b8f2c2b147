// `ambit check FILE`: one completion the whole way, with the time of each step.
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/open_index.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/scheduling/model_spec.h"
#include "daemon/support/file.h"
#include "indexer/context/pack.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::daemon {
namespace {

using nlohmann::json;

class Steps {
 public:
  // Runs one step and notes how long it took; a failed one is noted with its message.
  template <typename F>
  auto run(const char* name, const F& step) {
    const auto start = std::chrono::steady_clock::now();
    auto result = step();
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - start;
    json row = {{"step", name}, {"ms", spent.count()}, {"ok", result.has_value()}};
    if (!result) row["problem"] = result.error().message;
    rows_.push_back(std::move(row));
    return result;
  }
  // Something worth telling about the step that ran last.
  void tell(const char* key, json value) { rows_.back()[key] = std::move(value); }
  [[nodiscard]] const json& rows() const { return rows_; }

 private:
  json rows_ = json::array();
};

Result<void> walk(const std::filesystem::path& file, const std::string& model, Steps& steps) {
  AMBIT_TRY(config, Config::load());
  if (!model.empty()) AMBIT_CHECK_OK(config.set("model", model, "command line"));
  AMBIT_TRY(text, steps.run("open", [&] { return read_file(file, std::uint64_t{64} << 20); }));
  steps.tell("bytes", text.size());
  AMBIT_TRY(open,
            steps.run("index", [&] { return open_index(file.parent_path().string(), config); }));
  steps.tell("files", open.report.files);
  steps.tell("reused_files", open.report.reused_files);
  AMBIT_TRY(path, path_in(open.index->root(), file));
  AMBIT_TRY(tokenizer,
            steps.run("tokenizer", [&]() -> Result<std::shared_ptr<const inference::Tokenizer>> {
              AMBIT_TRY(spec, resolve_model(config.text("model")));
              return load_tokenizer(spec);
            }));
  AMBIT_TRY(pack, steps.run("pack", [&] {
    const auto snapshot = open.index->snapshot();
    indexer::PackRequest request;
    request.path = path;
    request.cursor = static_cast<std::uint32_t>(text.size());
    request.budget_tokens = config.integer("completion.context_tokens");
    const auto packer = indexer::make_packer(
        {.repository = open.index->root().filename().string(), .directory = {}});
    packer->prepare(snapshot);
    return packer->pack(*snapshot, request, [&](std::string_view words) {
      return static_cast<std::int64_t>(tokenizer->count(words));
    });
  }));
  steps.tell("tokens", pack.tokens);
  steps.tell("spans", pack.spans.size());
  AMBIT_TRY(daemon, steps.run("daemon", [&] { return connect_or_start(model); }));
  AMBIT_TRY(answer, steps.run("complete", [&] {
    return ask_daemon(
        daemon.get(), "ambit/complete",
        {{"path", file.string()}, {"text", text}, {"offset", text.size()}, {"items", 1}});
  }));
  steps.tell("items", answer["items"].size());
  if (answer["items"].empty()) steps.tell("reason", answer["reason"]);
  return {};
}

}  // namespace

int check_command(const Arguments& arguments) {
  Options options("check", "FILE [--json]",
                  "Open, index, pack and complete once at the end of FILE; the time of each step.");
  auto& name = options.positional("FILE", Options::kRequired);
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  const auto file = std::filesystem::absolute(name).lexically_normal();
  Steps steps;
  const auto walked = walk(file, model, steps);
  if (as_json) {
    json out = {{"file", file.string()}, {"ok", walked.has_value()}, {"steps", steps.rows()}};
    if (!walked) out["problem"] = walked.error().message;
    print_json(out);
  } else {
    for (const auto& row : steps.rows()) {
      std::printf("%-10s %10.2f ms", row["step"].get<std::string>().c_str(),
                  row["ms"].get<double>());
      for (const auto& [key, value] : row.items()) {
        if (key == "step" || key == "ms" || key == "ok") continue;
        std::printf("  %s %s", key.c_str(), value.dump().c_str());
      }
      std::putchar('\n');
    }
  }
  return walked ? kExitDone : report(walked.error());
}

}  // namespace ambit::daemon
