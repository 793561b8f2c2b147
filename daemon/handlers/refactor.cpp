#include "daemon/handlers/refactor.h"

#include <algorithm>

#include "daemon/assists/refactor/journal.h"
#include "daemon/assists/refactor/model_plan.h"
#include "daemon/assists/refactor/refactor.h"
#include "daemon/assists/refactor/store.h"
#include "daemon/handlers/client_requests.h"
#include "daemon/handlers/convert.h"
#include "daemon/handlers/model_context.h"
#include "daemon/handlers/refactor_view.h"
#include "daemon/handlers/table.h"
#include "daemon/paths.h"
#include "daemon/server.h"
#include "indexer/git/text_diff.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Tools {
  Journal journal;
  PlanStore store;
};

Result<Tools> tools_of(FeatureRun& run, const fs::path& root) {
  AMBIT_TRY(journal, Journal::open(root, state_directory()));
  AMBIT_TRY(store, PlanStore::open(root, state_directory()));
  journal.guard_with(executable());
  AMBIT_TRY(said, journal.recover());
  for (const auto& line : said) run.session->show_message(3, line);
  return Tools{std::move(journal), std::move(store)};
}

// What the user sees: buffers, then the disk.
FileReader reader(const View& view, const Journal& journal) {
  return [&view, &journal](const std::string& path) -> Result<std::optional<std::string>> {
    if (const auto it = view.open.find(path); it != view.open.end()) {
      return std::optional<std::string>(*it->second.text);
    }
    AMBIT_TRY(state, journal.tree().look(path));
    if (state.kind == FileState::kMissing) return std::optional<std::string>();
    AMBIT_TRY(text, journal.tree().read(path));
    return std::optional<std::string>(std::move(text));
  };
}

Result<lsp::Json> answer_json(json value) {
  return Result<lsp::Json>(lsp::Json(std::move(value)));
}

json steps_json(const Plan& plan) {
  json out = json::array();
  for (const auto& s : plan.steps) {
    const auto n = count(s);
    json unsure = json::array();
    for (const auto& f : s.files) {
      for (const auto& u : f.unsure) {
        if (unsure.size() < 100) {
          unsure.push_back(
              {{"path", f.path}, {"line", u.line}, {"column", u.column}, {"why", u.note}});
        }
      }
    }
    out.push_back({{"title", s.title},
                   {"by", s.author == PlanAuthor::kModel ? "model" : "index"},
                   {"files", n.files},
                   {"places", n.places},
                   {"unsure", std::move(unsure)},
                   {"inComments", n.comments},
                   {"inStrings", n.strings},
                   {"dropped", s.dropped}});
  }
  return out;
}

// The lines that differ, as one edit of an open document.
Result<lsp::Json> document_edit(const OpenDocument& document, const FileChange& change,
                                PositionEncoding encoding) {
  const std::string_view before = *change.before, after = *change.after;
  AMBIT_TRY(hunks, indexer::diff_lines(before, after));
  const auto starts = [](std::string_view text) {
    std::vector<std::size_t> out{0};
    for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
      out.push_back(at + 1);
    }
    if (out.back() != text.size()) out.push_back(text.size());
    return out;
  };
  const auto a = starts(before), b = starts(after);
  const auto at = [](const std::vector<std::size_t>& lines, std::size_t i) {
    return lines[std::min(i, lines.size() - 1)];
  };
  json edits = json::array();
  for (const auto& h : hunks) {
    auto begin = at(a, h.old_begin), end = at(a, h.old_begin + h.old_count);
    auto text =
        after.substr(at(b, h.new_begin), at(b, h.new_begin + h.new_count) - at(b, h.new_begin));
    // Only what changed of the lines: the cursor of the user stays where it is.
    while (begin < end && !text.empty() && before[begin] == text.front() &&
           static_cast<unsigned char>(before[begin]) < 0x80) {
      ++begin;
      text.remove_prefix(1);
    }
    while (begin < end && !text.empty() && before[end - 1] == text.back() &&
           static_cast<unsigned char>(before[end - 1]) < 0x80) {
      --end;
      text.remove_suffix(1);
    }
    edits.push_back({{"range", range_json(before, begin, end, encoding)}, {"newText", text}});
  }
  json out{{"textDocument", {{"uri", document.uri}, {"version", document.version}}}};
  out["edits"] = std::move(edits);
  return answer_json(std::move(out));
}

struct Applied {
  std::string id;
  std::size_t in_editor = 0;
};

// One change of open documents and the disk.
Result<Applied> carry_out(FeatureRun& run, const View& view, Tools& tools, const ChangeSet& changes,
                          ApplyRequest request) {
  const auto client = run.session->client_info();
  for (const auto& [path, c] : changes) {
    const auto it = view.open.find(path);
    if (it == view.open.end()) continue;
    if (!c.before || !c.after || !client.apply_edit) {
      return make_error(Code::kInvalidArgument, path + " is open; save and close it first");
    }
    request.in_editor.insert(path);
  }
  const bool several = changes.size() > 1;
  request.editor = [&](const std::vector<FileChange>& edits) -> Result<void> {
    json documents = json::array(), plain = json::object();
    for (const auto& c : edits) {
      AMBIT_TRY(made, document_edit(view.open.at(c.path), c, client.encoding));
      const json& edit = made.value();
      plain[edit["textDocument"]["uri"].get<std::string>()] = edit["edits"];
      documents.push_back(edit);
    }
    const json edit = client.document_changes ? json{{"documentChanges", std::move(documents)}}
                                              : json{{"changes", std::move(plain)}};
    auto answer = apply_edit(run, edit, request.title, several);
    if (!answer) return answer.error();
    if (answer->applied) return {};
    return make_error(Code::kUnavailable,
                      "the editor did not apply the edit, and nothing was changed" +
                          (answer->reason.empty() ? "; plan again" : ": " + answer->reason));
  };
  Applied out;
  out.in_editor = request.in_editor.size();
  AMBIT_TRY(id, tools.journal.apply(changes, request));
  out.id = id;
  std::vector<fs::path> changed;
  for (const auto& [path, c] : changes) changed.push_back(view.workspace->root() / path);
  view.workspace->changed(changed);
  return out;
}

const json& first(const json& arguments) {
  static const json kNone = json::object();
  return arguments.empty() || !arguments[0].is_object() ? kNone : arguments[0];
}

Result<Plan> make_plan(FeatureRun& run, const View& view, const RefactorRequest& request) {
  run.progress.begin("Ambit: " + request.instruction.substr(0, 60), Progress::kUnknown, "planning");
  auto plan = plan_by_index(*view.context->snapshot, request, run.stop);
  if (plan || plan.error().code != Code::kUnsupported) return plan;
  run.progress.report(Progress::kUnknown, "waiting for the model");
  AMBIT_CHECK_OK(wait_for_model(run));
  auto context = *view.context;
  context.progress = [&run](int percentage, std::string message) {
    run.progress.report(percentage, std::move(message));
  };
  run.progress.report(Progress::kUnknown, "asking the model");
  auto made = plan_by_model(context, request);
  if (!made && made.error().code == Code::kUnsupported) {
    return make_error(Code::kUnavailable,
                      plan.error().message + plain_forms() + made.error().message);
  }
  return made;
}

}  // namespace

Result<lsp::Json> refactor_plan(FeatureRun& run, const json& arguments) {
  const auto& argument = first(arguments);
  RefactorRequest request;
  request.instruction = argument.at("instruction").get<std::string>();
  if (request.instruction.size() > 10'000) {
    return make_error(Code::kInvalidArgument, "the instruction is longer than 10000 bytes");
  }
  request.comments = argument.value("comments", false);
  request.strings = argument.value("strings", false);
  if (argument.contains("paths")) request.paths = argument["paths"].get<std::vector<std::string>>();
  AMBIT_TRY(now, indexed_view_of(run, argument, std::chrono::seconds(60)));
  if (argument.contains("position")) {
    const auto path = lsp::path_from_uri(argument.at("uri").get<std::string>());
    if (!path) return make_error(Code::kInvalidArgument, "the document is no file");
    request.at_path = fs::path(*path).lexically_relative(now.workspace->root()).string();
    AMBIT_TRY(text, now.context->snapshot->text(request.at_path));
    request.at_offset = static_cast<std::uint32_t>(
        offset_at(text, position_of(argument["position"]), run.session->client_info().encoding));
  }
  AMBIT_TRY(tools, tools_of(run, now.workspace->root()));
  AMBIT_TRY(plan, make_plan(run, now, request));
  AMBIT_TRY(changes, plan_changes(plan, reader(now, tools.journal)));
  AMBIT_TRY(file, tools.store.save(plan));
  return answer_json(json{{"id", plan.id},
                          {"instruction", plan.instruction},
                          {"file", file.string()},
                          {"files", changes.size()},
                          {"steps", steps_json(plan)},
                          {"notes", plan.notes},
                          {"preview", "ambit-preview:/" + plan.id + ".diff"}});
}

Result<lsp::Json> refactor_preview(FeatureRun& run, const json& arguments) {
  const auto& argument = first(arguments);
  AMBIT_TRY(view, view_of(run, argument));
  AMBIT_TRY(tools, tools_of(run, view.workspace->root()));
  AMBIT_TRY(plan, tools.store.load(argument.value("id", "")));
  AMBIT_TRY(changes, plan_changes(plan, reader(view, tools.journal)));
  AMBIT_TRY(diff, unified_diff_of(changes));
  json files = json::array();
  for (const auto& [path, c] : changes) files.push_back(path);
  const auto uri = "ambit-preview:/" + plan.id + ".diff";
  if (argument.value("show", false)) {
    refresh_content(run.session, uri);
    static_cast<void>(show_document(run, uri, false));
  }
  return answer_json(json{{"id", plan.id}, {"diff", diff}, {"files", files}, {"uri", uri}});
}

Result<lsp::Json> refactor_apply(FeatureRun& run, const json& arguments) {
  const auto& argument = first(arguments);
  AMBIT_TRY(view, view_of(run, argument));
  AMBIT_TRY(tools, tools_of(run, view.workspace->root()));
  AMBIT_TRY(plan, tools.store.load(argument.value("id", "")));
  run.progress.begin("Ambit: " + plan.instruction.substr(0, 60), Progress::kUnknown, "applying");
  auto changes = plan_changes(plan, reader(view, tools.journal));
  if (!changes) return changes.error();
  if (run.stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
  ApplyRequest request;
  request.title = plan.instruction;
  request.plan = plan.id;
  AMBIT_TRY(applied, carry_out(run, view, tools, *changes, std::move(request)));
  return answer_json(json{{"id", applied.id},
                          {"plan", plan.id},
                          {"files", changes->size()},
                          {"inEditor", applied.in_editor}});
}

Result<lsp::Json> refactor_undo(FeatureRun& run, const json& arguments) {
  const auto& argument = first(arguments);
  AMBIT_TRY(view, view_of(run, argument));
  AMBIT_TRY(tools, tools_of(run, view.workspace->root()));
  AMBIT_TRY(entry, tools.journal.entry(argument.value("id", "")));
  std::set<std::size_t> hunks;
  if (argument.contains("hunks")) hunks = argument["hunks"].get<std::set<std::size_t>>();
  run.progress.begin("Ambit: undo", Progress::kUnknown, entry.title.substr(0, 60));
  AMBIT_TRY(undo, plan_undo(entry, reader(view, tools.journal), hunks));
  json id;
  if (!undo.changes.empty()) {
    ApplyRequest request;
    request.title = "undo " + entry.title;
    request.undoes = entry.id;
    request.part = !hunks.empty();
    request.folders = entry.folders;
    AMBIT_TRY(applied, carry_out(run, view, tools, undo.changes, std::move(request)));
    id = applied.id;
  }
  json conflicts = json::array();
  for (const auto& c : undo.conflicts) {
    conflicts.push_back({{"path", c.path}, {"line", c.line}, {"reason", c.reason}});
  }
  return answer_json(json{{"id", id},
                          {"undoes", entry.id},
                          {"title", entry.title},
                          {"files", undo.changes.size()},
                          {"hunks", undo.hunks},
                          {"conflicts", std::move(conflicts)}});
}

Result<lsp::Json> refactor_hunks(FeatureRun& run, const json& arguments) {
  const auto& argument = first(arguments);
  AMBIT_TRY(view, view_of(run, argument));
  AMBIT_TRY(tools, tools_of(run, view.workspace->root()));
  AMBIT_TRY(entry, tools.journal.entry(argument.value("id", "")));
  AMBIT_TRY(hunks, hunks_of(entry));
  json list = json::array();
  for (const auto& h : hunks) {
    list.push_back(
        {{"path", h.path}, {"line", h.line}, {"removed", h.removed}, {"added", h.added}});
  }
  return answer_json(json{{"id", entry.id}, {"title", entry.title}, {"hunks", std::move(list)}});
}

Result<lsp::Json> refactor_list(FeatureRun& run, const json& arguments) {
  AMBIT_TRY(view, view_of(run, first(arguments)));
  AMBIT_TRY(tools, tools_of(run, view.workspace->root()));
  AMBIT_TRY(entries, tools.journal.list());
  json changes = json::array();
  for (const auto& e : entries) {
    changes.push_back({{"id", e.id},
                       {"plan", e.plan},
                       {"title", e.title},
                       {"undoes", e.undoes},
                       {"created", e.created},
                       {"files", e.files.size()},
                       {"applied", e.state == EntryState::kApplied}});
  }
  return answer_json(json{{"changes", std::move(changes)}, {"plans", tools.store.list()}});
}

Result<std::string> refactor_document(FeatureRun& run, const std::string& uri) {
  constexpr std::string_view kPrefix = "ambit-preview:/";
  std::string id = uri.starts_with(kPrefix) ? uri.substr(kPrefix.size()) : "";
  if (id.ends_with(".diff")) id.resize(id.size() - 5);
  if (id.empty() ||
      id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
    return make_error(Code::kInvalidArgument, "there is no document " + uri.substr(0, 200));
  }
  AMBIT_TRY(answer, refactor_preview(run, json::array({json{{"id", id}}})));
  return answer.value().at("diff").get<std::string>();
}

namespace {

Result<lsp::Json> model_plan(FeatureRun& run, const json& params) {
  const auto root = params.at("root").get<std::string>();
  RefactorRequest request;
  request.instruction = params.at("instruction").get<std::string>();
  request.paths = params.value("paths", std::vector<std::string>());
  request.at_path = params.value("at_path", std::string());
  request.at_offset = params.value("at_offset", 0U);
  request.comments = params.value("comments", false);
  request.strings = params.value("strings", false);
  const auto inside = root + "/plan";  // any path in it finds the workspace
  AMBIT_TRY(workspace, run.session->on_strand<std::shared_ptr<Workspace>>(
                           [&](Session& s) { return s.workspace_of(inside); }));
  if (!workspace || !workspace->wait_indexed(std::chrono::seconds(120))) {
    return make_error(Code::kUnavailable, "the repository is not indexed yet");
  }
  AMBIT_CHECK_OK(wait_for_model(run));
  AMBIT_TRY(context, context_of(run, inside));
  AMBIT_TRY(plan, plan_by_model(context, request));
  return answer_json(json{{"plan", to_toml(plan)}});
}

}  // namespace

void on_plan(Session& session, const lsp::RequestId& id, const json& params) {
  session.folders.push_back(params.at("root").get<std::string>());
  run_feature(session, id, nullptr, [params](FeatureRun& run) { return model_plan(run, params); });
}

}  // namespace ambit::daemon
