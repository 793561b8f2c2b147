#include "daemon/handlers/refactor_view.h"

#include "daemon/server.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;
namespace fs = std::filesystem;

Result<View> view_of(FeatureRun& run, const json& argument) {
  const auto uri = argument.is_object() ? argument.value("uri", "") : std::string();
  const auto stop = run.stop;
  AMBIT_TRY(view, run.session->on_strand<View>([uri, stop](Session& s) {
    View out;
    std::string path;
    if (const auto file = lsp::path_from_uri(uri)) path = *file;
    if (path.empty() && !s.documents.all().empty()) {
      // The window's newest document.
      std::uint64_t newest = 0;
      for (const auto& [u, d] : s.documents.all()) {
        const auto file = lsp::path_from_uri(u);
        if (file && d.opened >= newest) {
          newest = d.opened;
          path = *file;
        }
      }
    }
    if (path.empty() && !s.folders.empty()) path = s.folders[0];
    if (path.empty()) return out;
    out.workspace = s.workspace_of(path);
    if (!out.workspace) return out;
    out.context = s.assist_context(path, stop);
    for (const auto& [u, d] : s.documents.all()) {
      const auto file = lsp::path_from_uri(u);
      if (!file) continue;
      const auto relative = fs::path(*file).lexically_relative(out.workspace->root()).string();
      if (relative.empty() || relative.starts_with("..")) continue;
      out.open[relative] = {u, d.version, d.text};
    }
    return out;
  }));
  if (!view.workspace) {
    return make_error(Code::kNotFound,
                      "there is no repository around this document; open a folder first");
  }
  if (view.context && view.context->snapshot)
    view.context->snapshot = view.context->snapshot->settled();
  return view;
}

Result<View> indexed_view_of(FeatureRun& run, const json& argument,
                             std::chrono::milliseconds limit) {
  AMBIT_TRY(view, view_of(run, argument));
  if (!view.workspace->wait_indexed(limit)) {
    return make_error(Code::kUnavailable, "the repository is still being indexed; try again");
  }
  return view_of(run, argument);  // the index has grown meanwhile
}

void EditorEdit::add(const std::string& path, json edits) {
  if (edits.empty()) return;
  const auto open = view_.open.find(path);
  const bool known = open != view_.open.end();
  const auto uri =
      known ? open->second.uri : lsp::uri_from_path((view_.workspace->root() / path).string());
  const json version = known ? json(open->second.version) : json();
  plain_[uri] = edits;
  documents_.push_back(
      {{"textDocument", {{"uri", uri}, {"version", version}}}, {"edits", std::move(edits)}});
}

void EditorEdit::annotate(const std::string& id, json annotation) {
  annotations_[id] = std::move(annotation);
}

json EditorEdit::take() {
  if (!client_.document_changes) return {{"changes", std::move(plain_)}};
  json out{{"documentChanges", std::move(documents_)}};
  if (!annotations_.empty()) out["changeAnnotations"] = std::move(annotations_);
  return out;
}

}  // namespace ambit::daemon
