#include "daemon/handlers/actions.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/assists/ask.h"
#include "daemon/assists/refactor/edit_format.h"
#include "daemon/assists/refactor/extract.h"
#include "daemon/assists/rewrite/rewrite.h"
#include "daemon/handlers/client_requests.h"
#include "daemon/handlers/convert.h"
#include "daemon/handlers/model_context.h"
#include "daemon/server.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxOfferBytes = std::size_t{256} << 10;  // parsed on the strand: some 20 ms
constexpr std::size_t kMaxFixes = 3;
constexpr std::size_t kMaxAnswers = 20;
constexpr std::int64_t kMaxFixLines = 80;

// A document at one moment, and what an assist needs of it.
struct Place {
  std::string uri;
  std::int64_t version = 0;
  RewriteRequest request;  // path, text and the span that was meant
  AssistContext context;
};

// The place that {uri, range, version?} names. A version that is no longer the document's is an
// error: its positions would be another text's.
Result<Place> place_of(FeatureRun& run, const json& data) {
  Place out;
  out.uri = data.at("uri").get<std::string>();
  const auto path = lsp::path_from_uri(out.uri);
  if (!path) return make_error(Code::kInvalidArgument, "only files can be changed");
  struct Seen {
    bool open = false;
    std::int64_t version = 0;
    std::shared_ptr<const std::string> text;
    PositionEncoding encoding = PositionEncoding::kUtf16;
  };
  AMBIT_TRY(seen, run.session->on_strand<Seen>([&](Session& s) {
    Seen one;
    one.encoding = s.client.encoding;
    if (const auto* document = s.documents.find(out.uri)) {
      one = {true, document->version, document->text, s.client.encoding};
    }
    return one;
  }));
  if (!seen.open) return make_error(Code::kInvalidArgument, "open the document first");
  if (data.contains("version") && data["version"] != json(seen.version)) {
    return make_error(Code::kInvalidArgument, "the document has changed; ask again");
  }
  out.version = seen.version;
  AMBIT_TRY(context, context_of(run, *path));
  out.context = std::move(context);
  out.request.path = fs::path(*path).lexically_relative(out.context.root).string();
  out.request.text = *seen.text;
  const auto at = [&](const char* end) {
    return static_cast<std::uint32_t>(
        offset_at(*seen.text, position_of(data.at("range").at(end)), seen.encoding));
  };
  const auto begin = at("start");
  out.request.span = {begin, std::max(begin, at("end"))};
  return out;
}

Result<Place> place_for_model(FeatureRun& run, const json& data, std::string title) {
  run.progress.begin(std::move(title), Progress::kUnknown, "waiting for the model");
  AMBIT_CHECK_OK(wait_for_model(run));
  AMBIT_CHECK_OK(wait_for_index(run, data.at("uri").get<std::string>()));
  AMBIT_TRY(place, place_of(run, data));
  place.request.span = lines_of(place.request.path, place.request.text, place.request.span);
  run.progress.report(Progress::kUnknown, "asking the model");
  return place;
}

Result<lsp::Json> as_json(json value) {
  return Result<lsp::Json>(lsp::Json(std::move(value)));
}

Result<lsp::Json> workspace_edit(FeatureRun& run, const Place& place,
                                 const std::vector<TextEdit>& edits) {
  const auto client = run.session->client_info();
  json list = json::array();
  for (const auto& e : edits) {
    list.push_back(
        {{"range", range_json(place.request.text, e.span.begin, e.span.end, client.encoding)},
         {"newText", e.text}});
  }
  if (client.document_changes) {
    json document{{"textDocument", {{"uri", place.uri}, {"version", place.version}}},
                  {"edits", std::move(list)}};
    return as_json({{"documentChanges", json::array({std::move(document)})}});
  }
  // Without versions in the edit, ours is the last look.
  AMBIT_TRY(same, run.session->on_strand<bool>([&](Session& s) {
    const auto* document = s.documents.find(place.uri);
    return document != nullptr && document->version == place.version;
  }));
  if (!same) return make_error(Code::kInvalidArgument, "the document has changed; ask again");
  return as_json({{"changes", {{place.uri, std::move(list)}}}});
}

Result<lsp::Json> rewritten(FeatureRun& run, const json& data, RewriteRequest::Kind kind,
                            const std::string& instruction, const std::string& title) {
  AMBIT_TRY(place, place_for_model(run, data, title));
  place.request.kind = kind;
  place.request.instruction = instruction;
  AMBIT_TRY(edit, rewrite_by_model(place.context, place.request));
  return workspace_edit(run, place, {edit});
}

// A test file that is new, or longer at its end.
Result<lsp::Json> test_edit(FeatureRun& run, const json& data) {
  AMBIT_TRY(place, place_for_model(run, data, "Ambit: write a test"));
  AMBIT_TRY(change, test_by_model(place.context, place.request));
  const auto client = run.session->client_info();
  const auto uri = lsp::uri_from_path((place.context.root / change.path).string());
  run.show = uri;
  if (!change.before &&
      (!client.document_changes || !client.resource_operations.contains("create"))) {
    return make_error(Code::kUnsupported,
                      "this editor creates no files for a server; make " + change.path + " first");
  }
  using Version = std::optional<std::int64_t>;
  AMBIT_TRY(version, run.session->on_strand<Version>([&](Session& s) -> Version {
    const auto* document = s.documents.find(uri);
    return document == nullptr ? Version() : document->version;
  }));
  const auto& before = change.before ? *change.before : std::string();
  json edits =
      json::array({{{"range", range_json(before, before.size(), before.size(), client.encoding)},
                    {"newText", change.after->substr(before.size())}}});
  if (!client.document_changes) return as_json({{"changes", {{uri, std::move(edits)}}}});
  json changes = json::array();
  if (!change.before) changes.push_back({{"kind", "create"}, {"uri", uri}});
  changes.push_back(
      {{"textDocument", {{"uri", uri}, {"version", version ? json(*version) : json()}}},
       {"edits", std::move(edits)}});
  return as_json({{"documentChanges", std::move(changes)}});
}

// Why the model cannot be asked now, "" when it can (a cold one is started by who asks).
std::string model_asleep(Session& session, std::string_view what) {
  const auto info = session.server.scheduler()->backend()->describe();
  if (info.state == inference::BackendState::kUnavailable) {
    return info.problem.empty() ? "there is no model" : info.problem;
  }
  if (info.state == inference::BackendState::kLoading) return "the model is still loading";
  if (info.state == inference::BackendState::kCold && info.weights_bytes == 0) return "";
  const auto able = can_judge(info, what);
  return able ? "" : able.error().message;
}

json data_of(const ActionContext& asked, const char* what) {
  return {{"what", what},
          {"uri", asked.document.uri},
          {"version", asked.document.version},
          {"range", asked.range}};
}

// "// ambit: make this iterative" among the marked lines: what the comment asks for.
std::string comment_instruction(std::string_view text) {
  for (auto at = text.find("ambit:"); at != std::string_view::npos;
       at = text.find("ambit:", at + 1)) {
    const auto rest = text.substr(at + 6);
    const auto line = text.rfind('\n', at);
    const auto before = text.substr(line == std::string_view::npos ? 0 : line + 1,
                                    at - (line == std::string_view::npos ? 0 : line + 1));
    const bool comment = before.find_first_not_of(" \t/*#-;<!") == std::string_view::npos &&
                         before.find_first_of("/#-;*!") != std::string_view::npos;
    if (comment && !rest.starts_with("ignore")) {
      auto words = printable_line(rest.substr(0, rest.find('\n')), 4000);
      while (words.ends_with("*/") || words.ends_with("-->")) {
        words.resize(words.size() - (words.ends_with("*/") ? 2 : 3));
      }
      return printable_line(words, 4000);
    }
  }
  return {};
}

}  // namespace

ActionProvider extract_actions() {
  ActionProvider out;
  out.name = "extract";
  out.kind = "refactor.extract";
  out.instant = true;
  out.offer = [](Session&, const ActionContext& asked) {
    std::vector<OfferedAction> actions;
    const std::string_view text = *asked.document.text;
    if (asked.begin == asked.end || text.size() > kMaxOfferBytes) return actions;
    const auto path = lsp::path_from_uri(asked.document.uri);
    if (!path) return actions;
    const auto language = indexer::language_of(*path, text.substr(0, std::size_t{1} << 16));
    const indexer::ByteSpan span{static_cast<std::uint32_t>(asked.begin),
                                 static_cast<std::uint32_t>(asked.end)};
    const auto add = [&](const char* what, const Result<Extraction>& made) {
      if (!made) return;
      OfferedAction action;
      action.title = std::string("Ambit: extract to a ") + what;
      action.kind = std::string("refactor.extract.") + what;
      action.data = data_of(asked, what);
      action.by_model = false;
      actions.push_back(std::move(action));
    };
    add("variable", extract_variable(language, text, span));
    add("function", extract_function(language, text, span));
    return actions;
  };
  out.resolve = [](FeatureRun& run, const json& data) -> Result<lsp::Json> {
    AMBIT_TRY(place, place_of(run, data));
    const auto& r = place.request;
    const auto language =
        indexer::language_of(r.path, std::string_view(r.text).substr(0, std::size_t{1} << 16));
    AMBIT_TRY(made, data.at("what") == "function" ? extract_function(language, r.text, r.span)
                                                  : extract_variable(language, r.text, r.span));
    return workspace_edit(run, place, made.edits);
  };
  return out;
}

ActionProvider model_actions() {
  ActionProvider out;
  out.name = "model";
  out.kind = "refactor.rewrite.ambit";
  out.offer = [](Session& session, const ActionContext& asked) {
    std::vector<OfferedAction> actions;
    if (!lsp::path_from_uri(asked.document.uri)) return actions;
    const auto asleep = model_asleep(session, "explanations, rewrites and tests");
    const auto add = [&](const char* title, const char* what) -> OfferedAction& {
      OfferedAction action;
      action.title = std::string("Ambit: ") + title;
      action.kind = std::string("refactor.rewrite.ambit.") + what;
      action.data = data_of(asked, what);
      action.disabled = asleep;
      actions.push_back(std::move(action));
      return actions.back();
    };
    // First the one that changes nothing: a lone action runs at one click in VS Code.
    auto& explain = add("explain", "explain");
    explain.command = {
        {"command", "ambit.explain"},
        {"arguments", json::array({{{"uri", asked.document.uri}, {"range", asked.range}}})}};
    add("document", "document");
    add("write a test", "test");
    // Without a selection the line of the caret.
    const std::string_view text = *asked.document.text;
    auto begin = asked.begin, end = asked.end;
    if (begin == end) {
      while (begin > 0 && text[begin - 1] != '\n') --begin;
      end = std::min(text.find('\n', end), text.size());
    }
    const auto lines = text.substr(begin, end - begin);
    if (const auto words = comment_instruction(lines); !words.empty()) {
      auto& rewrite = add("", "comment");
      rewrite.title = "Ambit: " + words.substr(0, 60);
      rewrite.data["instruction"] = words;
    }
    return actions;
  };
  out.resolve = [](FeatureRun& run, const json& data) -> Result<lsp::Json> {
    const auto& what = data.at("what");
    if (what == "test") return test_edit(run, data);
    if (what == "document") {
      return rewritten(run, data, RewriteRequest::kDocument, "", "Ambit: document");
    }
    if (what == "comment") {
      const auto words = data.at("instruction").get<std::string>();
      return rewritten(run, data, RewriteRequest::kRewrite,
                       words + " (this is said by a comment among the lines; leave it out)",
                       "Ambit: " + words.substr(0, 60));
    }
    return make_error(Code::kInvalidArgument, "this action is not one of ours");
  };
  return out;
}

ActionProvider fix_actions() {
  ActionProvider out;
  out.name = "fix";
  out.kind = "quickfix.ambit";
  out.offer = [](Session& session, const ActionContext& asked) {
    std::vector<OfferedAction> actions;
    const auto asleep = model_asleep(session, "fixes");
    for (const auto& d : asked.diagnostics) {
      if (actions.size() >= kMaxFixes || !d.is_object()) break;
      const json& message = member(d, {"message"});
      // What comes with a fix needs no guess.
      if (!message.is_string() || !member(d, {"data", "fix"}).is_null()) continue;
      OfferedAction action;
      const auto words = printable_line(message.get<std::string>(), 1000);
      action.title = "Ambit: fix \xE2\x80\x9C" + printable_line(words, 60) + "\xE2\x80\x9D";
      action.kind = "quickfix.ambit";
      action.data = data_of(asked, "fix");
      action.data["range"] = d.at("range");
      action.data["message"] = words;
      action.diagnostics = json::array({d});
      action.disabled = asleep;
      actions.push_back(std::move(action));
    }
    return actions;
  };
  out.resolve = [](FeatureRun& run, const json& data) -> Result<lsp::Json> {
    const auto message = data.at("message").get<std::string>();
    // The definition around it where that is short, else its own lines.
    auto around = data;
    const auto first = data.at("range").at("start");
    around["range"] = {{"start", first}, {"end", first}};
    AMBIT_TRY(place, place_of(run, around));
    const auto lines = lines_of(place.request.path, place.request.text, place.request.span);
    const auto text = std::string_view(place.request.text).substr(lines.begin, lines.size());
    const bool is_short = std::count(text.begin(), text.end(), '\n') <= kMaxFixLines;
    return rewritten(run, is_short ? around : data, RewriteRequest::kFix, message,
                     "Ambit: fix \xE2\x80\x9C" + printable_line(message, 60) + "\xE2\x80\x9D");
  };
  return out;
}

Result<lsp::Json> explain_command(FeatureRun& run, const json& arguments) {
  const json options = arguments.empty() ? json::object() : arguments[0];
  AMBIT_TRY(place, place_for_model(run, options, "Ambit: explain"));
  AMBIT_TRY(text, explain_by_model(place.context, place.request));
  AMBIT_TRY(uri, run.session->on_strand<std::string>([&](Session& s) {
    const auto name = "ambit-answer:/" + std::to_string(s.next_answer++) + ".md";
    s.answers.emplace_back(name, text);
    if (s.answers.size() > kMaxAnswers) s.answers.pop_front();
    return name;
  }));
  const auto client = run.session->client_info();
  if (client.text_document_content && client.show_document) {
    static_cast<void>(show_document(run, uri, false));
  }
  return as_json({{"text", std::move(text)}, {"uri", uri}});
}

Result<lsp::Json> rewrite_command(FeatureRun& run, const json& arguments) {
  const json options = arguments.empty() ? json::object() : arguments[0];
  const auto words = options.at("instruction").get<std::string>();
  if (words.empty() || words.size() > 4000) {
    return make_error(Code::kInvalidArgument, "say what shall change, in at most 4000 bytes");
  }
  const auto title = "Ambit: " + printable_line(words, 60);
  AMBIT_TRY(edit, rewritten(run, options, RewriteRequest::kRewrite, words, title));
  AMBIT_TRY(applied, apply_edit(run, edit.value(), title));
  if (!applied.applied) {
    return make_error(Code::kUnavailable,
                      "the editor did not apply the edit" +
                          (applied.reason.empty() ? "; ask again" : ": " + applied.reason));
  }
  return lsp::Json();
}

// A file that an action wrote into. Only files: what an editor does with other addresses is not
// known.
Result<lsp::Json> show_command(FeatureRun& run, const json& arguments) {
  const auto uri = arguments.at(0).at("uri").get<std::string>();
  if (!lsp::path_from_uri(uri)) return make_error(Code::kInvalidArgument, uri + " is no file");
  AMBIT_TRY(shown, show_document(run, uri, true));
  static_cast<void>(shown);
  return lsp::Json();
}

Result<std::string> answer_document(FeatureRun& run, const std::string& uri) {
  AMBIT_TRY(text, run.session->on_strand<std::string>([&](Session& s) -> std::string {
    for (const auto& [name, answer] : s.answers) {
      if (name == uri) return answer;
    }
    return {};
  }));
  if (text.empty()) return make_error(Code::kInvalidArgument, "this answer is gone; ask again");
  return text;
}

}  // namespace ambit::daemon
