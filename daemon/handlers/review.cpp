#include "daemon/handlers/review.h"

#include <map>
#include <nlohmann/json.hpp>

#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/format.h"
#include "daemon/assists/review/model_findings.h"
#include "daemon/assists/review/suppress.h"
#include "daemon/handlers/convert.h"
#include "daemon/handlers/table.h"
#include "daemon/server.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

constexpr const char* kSource = "ambit";

struct Asked {
  std::shared_ptr<AssistContext> context;
  std::shared_ptr<Workspace> workspace;
  PositionEncoding encoding = PositionEncoding::kUtf16;
  std::map<std::string, std::shared_ptr<const std::string>> open;  // by absolute path
  std::map<std::string, std::int64_t> versions;                    // by URI
};

// Columns in the client's encoding, from bytes of the reviewed line.
json range_of(const review::Range& r, std::string_view text, PositionEncoding encoding) {
  const auto starts = review::line_starts(text);
  const auto at = [&](std::uint32_t line, std::uint32_t column) {
    if (line >= starts.size()) return text.size();
    const auto length = review::line_text(text, starts, line).size();
    return static_cast<std::size_t>(starts[line]) + std::min<std::size_t>(column, length);
  };
  return range_json(text, at(r.line, r.column), at(r.end_line, r.end_column), encoding);
}

int lsp_severity(const review::Finding& f) {
  // Facts about broken code are errors; nothing that a model says is.
  switch (f.severity) {
    case review::Severity::kError:
      return f.origin == review::Origin::kFact ? 1 : 2;
    case review::Severity::kWarning:
      return 2;
    case review::Severity::kInfo:
      return 3;
  }
  return 3;
}

}  // namespace

Result<lsp::Json> review_command_lsp(FeatureRun& run, const json& arguments) {
  const json options = arguments.empty() ? json::object() : arguments[0];
  const auto path = lsp::path_from_uri(options.at("uri").get<std::string>());
  if (!path) return make_error(Code::kInvalidArgument, "only files can be reviewed");
  const auto scope = options.value("scope", std::string("worktree"));
  review::Source source;
  source.repository = std::filesystem::path(*path).parent_path();
  if (scope == "staged") {
    source.scope = review::Scope::kStaged;
  } else if (scope == "range") {
    source.scope = review::Scope::kRange;
    source.range = options.at("range").get<std::string>();
  } else if (scope == "worktree") {
    source.scope = review::Scope::kWorktree;
  } else {
    return make_error(Code::kInvalidArgument, "the scopes are staged, worktree and range");
  }
  run.progress.begin("Review", 0, "reading the change");
  const auto stop = run.stop;
  AMBIT_TRY(asked, run.session->on_strand<Asked>([&path, stop](Session& s) {
    Asked a;
    a.context = s.assist_context(*path, stop);
    a.workspace = s.workspace_of(*path);
    a.encoding = s.client.encoding;
    for (const auto& [uri, document] : s.documents.all()) {
      a.versions[uri] = document.version;
      if (const auto file = lsp::path_from_uri(uri)) a.open[*file] = document.text;
    }
    return a;
  }));
  AMBIT_TRY(change, review::load_change(source));
  if (!asked.workspace || !asked.workspace->wait_indexed(std::chrono::seconds(60))) {
    return make_error(Code::kUnavailable, "the repository is not indexed yet; try again soon");
  }
  const auto worktree = asked.workspace->snapshot();
  const auto after = review::snapshot_after(change, worktree);
  run.progress.report(20, "checking callers");
  review::FactsOptions facts_options;
  facts_options.stop = stop;
  auto facts = review::find_facts(change, after, facts_options);
  if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
  json notes = json::array();
  if (asked.context) {
    run.progress.report(40, "asking the model");
    auto context = *asked.context;
    context.snapshot = worktree;
    context.stop = stop;
    const auto answer = review::review_by_model(context, change, *after, facts.findings,
                                                inference::Priority::kCommand);
    if (answer) {
      for (const auto& f : answer->findings) facts.findings.push_back(f);
      if (!answer->problem.empty()) notes.push_back(answer->problem);
    } else if (answer.error().code == Code::kCancelled) {
      return answer.error();
    } else {
      notes.push_back(answer.error().message);
    }
  }
  AMBIT_TRY(baseline, review::Baseline::load(change.root / ".ambit-baseline.json"));
  auto dismissals = review::Baseline::load(review::dismissals_file(change.root));
  if (!dismissals) dismissals = review::Baseline{};
  (void)review::sift(facts.findings, change, baseline, *dismissals);
  review::sort_findings(facts.findings);

  // A finding is shown where its reviewed text is what the editor has; else the columns would lie.
  std::map<std::string, json> by_uri;
  const auto text_of = [&](const std::string& file) -> std::string {
    const auto full = (change.root / file).string();
    if (const auto it = asked.open.find(full); it != asked.open.end()) return *it->second;
    const auto text = worktree->text(file);
    return text ? *text : std::string();
  };
  for (const auto& f : facts.findings) {
    const auto full = (change.root / f.path).string();
    const auto uri = lsp::uri_from_path(full);
    const auto text = text_of(f.path);
    const auto* file = change.find(f.path);
    if (file != nullptr && file->after && file->after->text != text) {
      notes.push_back(f.path + ":" + std::to_string(f.range.line + 1) + ": " + f.message +
                      " (the editor's text is another one, so it is not marked there)");
      continue;
    }
    json item{{"range", range_of(f.range, text, asked.encoding)},
              {"severity", lsp_severity(f)},
              {"source", kSource},
              {"code", f.rule},
              {"message", f.explanation.empty() ? f.message : f.message + "\n" + f.explanation}};
    json related = json::array();
    for (const auto& r : f.related) {
      related.push_back({{"location",
                          {{"uri", lsp::uri_from_path((change.root / r.path).string())},
                           {"range", range_of(r.range, text_of(r.path), asked.encoding)}}},
                         {"message", r.message}});
    }
    if (!related.empty()) item["relatedInformation"] = std::move(related);
    json data{{"fingerprint", f.fingerprint}};
    if (f.fix) {
      json changes = json::object();
      for (const auto& e : f.fix->edits) {
        const auto target = lsp::uri_from_path((change.root / e.path).string());
        auto range = range_of(e.range, text_of(e.path), asked.encoding);
        if (e.range.end_column == 0 && e.range.end_line > e.range.line) {
          range["end"] = {{"line", e.range.end_line}, {"character", 0}};
        }
        changes[target].push_back({{"range", std::move(range)}, {"newText", e.text}});
      }
      data["fix"] = {{"title", f.fix->title}, {"edit", {{"changes", std::move(changes)}}}};
    }
    item["data"] = std::move(data);
    by_uri[uri].push_back(std::move(item));
  }
  run.session->clear_diagnostics(kSource);
  for (auto& [uri, items] : by_uri) {
    const auto version = asked.versions.find(uri);
    run.session->set_diagnostics(
        uri, kSource,
        version == asked.versions.end() ? std::nullopt : std::optional(version->second), items);
  }
  review::Report report;
  report.findings = std::move(facts.findings);
  report.change = change.name;
  report.files = change.files.size();
  report.added = change.added;
  report.removed = change.removed;
  auto out = json::parse(review::format_json(report));
  out["notes"] = std::move(notes);
  out["root"] = change.root.string();
  run.progress.report(100);
  return lsp::Json(std::move(out));
}

namespace {

// The model's part alone, for `ambit review`: the facts are made there, and again here, so that the
// model does not repeat them.
Result<lsp::Json> model_part(FeatureRun& run, const json& params) {
  const auto root = params.at("root").get<std::string>();
  review::Source source;
  source.repository = root;
  const auto scope = params.at("scope").get<std::string>();
  if (scope == "staged") {
    source.index_file = params.value("index_file", std::string());
    source.parents = params.value("parents", std::vector<std::string>());
  } else if (scope == "worktree") {
    source.scope = review::Scope::kWorktree;
  } else if (scope == "range") {
    source.scope = review::Scope::kRange;
    source.range = params.at("range").get<std::string>();
  } else {
    source.scope = review::Scope::kPatch;
    source.patch = params.at("patch").get<std::string>();
  }
  source.paths = params.value("paths", std::vector<std::string>());
  AMBIT_TRY(change, review::load_change(source));
  const auto inside = root + "/review";  // any path in it finds the workspace
  const auto stop = run.stop;
  AMBIT_TRY(context, run.session->on_strand<std::shared_ptr<AssistContext>>(
                         [&](Session& s) { return s.assist_context(inside, stop); }));
  AMBIT_TRY(workspace, run.session->on_strand<std::shared_ptr<Workspace>>(
                           [&](Session& s) { return s.workspace_of(inside); }));
  if (!context || !workspace || !workspace->wait_indexed(std::chrono::seconds(120))) {
    return make_error(Code::kUnavailable, "the repository is not indexed yet");
  }
  auto asked = *context;
  asked.snapshot = workspace->snapshot();
  asked.packer = workspace->packer();
  const auto after = review::snapshot_after(change, asked.snapshot);
  review::FactsOptions options;
  options.stop = stop;
  const auto facts = review::find_facts(change, after, options);
  AMBIT_TRY(answer,
            review::review_by_model(asked, change, *after, facts.findings,
                                    params.value("hook", false) ? inference::Priority::kHook
                                                                : inference::Priority::kCommand));
  json findings = json::array();
  for (const auto& f : answer.findings) {
    findings.push_back({{"path", f.path},
                        {"line", f.range.line},
                        {"column", f.range.column},
                        {"end_line", f.range.end_line},
                        {"end_column", f.range.end_column},
                        {"message", f.message},
                        {"explanation", f.explanation},
                        {"confidence", f.confidence}});
  }
  return lsp::Json(json{{"findings", std::move(findings)},
                        {"problem", answer.problem},
                        {"model", asked.scheduler->backend()->describe().name}});
}

}  // namespace

void on_review(Session& session, const lsp::RequestId& id, const json& params) {
  const auto root = params.at("root").get<std::string>();
  session.folders.push_back(root);
  session.server.when_model_settled([weak = session.weak_from_this(), id, params] {
    const auto self = weak.lock();
    if (!self) return;
    self->post([id, params](Session& s) {
      run_feature(s, id, nullptr, [params](FeatureRun& run) { return model_part(run, params); });
    });
  });
}

Result<lsp::Json> review_clear_lsp(FeatureRun& run, const json&) {
  run.session->clear_diagnostics(kSource);
  return lsp::Json();
}

ActionProvider review_fixes() {
  ActionProvider out;
  out.name = "review";
  out.kind = "quickfix";
  out.instant = true;
  out.offer = [](Session& session, const ActionContext& asked) {
    std::vector<OfferedAction> actions;
    for (const auto& d : session.diagnostics.items(asked.document.uri)) {
      if (d.value("source", "") != kSource || !d.contains("data") || !d["data"].contains("fix")) {
        continue;
      }
      const auto& range = d.at("range");
      const auto first = asked.range.at("start").at("line").get<std::int64_t>();
      const auto last = asked.range.at("end").at("line").get<std::int64_t>();
      if (range.at("start").at("line").get<std::int64_t>() > last ||
          range.at("end").at("line").get<std::int64_t>() < first) {
        continue;
      }
      const auto& fix = d["data"]["fix"];
      OfferedAction action;
      action.title = "Ambit: " + fix.value("title", std::string("fix"));
      action.kind = "quickfix";
      action.data = fix;
      action.diagnostics = json::array({d});
      action.preferred = true;
      action.by_model = false;
      actions.push_back(std::move(action));
    }
    return actions;
  };
  out.resolve = [](FeatureRun&, const json& data) -> Result<lsp::Json> {
    const auto it = data.find("edit");
    if (it == data.end() || !it->is_object()) {
      return make_error(Code::kInvalidArgument, "this fix is out of date; review again");
    }
    return lsp::Json(*it);
  };
  return out;
}

}  // namespace ambit::daemon
