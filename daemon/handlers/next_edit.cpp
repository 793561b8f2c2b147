#include "daemon/handlers/next_edit.h"

#include <nlohmann/json.hpp>

#include "daemon/assists/completion/next_edit.h"
#include "daemon/handlers/convert.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostPlaces = 1000;

struct Seen {
  std::shared_ptr<const AssistContext> context;
  std::string path;                                                  // relative to the root
  std::map<std::string, std::pair<std::string, std::int64_t>> open;  // path -> URI and version
  PositionEncoding encoding = PositionEncoding::kUtf16;
};

Seen look(Session& session, const std::string& uri) {
  Seen out;
  const auto path = lsp::path_from_uri(uri);
  if (!path) return out;
  out.context = session.assist_context(*path, {});
  out.encoding = session.client.encoding;
  const auto& root = out.context->root;
  out.path = fs::path(*path).lexically_relative(root).string();
  for (const auto& [open_uri, document] : session.documents.all()) {
    const auto file = lsp::path_from_uri(open_uri);
    if (!file) continue;
    out.open[fs::path(*file).lexically_relative(root).string()] = {open_uri, document.version};
  }
  return out;
}

std::vector<HandEdit> edits_of(const Seen& seen) {
  if (!seen.context || !seen.context->saved) return {};
  return find_hand_edits(*seen.context->saved, *seen.context->snapshot, seen.path);
}

Result<lsp::Json> resolve(FeatureRun& run, const json& data) {
  const auto uri = data.at("uri").get<std::string>();
  const auto what = data.at("what").get<std::string>();
  AMBIT_TRY(seen, run.session->on_strand<Seen>([&](Session& s) { return look(s, uri); }));
  if (seen.context && seen.context->snapshot) {
    auto exact = std::make_shared<AssistContext>(*seen.context);
    exact->snapshot = exact->snapshot->settled();
    seen.context = std::move(exact);
  }
  const auto found = edits_of(seen);
  const auto edit = std::find_if(found.begin(), found.end(),
                                 [&](const HandEdit& one) { return describe(one) == what; });
  if (edit == found.end()) {
    return make_error(Code::kInvalidArgument, "the document has changed; ask again");
  }
  const auto& now = *seen.context->snapshot;
  const auto places = what_follows(*seen.context->saved, now, seen.path, *edit, kMostPlaces);
  json documents = json::array(), plain = json::object();
  for (auto place = places.begin(); place != places.end();) {
    const auto& path = place->path;
    const auto text = now.text(path);
    json edits = json::array();
    for (; place != places.end() && place->path == path; ++place) {
      if (!text) continue;
      edits.push_back(
          {{"range", range_json(*text, place->span.begin, place->span.end, seen.encoding)},
           {"newText", place->text}});
    }
    const auto open = seen.open.find(path);
    const auto file_uri = open == seen.open.end()
                              ? lsp::uri_from_path((seen.context->root / path).string())
                              : open->second.first;
    const json version = open == seen.open.end() ? json() : json(open->second.second);
    plain[file_uri] = edits;
    documents.push_back(
        {{"textDocument", {{"uri", file_uri}, {"version", version}}}, {"edits", std::move(edits)}});
  }
  if (documents.empty()) {
    return make_error(Code::kInvalidArgument, "every use of it has followed already");
  }
  return lsp::Json(run.session->client_info().document_changes
                       ? json{{"documentChanges", std::move(documents)}}
                       : json{{"changes", std::move(plain)}});
}

}  // namespace

ActionProvider next_edit_actions() {
  ActionProvider out;
  out.name = "next-edit";
  out.kind = "quickfix.ambit";
  out.offer = [](Session& session, const ActionContext& asked) {
    std::vector<OfferedAction> actions;
    for (const auto& edit : edits_of(look(session, asked.document.uri))) {
      OfferedAction action;
      action.title = "Ambit: " + describe(edit);
      action.kind = std::holds_alternative<HandRename>(edit) ? "quickfix.ambit.rename"
                                                             : "quickfix.ambit.signature";
      action.data = {{"uri", asked.document.uri}, {"what", describe(edit)}};
      action.by_model = false;
      actions.push_back(std::move(action));
    }
    return actions;
  };
  out.resolve = resolve;
  return out;
}

}  // namespace ambit::daemon
