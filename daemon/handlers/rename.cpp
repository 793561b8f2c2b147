// Renames in the editor's own way: of a symbol (textDocument/rename, when features.navigation is
// on), and of files (workspace/willRenameFiles), whose imports follow.
#include "daemon/assists/refactor/move_files.h"
#include "daemon/assists/refactor/plan.h"
#include "daemon/assists/refactor/refactor.h"
#include "daemon/handlers/convert.h"
#include "daemon/handlers/refactor_view.h"
#include "daemon/handlers/table.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kUnsure = "ambit.unsure";

// The symbol at a place of a document.
struct Asked {
  View view;
  RenameTarget target;
  std::string text;
};
Result<Asked> asked_for(FeatureRun& run, const json& params) {
  const auto uri = params.at("textDocument").at("uri").get<std::string>();
  AMBIT_TRY(view, indexed_view_of(run, json{{"uri", uri}}, std::chrono::seconds(60)));
  const auto path = lsp::path_from_uri(uri);
  if (!path) return make_error(Code::kInvalidArgument, "the document is no file");
  Asked out{std::move(view), {}, {}};
  out.target.path = fs::path(*path).lexically_relative(out.view.workspace->root()).string();
  AMBIT_TRY(text, out.view.context->snapshot->text(out.target.path));
  out.text = std::move(text);
  out.target.offset = static_cast<std::uint32_t>(
      offset_at(out.text, position_of(params.at("position")), run.session->client_info().encoding));
  return out;
}

// The name at the caret, if the index knows what it means; else null: it cannot be renamed.
Result<lsp::Json> prepared(FeatureRun& run, const json& params) {
  AMBIT_TRY(asked, asked_for(run, params));
  const auto span = word_span(asked.text, asked.target.offset);
  if (span.size() == 0 ||
      asked.view.context->snapshot->resolve(asked.target.path, asked.target.offset).empty()) {
    return lsp::Json();
  }
  return lsp::Json(json{
      {"range", range_json(asked.text, span.begin, span.end, run.session->client_info().encoding)},
      {"placeholder", asked.text.substr(span.begin, span.size())}});
}

// Every sure place; the others where the editor asks before it changes them.
Result<lsp::Json> renamed(FeatureRun& run, const json& params) {
  AMBIT_TRY(asked, asked_for(run, params));
  const auto new_name = params.at("newName").get<std::string>();
  run.progress.begin("Ambit: rename", Progress::kUnknown, new_name.substr(0, 60));
  const auto& snapshot = *asked.view.context->snapshot;
  AMBIT_TRY(rename, plan_rename(snapshot, asked.target, new_name, {}, run.stop));
  Plan plan;
  plan.steps.push_back(rename_step(rename, false, false));
  AMBIT_TRY(changes, plan_changes(plan, reader_of(snapshot)));  // parses no worse
  EditorEdit edit(asked.view, run.session->client_info());
  std::size_t unsure = 0;
  for (const auto& file : rename.files) {
    AMBIT_TRY(text, snapshot.text(file.path));
    json list = json::array();
    for (const auto& s : file.sites) {
      if (s.place != Place::kCode) continue;
      json one{{"range", range_json(text, s.span.begin, s.span.end, edit.client().encoding)},
               {"newText", new_words(s, rename)}};
      if (s.confidence < kSureConfidence) {
        ++unsure;
        if (!edit.client().change_annotations) continue;
        one["annotationId"] = kUnsure;
      }
      list.push_back(std::move(one));
    }
    edit.add(file.path, std::move(list));
  }
  if (unsure > 0 && edit.client().change_annotations) {
    edit.annotate(std::string(kUnsure),
                  {{"label", "may mean something else"},
                   {"description", "The index cannot tell whether this is " + rename.symbol + "."},
                   {"needsConfirmation", true}});
  } else if (unsure > 0) {
    run.session->show_message(2, "Ambit left " + std::to_string(unsure) +
                                     " places alone that may be " + rename.symbol +
                                     "; the command ambit.refactor lists them");
  }
  return edit.empty() ? lsp::Json() : lsp::Json(edit.take());
}

// The imports that follow files which the editor is about to move. A wish of the editor, not of
// somebody who waits for words: what cannot be exact is left alone.
Result<lsp::Json> renamed_files(FeatureRun& run, const json& params) {
  const auto& files = params.at("files");
  if (files.empty()) return lsp::Json();
  const auto view =
      indexed_view_of(run, json{{"uri", files.at(0).at("oldUri")}}, std::chrono::seconds(5));
  if (!view) return lsp::Json();
  const auto& snapshot = *view->context->snapshot;
  const auto inside = [&](const json& uri) -> std::string {
    const auto path = lsp::path_from_uri(uri.get<std::string>());
    return path ? fs::path(*path).lexically_relative(view->workspace->root()).string() : "";
  };
  Moves moves;
  for (const auto& f : files) {
    const auto from = inside(f.at("oldUri")), to = inside(f.at("newUri"));
    if (from.empty() || to.empty() || from.starts_with("..") || to.starts_with("..")) continue;
    if (snapshot.file(from)) {
      moves[from] = to;
      continue;
    }
    for (const auto& one : snapshot.files()) {
      if (one.path.starts_with(from + "/")) moves[one.path] = to + one.path.substr(from.size());
    }
  }
  std::vector<std::string> notes;
  const auto edits = import_edits(snapshot, moves, notes, run.stop);
  if (!edits) {
    if (edits.error().code == Code::kInvalidArgument) {
      run.session->show_message(3, "Ambit left the imports alone: " + edits.error().message);
    }
    return lsp::Json();
  }
  EditorEdit edit(*view, run.session->client_info());
  for (const auto& file : *edits) {
    const auto text = snapshot.text(file.path);
    if (!text) continue;
    json list = json::array();
    for (const auto& e : file.edits) {
      const auto at = offset_at(*text, {e.at->line - 1, e.at->column - 1}, PositionEncoding::kUtf8);
      list.push_back(
          {{"range", range_json(*text, at, at + e.old_text.size(), edit.client().encoding)},
           {"newText", e.new_text}});
    }
    edit.add(file.path, std::move(list));
  }
  return edit.empty() ? lsp::Json() : lsp::Json(edit.take());
}

}  // namespace

void on_prepare_rename(Session& session, const lsp::RequestId& id, const json& params) {
  run_feature(session, id, params, [params](FeatureRun& run) { return prepared(run, params); });
}

void on_rename(Session& session, const lsp::RequestId& id, const json& params) {
  run_feature(session, id, params, [params](FeatureRun& run) { return renamed(run, params); });
}

void on_will_rename(Session& session, const lsp::RequestId& id, const json& params) {
  run_feature(session, id, nullptr,
              [params](FeatureRun& run) { return renamed_files(run, params); });
}

}  // namespace ambit::daemon
