// `ambit record` and `ambit replay`: a session in a file, for reports of what went wrong and for
// comparing two versions.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "daemon/cli/local_daemon.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/forward/forwarder.h"
#include "daemon/record/replay.h"
#include "daemon/version.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

// Recorded ids mean the same only to the tokenizer that they came from.
std::shared_ptr<const inference::Tokenizer> recorded_tokenizer(const std::string& setting) {
  const bool scripted = setting.starts_with("scripted:");
  if (auto spec = resolve_model(setting); spec && !scripted) {
    if (auto loaded = load_tokenizer(*spec)) return *loaded;
  }
  if (!scripted) {
    std::fprintf(stderr,
                 "ambit: the tokenizer of '%s' is not here: prompts are cut otherwise and match "
                 "only at their end\n",
                 setting.c_str());
  }
  return inference::Tokenizer::bytes();
}

void print(const ReplayReport& report, const ReplayBackend::Count& model, bool as_json) {
  if (as_json) {
    std::puts(json{{"from_editor", report.from_editor},
                   {"answers", report.answers},
                   {"different", report.different},
                   {"differences", report.differences},
                   {"model",
                    {{"asked", model.asked},
                     {"same_prompt", model.same_prompt},
                     {"like_prompt", model.like_prompt},
                     {"unknown", model.unknown}}}}
                  .dump(2, ' ', false, json::error_handler_t::replace)
                  .c_str());
    return;
  }
  for (const auto& line : report.differences) std::puts(line.c_str());
  std::printf("%zu messages, %zu answers, %zu of them different\n", report.from_editor,
              report.answers, report.different);
  std::printf("model asked %zu times: %zu with the same prompt, %zu with a similar one\n",
              model.asked, model.same_prompt, model.like_prompt);
}

}  // namespace

int record_command(const Arguments& arguments) {
  Options options("record", "FILE",
                  "What `ambit lsp` does, with a daemon of its own, and every message, prompt and\n"
                  "answer written to FILE. It holds source text.");
  auto& file = options.positional("FILE", Options::kRequired);
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  (void)options.flag("--stdio", "as editors say it");
  if (auto done = options.parse(arguments)) return *done;
  std::signal(SIGPIPE, SIG_IGN);
  auto config = local_config(model);
  if (!config) return report(config.error());
  auto recorder = Recorder::create(file);
  if (!recorder) return report(recorder.error());
  auto server = server_options(*config);
  server.wrap = [&](auto inner) { return recording_backend(std::move(inner), *recorder); };
  LocalDaemon daemon(std::move(server));
  (*recorder)->write(
      {{"ambit", "recording"},
       {"version", 1},
       {"program", version()},
       {"model", config->text("model")},
       {"fim", daemon.server().prompt_form().order == FimOrder::kSpm ? "spm" : "psm"},
       {"prompt_tokens", daemon.server().prompt_form().most_tokens}});
  ForwardOptions how;
  how.connect = [&] { return daemon.connect(); };
  how.watch = [&](bool from_editor, std::string_view body) {
    auto message = json::parse(body, nullptr, false);
    if (message.is_object()) (*recorder)->write({{from_editor ? "editor" : "daemon", message}});
  };
  const int code = forward(STDIN_FILENO, STDOUT_FILENO, std::move(how));
  if ((*recorder)->failed()) {
    std::fprintf(stderr, "ambit: %s is not complete: it could not be written\n", file.c_str());
  }
  return code;
}

int replay_command(const Arguments& arguments) {
  Options options(
      "replay", "FILE [--json]",
      "Sends what an editor sent in a recorded session again and compares the answers.\n"
      "The model is not needed: it says what it said. Exit code 1: an answer differs.");
  auto& file = options.positional("FILE", Options::kRequired);
  auto& as_json = options.flag("--json", "print one JSON document");
  if (auto done = options.parse(arguments)) return *done;
  std::signal(SIGPIPE, SIG_IGN);
  auto lines = read_recording(file);
  if (!lines) return report(lines.error());
  auto config = local_config("");
  if (!config) return report(config.error());
  const json& head = lines->front();
  auto server = server_options(*config);
  std::shared_ptr<ReplayBackend> model;
  try {
    model = std::make_shared<ReplayBackend>(*lines, recorded_tokenizer(head.value("model", "")));
  } catch (const json::exception& error) {
    return report(make_error(Code::kCorrupt, file + " is damaged: " + error.what()));
  }
  server.backend = model;
  if (head.value("fim", "") == "spm") server.prompt_form.order = FimOrder::kSpm;
  server.prompt_form.most_tokens = head.value("prompt_tokens", std::int64_t{0});
  LocalDaemon daemon(std::move(server));
  auto fd = daemon.connect();
  if (!fd) return report(fd.error());
  auto result = replay(*lines, fd->get(), *model, [&] {
    for (const auto& workspace : daemon.server().workspaces().all()) {
      (void)workspace->wait_indexed(std::chrono::seconds(120));
      (void)workspace->memory()->wait_built(std::chrono::seconds(20));
    }
  });
  model->finish();
  if (!result) return report(result.error());
  print(*result, model->count(), as_json);
  return result->different == 0 ? kExitDone : kExitFindings;
}

}  // namespace ambit::daemon
