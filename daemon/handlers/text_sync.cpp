#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/handlers/convert.h"
#include "daemon/handlers/features.h"
#include "daemon/handlers/table.h"
#include "daemon/server.h"
#include "daemon/support/trace.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;

void on_open(Session& session, const json& params) {
  const auto& item = params.at("textDocument");
  const auto uri = item.at("uri").get<std::string>();
  session.documents.open(uri, item.value("languageId", ""), item.value("version", 0),
                         item.at("text").get<std::string>());
  session.states[uri].stream = session.id * 1000000 + session.next_stream++;
  // Indexing and the model start with the first file that somebody looks at.
  if (const auto path = lsp::path_from_uri(uri)) {
    const auto workspace = session.workspace_of(*path);
    const Config config = session.config_for(workspace);
    if (config.flag("enabled")) {
      // What the repository says is ready before the first key, then.
      if (workspace && config.flag("completion.enabled")) (void)workspace->memory();
      session.server.when_model_settled([weak = session.weak_from_this(), uri] {
        if (const auto self = weak.lock()) self->post([uri](Session& s) { s.read_ahead(uri); });
      });
    }
  }
}

void on_change(Session& session, const json& params) {
  const auto uri = params.at("textDocument").at("uri").get<std::string>();
  Document* document = session.documents.find(uri);
  if (document == nullptr) {
    log(LogLevel::kWarning, "session", "didChange of a document that is not open");
    return;
  }
  for (const auto& change : params.at("contentChanges")) {
    const auto text = change.at("text").get<std::string>();
    if (!change.contains("range") || change["range"].is_null()) {
      session.documents.replace(*document, text);
    } else {
      session.documents.replace(*document, position_of(change["range"].at("start")),
                                position_of(change["range"].at("end")), text,
                                session.client.encoding);
    }
  }
  document->version = params.at("textDocument").value("version", document->version + 1);
}

void on_save(Session& session, const json& params) {
  const auto path = lsp::path_from_uri(params.at("textDocument").at("uri").get<std::string>());
  if (!path) return;
  const auto workspace = session.workspace_of(*path);
  if (workspace) workspace->changed({*path});
  if (!session.config_for(workspace).flag("review.on_save")) return;
  const auto& commands = session.server.features().commands;
  const auto review = std::find_if(commands.begin(), commands.end(),
                                   [](const EditorCommand& c) { return c.name == "ambit.review"; });
  if (review == commands.end()) return;
  // The last save counts.
  session.saved_review.request_stop();
  session.saved_review = std::stop_source();
  run_unasked(session, session.saved_review, "review on save",
              [command = review->run, uri = params.at("textDocument").at("uri")](FeatureRun& run) {
                return command(run, json::array({json{{"uri", uri}}}));
              });
}

void on_close(Session& session, const json& params) {
  const auto uri = params.at("textDocument").at("uri").get<std::string>();
  if (const auto state = session.states.find(uri); state != session.states.end()) {
    state->second.stop.request_stop();
    if (state->second.ahead) state->second.ahead->request_stop();
    for (const auto& one : state->second.waiting) {
      session.fail(one.id, lsp::ErrorCode::kContentModified, "the file was closed");
    }
    session.states.erase(state);
  }
  session.documents.close(uri);
}

}  // namespace ambit::daemon
