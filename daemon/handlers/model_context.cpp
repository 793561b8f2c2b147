#include "daemon/handlers/model_context.h"

#include <condition_variable>
#include <mutex>

#include "daemon/scheduling/model_spec.h"
#include "daemon/server.h"
#include "lsp/uri.h"

namespace ambit::daemon {

Result<void> wait_for_model(FeatureRun& run) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable_any settled;
    bool done = false;
  };
  const auto wait = std::make_shared<Wait>();
  Server& server = run.session->server;
  server.when_model_settled([wait] {
    std::lock_guard lock(wait->mutex);
    wait->done = true;
    wait->settled.notify_all();
  });
  std::unique_lock lock(wait->mutex);
  const bool done =
      wait->settled.wait_for(lock, run.stop, std::chrono::minutes(2), [&] { return wait->done; });
  if (run.stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
  const auto& backend = *server.scheduler()->backend();
  if (!done || !backend.tokenizer()) return why_not_ready(backend);
  return {};
}

Result<void> wait_for_index(FeatureRun& run, const std::string& uri) {
  const auto path = lsp::path_from_uri(uri);
  if (!path) return {};
  AMBIT_TRY(workspace, run.session->on_strand<std::shared_ptr<Workspace>>(
                           [&](Session& s) { return s.workspace_of(*path); }));
  if (!workspace || workspace->wait_indexed(std::chrono::seconds(60))) return {};
  return make_error(Code::kUnavailable, "the repository is still being indexed; try again");
}

Result<AssistContext> context_of(FeatureRun& run, const std::string& path) {
  AMBIT_TRY(context, run.session->on_strand<std::shared_ptr<AssistContext>>(
                         [&](Session& s) { return s.assist_context(path, run.stop); }));
  if (!context || !context->snapshot) {
    return make_error(Code::kNotFound,
                      "there is no repository around this document; open a folder first");
  }
  auto out = *context;
  out.snapshot = out.snapshot->settled();
  out.progress = [&run](int percentage, std::string message) {
    run.progress.report(percentage, std::move(message));
  };
  return out;
}

}  // namespace ambit::daemon
