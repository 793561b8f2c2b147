#include "daemon/handlers/features.h"

#include <nlohmann/json.hpp>

#include "daemon/handlers/actions.h"
#include "daemon/handlers/next_edit.h"
#include "daemon/handlers/refactor.h"
#include "daemon/handlers/review.h"
#include "daemon/server.h"
#include "daemon/support/trace.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

Result<lsp::Json> status(FeatureRun& run, const json&) {
  auto text = run.session->on_strand<std::string>(
      [](Session& session) { return session.server.status_json(); });
  if (!text) return text.error();
  return lsp::Json::parse(*text);
}

// The text arrives as a didChange of its own; the item stays in the cache for type-through.
Result<lsp::Json> accepted(FeatureRun&, const json&) {
  return lsp::Json();
}

// A wrong argument shows as an exception of the JSON library; it ends this request alone.
Result<lsp::Json> guarded(const std::function<Result<lsp::Json>(FeatureRun&)>& work,
                          FeatureRun& run) {
  try {
    return work(run);
  } catch (const json::exception&) {
    return make_error(Code::kInvalidArgument, "an argument is missing or has the wrong type");
  } catch (const std::exception& error) {
    return make_error(Code::kInternal, error.what());
  }
}

Result<std::string> status_document(FeatureRun& run, const std::string& uri) {
  if (uri != "ambit-status:/status.json") {
    return make_error(Code::kInvalidArgument, "there is no document " + uri);
  }
  auto answer = status(run, nullptr);
  if (!answer) return answer.error();
  return answer->value().dump(2) + "\n";
}

}  // namespace

Features builtin_features() {
  Features out;
  out.commands = {{"ambit.explain", explain_command},
                  {"ambit.inline.accepted", accepted},
                  {"ambit.refactor", refactor_plan},
                  {"ambit.refactor.apply", refactor_apply},
                  {"ambit.refactor.hunks", refactor_hunks},
                  {"ambit.refactor.list", refactor_list},
                  {"ambit.refactor.preview", refactor_preview},
                  {"ambit.refactor.undo", refactor_undo},
                  {"ambit.review", review_command_lsp},
                  {"ambit.review.clear", review_clear_lsp},
                  {"ambit.rewrite", rewrite_command},
                  {std::string(kShowCommand), show_command},
                  {"ambit.status", status}};
  out.actions = {review_fixes(), next_edit_actions(), extract_actions(), model_actions(),
                 fix_actions()};
  out.contents = {{"ambit-answer", answer_document},
                  {"ambit-preview", refactor_document},
                  {"ambit-status", status_document}};
  return out;
}

lsp::ErrorCode error_code(Code code) {
  switch (code) {
    case Code::kCancelled:
      return lsp::ErrorCode::kRequestCancelled;
    case Code::kInvalidArgument:
      return lsp::ErrorCode::kInvalidParams;
    default:
      return lsp::ErrorCode::kRequestFailed;
  }
}

void run_feature(Session& session, const lsp::RequestId& id, const json& params,
                 std::function<Result<lsp::Json>(FeatureRun&)> work) {
  const auto stop = session.begin_request(id);
  const auto refused = !session.server.workers().start(
      [self = session.shared_from_this(), id, params, stop, work = std::move(work)] {
        Progress progress(self, params, stop);
        FeatureRun run{self, progress, stop.get_token()};
        auto result = guarded(work, run);
        if (!result && stop.stop_requested()) result = make_error(Code::kCancelled, "cancelled");
        progress.end();  // before the reply: the client's token is valid until then
        self->post([id, result = std::move(result)](Session& s) {
          if (result) return s.reply(id, result->value());
          s.fail(id, error_code(result.error().code), result.error().message);
        });
      });
  if (refused) {
    session.fail(id, lsp::ErrorCode::kRequestFailed,
                 "too much is running already; wait for it or cancel it");
  }
}

void run_unasked(Session& session, std::stop_source stop, const std::string& what,
                 std::function<Result<lsp::Json>(FeatureRun&)> work) {
  const bool started = session.server.workers().start(
      [self = session.shared_from_this(), stop = std::move(stop), what, work = std::move(work)] {
        Progress progress(self, nullptr, stop);
        FeatureRun run{self, progress, stop.get_token()};
        const auto result = guarded(work, run);
        progress.end();
        if (result || stop.stop_requested() || result.error().code == Code::kCancelled) return;
        log(LogLevel::kWarning, "lsp", what + ": " + result.error().message);
      });
  if (!started) log(LogLevel::kWarning, "lsp", what + ": left out, too much is running already");
}

}  // namespace ambit::daemon
