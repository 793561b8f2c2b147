// From a request for ghost text to the answer: type-through first, then one pause, one generation.
// Automatic paths never answer an error that an editor would show: nothing to offer is null, and
// the reason is kept for status.
#include <nlohmann/json.hpp>

#include "daemon/assists/completion/lead.h"
#include "daemon/assists/completion/memory.h"
#include "daemon/handlers/convert.h"
#include "daemon/handlers/table.h"
#include "daemon/server.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::string_view kSuperseded = "superseded by a newer request";

struct Asked {
  lsp::RequestId id;
  std::string uri, language;
  std::shared_ptr<const std::string> document;  // as the editor has it
  // The same, but with the entry that is chosen in the editor's completion list already taken.
  std::shared_ptr<const std::string> text;
  std::size_t cursor = 0;         // in text
  json selected_range = nullptr;  // what that entry replaces; null without one
  std::string selected;           // its text
  bool invoked = false;
  bool as_list = false;  // textDocument/completion
  std::uint64_t generation = 0;
  Clock::time_point start;
};

// One entry of the ordinary completion list, below those of a language server.
json list_item(const Asked& asked, const std::string& rest, const std::string& line,
               const std::string& whole, const json& range, const ClientInfo& client) {
  const auto first = std::min(rest.find_first_not_of(" \t\r\n"), rest.size());
  json item = {{"label", rest.substr(first, rest.find('\n', first) - first)},
               {"kind", 1},  // text
               {"sortText", "~"},
               {"filterText", line},
               {"textEdit", {{"range", range}, {"newText", whole}}},
               {"data", {{"language", asked.language}, {"text", rest}}}};
  if (client.insert_text_modes) item["insertTextMode"] = 1;  // as it is: no indenting again
  if (client.label_details) {
    item["labelDetails"] = {{"description", "ambit"}};
  } else {
    item["detail"] = "ambit";
  }
  return item;
}

// The replacement range starts at the start of the line, so that ghost text stays steady while it
// is typed.
json item_json(const Asked& asked, const std::string& rest, std::size_t replace_after,
               const ClientInfo& client) {
  const std::string& text = *asked.text;
  const auto line_break =
      asked.cursor == 0 ? std::string::npos : text.find_last_of("\r\n", asked.cursor - 1);
  const std::size_t line_start = line_break == std::string::npos ? 0 : line_break + 1;
  const std::string line = text.substr(line_start, asked.cursor - line_start);
  // With an entry chosen in the list, editors show only what extends it in its own range.
  const bool selected = !asked.selected_range.is_null();
  const json range =
      selected ? asked.selected_range
               : range_json(text, line_start, asked.cursor + replace_after, client.encoding);
  const std::string whole = (selected ? asked.selected : line) + rest;
  if (asked.as_list) return list_item(asked, rest, line, whole, range, client);
  return {{"insertText", whole},
          {"filterText", whole},
          {"range", range},
          {"command",
           {{"title", "accepted"},
            {"command", "ambit.inline.accepted"},
            {"arguments", json::array({std::to_string(asked.generation)})}}}};
}

// Markdown: a fence is longer than any run of backticks inside.
std::string fenced(const std::string& language, const std::string& text) {
  std::size_t longest = 2, run = 0;
  for (const char c : text) longest = std::max(longest, run = c == '`' ? run + 1 : 0);
  const std::string fence(longest + 1, '`');
  return fence + language + "\n" + text + "\n" + fence;
}

void answer(Session& session, const Asked& asked, json items) {
  if (asked.as_list) {
    session.reply(asked.id, {{"isIncomplete", true}, {"items", std::move(items)}});
  } else {
    session.reply(asked.id, {{"items", std::move(items)}});
  }
}

void answer_nothing(Session& session, const Asked& asked, const std::string& reason) {
  session.server.count_empty_answer(reason);
  session.trace_note("nothing to offer: " + reason);
  if (asked.as_list) return answer(session, asked, json::array());
  session.reply(asked.id, nullptr);
}

void read_ahead(Session& session, const Asked& asked, const std::string& item,
                std::string_view source);

void finished(Session& session, const Asked& asked, const CompletionOutcome& outcome) {
  const auto found = session.states.find(asked.uri);
  // A closed document or a newer request answered this one already.
  if (found == session.states.end() || found->second.generation != asked.generation ||
      found->second.waiting.empty()) {
    return;
  }
  DocumentState& state = found->second;
  const auto waiting = std::exchange(state.waiting, {});
  const auto each = [&](const auto& tell) {
    for (const auto& one : waiting) {
      Asked mine = asked;
      mine.id = one.id;
      mine.as_list = one.as_list;
      tell(mine);
    }
  };
  const auto fail_all = [&](std::string_view why) {
    each([&](const Asked& mine) {
      session.fail(mine.id, lsp::ErrorCode::kRequestCancelled, std::string(why));
    });
  };
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - asked.start).count();
  session.debounce.answered(ms);
  if (outcome.cancelled) return fail_all(kSuperseded);
  for (auto item = outcome.items.rbegin(); item != outcome.items.rend(); ++item) {
    if (item->replaces == 0) state.shown.add(asked.text, asked.cursor, item->text);
  }
  const Document* document = session.documents.find(asked.uri);
  if (document == nullptr || document->text != asked.document) {
    // The answer is for older text: it waits in the cache for the next request.
    return fail_all("the text has changed");
  }
  if (outcome.items.empty()) {
    if (outcome.error.code == Code::kUnavailable && !outcome.error.message.empty() &&
        !session.model_problem_said) {
      session.model_problem_said = true;
      session.show_message(2, "Ambit: " + outcome.error.message);
    }
    each([&](const Asked& mine) { answer_nothing(session, mine, outcome.reason); });
    return read_ahead(session, asked, "", "");
  }
  session.server.count_completion(ms, outcome);
  each([&](const Asked& mine) {
    json items = json::array();
    for (const auto& item : outcome.items) {
      items.push_back(item_json(mine, item.text, item.replaces, session.client));
    }
    answer(session, mine, std::move(items));
  });
  const auto& best = outcome.items.front();
  if (best.replaces == 0) read_ahead(session, asked, best.text, best.source);
}

struct Prepared {
  std::shared_ptr<const AssistContext> context;
  CompletionRequest request;
};

Prepared prepare(Session& session, const Asked& asked, std::shared_ptr<const std::string> text,
                 std::size_t cursor, std::stop_token stop) {
  const auto path = lsp::path_from_uri(asked.uri).value_or("untitled");
  auto context = session.assist_context(path, std::move(stop));
  context->owner += " " + asked.uri;
  context->stream = session.states[asked.uri].stream;
  CompletionRequest request;
  request.path = context->root.empty()
                     ? std::filesystem::path(path).filename().string()
                     : std::filesystem::path(path).lexically_relative(context->root).string();
  request.text = std::move(text);
  request.cursor = cursor;
  request.items = asked.invoked ? context->config.integer("completion.items") : 1;
  request.asked = asked.invoked;
  request.form = session.server.prompt_form();
  return {std::move(context), std::move(request)};
}

// While the typing pauses the model reads the prompt, so that the generation begins with it read.
void read_in_pause(Session& session, const Asked& asked) {
  DocumentState& state = session.states[asked.uri];
  state.reading = std::stop_source();
  auto prepared = prepare(session, asked, asked.text, asked.cursor, state.reading.get_token());
  if (!prepared.context->warm) return;
  prepared.request.read_only = true;
  session.server.runtime().work([prepared = std::move(prepared)] {
    complete(prepared.context, prepared.request, [](const CompletionOutcome&) {});
  });
}

void generate(Session& session, const Asked& asked, const std::stop_source& stop) {
  session.states[asked.uri].reading.request_stop();  // what it has read is kept
  if (auto& ahead = session.states[asked.uri].ahead) ahead->request_stop();
  auto prepared = prepare(session, asked, asked.text, asked.cursor, stop.get_token());
  auto weak = session.weak_from_this();
  session.server.when_model_settled([prepared = std::move(prepared), asked, weak] {
    complete(prepared.context, prepared.request, [asked, weak](CompletionOutcome outcome) {
      if (const auto self = weak.lock()) {
        self->post(
            [asked, outcome = std::move(outcome)](Session& s) { finished(s, asked, outcome); });
      }
    });
  });
}

// What the next keys and an accept would be answered with, made below everything else and kept for
// the request that comes then. By the repository memory where it leads; by a model only what
// follows an item of its own, and only where reading ahead costs nobody anything.
void read_ahead(Session& session, const Asked& asked, const std::string& item,
                std::string_view source) {
  DocumentState& state = session.states[asked.uri];
  if (state.ahead) state.ahead->request_stop();
  state.ahead.emplace();
  const auto keep = [uri = asked.uri, weak = session.weak_from_this()](AheadItem made) {
    if (const auto self = weak.lock()) {
      self->post([uri, made = std::move(made)](Session& s) {
        const auto found = s.states.find(uri);
        if (found != s.states.end())
          found->second.shown.add(made.text, made.cursor, made.item, true);
      });
    }
  };
  auto prepared = prepare(session, asked, asked.text, asked.cursor, state.ahead->get_token());
  prepared.request.ahead = true;
  prepared.request.asked = false;
  prepared.request.items = 1;
  const auto& context = *prepared.context;
  const auto model = context.scheduler->backend()->describe();
  if (memory_role(context.config, model) == MemoryRole::kLead) {
    const auto work = [&runtime = session.server.runtime()](std::function<void()> job) {
      runtime.work(std::move(job));
    };
    return work([prepared = std::move(prepared), item, keep, work] {
      complete_ahead(prepared.context, prepared.request, item, {keep, work});
    });
  }
  if (!context.warm || source != "model") return;
  auto text = *asked.text;
  text.insert(asked.cursor, item);
  prepared.request.text = std::make_shared<const std::string>(std::move(text));
  prepared.request.cursor += item.size();
  session.server.runtime().work([prepared = std::move(prepared), keep] {
    complete(prepared.context, prepared.request,
             [keep, text = prepared.request.text,
              cursor = prepared.request.cursor](const CompletionOutcome& outcome) {
               if (!outcome.items.empty()) keep({text, cursor, outcome.items.front().text});
             });
  });
}

// Ends the older request of the same document: clients differ in whether they cancel it.
void supersede(Session& session, DocumentState& state) {
  state.stop.request_stop();
  state.reading.request_stop();
  if (state.pause) state.pause->cancel();
  for (const auto& one : std::exchange(state.waiting, {})) {
    session.fail(one.id, lsp::ErrorCode::kRequestCancelled, std::string(kSuperseded));
  }
}

// A cancel is answered at once, in the pause as well as while the model runs, which goes on only
// for whoever else waits.
void cancel(Session& session, const std::string& uri, const lsp::RequestId& id) {
  const auto found = session.states.find(uri);
  if (found == session.states.end()) return;
  DocumentState& state = found->second;
  if (std::erase_if(state.waiting, [&](const auto& one) { return one.id == id; }) == 0) return;
  session.fail(id, lsp::ErrorCode::kRequestCancelled, "cancelled");
  if (!state.waiting.empty()) return;
  state.stop.request_stop();
  state.reading.request_stop();
  if (state.pause) state.pause->cancel();
}

// Is what this request wants being generated already, for the editor's other kind of request?
bool joins(const DocumentState& state, const Asked& asked) {
  return !asked.invoked && state.waiting.size() == 1 &&
         state.waiting.front().as_list != asked.as_list && state.text == asked.text &&
         state.cursor == asked.cursor;
}

// Continues the entry that is chosen in the editor's completion list instead of what stands there.
void take_selected(Asked& asked, const Document& document, const json& info,
                   PositionEncoding encoding) {
  if (asked.as_list || !info.is_object()) return;
  const auto begin = document.offset_at(position_of(info.at("range").at("start")), encoding);
  const auto end = document.offset_at(position_of(info.at("range").at("end")), encoding);
  if (begin > end || begin > asked.cursor) return;
  asked.selected = info.at("text").get<std::string>();
  asked.selected_range = info.at("range");
  std::string text = *document.text;
  text.replace(begin, end - begin, asked.selected);
  asked.text = std::make_shared<const std::string>(std::move(text));
  asked.cursor = begin + asked.selected.size();
}

void handle(Session& session, const lsp::RequestId& id, const json& params, bool as_list) {
  Asked asked;
  asked.id = id;
  asked.start = Clock::now();
  asked.as_list = as_list;
  asked.uri = params.at("textDocument").at("uri").get<std::string>();
  const Position position = position_of(params.at("position"));
  const Document* document = session.documents.find(asked.uri);
  if (document == nullptr) return answer_nothing(session, asked, "the document is not open");
  if (!asked.uri.starts_with("file:") && !asked.uri.starts_with("untitled:")) {
    return answer_nothing(session, asked, "only file: and untitled: documents are completed");
  }
  // No member of LSP, but some clients say it.
  if (const json& version = member(params, {"textDocument", "version"});
      version.is_number_integer() && version.get<std::int64_t>() < document->version) {
    return session.fail(id, lsp::ErrorCode::kContentModified, "the text has changed");
  }
  // languageclient 9 passes 0 for Invoked, everybody else 1. completion has its own numbers.
  const json& kind = member(params, {"context", "triggerKind"});
  asked.invoked = !as_list && kind.is_number_integer() && kind != json(2);
  asked.language = document->language;
  asked.document = asked.text = document->text;
  asked.cursor = document->offset_at(position, session.client.encoding);
  take_selected(asked, *document, member(params, {"context", "selectedCompletionInfo"}),
                session.client.encoding);

  const auto path = lsp::path_from_uri(asked.uri);
  const Config config = session.config_for(path ? session.workspace_of(*path) : nullptr);
  if (!config.flag("enabled") || !config.flag("completion.enabled")) {
    return answer_nothing(session, asked, "switched off in the settings");
  }
  if (!asked.invoked && !config.flag("completion.automatic")) {
    return answer_nothing(session, asked, "automatic completion is switched off in the settings");
  }
  DocumentState& state = session.states[asked.uri];
  const auto on_cancel = [uri = asked.uri, id](Session& s) { cancel(s, uri, id); };
  if (joins(state, asked)) {
    state.waiting.push_back({id, as_list});
    (void)session.begin_request(id, on_cancel);
    return;
  }
  supersede(session, state);
  asked.generation = ++state.generation;
  if (!asked.invoked) {
    if (const auto hit = state.shown.find(*asked.text, asked.cursor)) {
      session.server.count_from_cache();
      answer(session, asked,
             json::array({item_json(asked, hit->rest, hit->replace_after, session.client)}));
      if (hit->first && hit->replace_after == 0) read_ahead(session, asked, hit->rest, "");
      return;
    }
  }
  state.waiting = {{id, as_list}};
  state.text = asked.text;
  state.cursor = asked.cursor;
  state.stop = std::stop_source();
  (void)session.begin_request(id, on_cancel);
  const auto delay = asked.invoked
                         ? std::chrono::milliseconds(0)
                         : session.debounce.delay(config.integer("completion.debounce_min_ms"),
                                                  config.integer("completion.debounce_max_ms"));
  if (!state.pause) state.pause = std::make_unique<Timer>(session.strand);
  state.pause->start(delay, [weak = session.weak_from_this(), asked, stop = state.stop] {
    if (const auto self = weak.lock()) generate(*self, asked, stop);
  });
  if (delay.count() > 0) read_in_pause(session, asked);
}

}  // namespace

void on_inline_completion(Session& session, const lsp::RequestId& id, const json& params) {
  handle(session, id, params, false);
}

void on_completion(Session& session, const lsp::RequestId& id, const json& params) {
  handle(session, id, params, true);
}

// The item once more, with what would be inserted as its documentation.
void on_completion_resolve(Session& session, const lsp::RequestId& id, const json& params) {
  json item = params;
  const json& text = member(item, {"data", "text"});
  const json& language = member(item, {"data", "language"});
  if (text.is_string() && !item.contains("documentation")) {
    if (session.client.markdown_documentation && language.is_string()) {
      item["documentation"] = {
          {"kind", "markdown"},
          {"value", fenced(language.get<std::string>(), text.get<std::string>())}};
    } else {
      item["documentation"] = text;
    }
  }
  session.reply(id, item);
}

void on_complete(Session& session, const lsp::RequestId& id, const json& params) {
  const auto path = params.at("path").get<std::string>();
  const auto offset = params.at("offset").get<std::size_t>();
  const auto items = std::clamp<std::int64_t>(params.value("items", 1), 1, 16);
  auto text = std::make_shared<const std::string>(params.at("text").get<std::string>());
  if (offset > text->size()) {
    return session.fail(id, lsp::ErrorCode::kInvalidParams, "the position is past the end");
  }
  session.folders.push_back(std::filesystem::path(path).parent_path().string());
  session.documents.open(lsp::uri_from_path(path), "", 0, *text);
  const auto workspace = session.workspace_of(path);
  auto stop = session.begin_request(id);
  session.server.when_model_settled([weak = session.weak_from_this(), workspace, id, path, text,
                                     offset, items, stop] {
    // A command waits for the index; ghost text does not.
    if (workspace) {
      (void)workspace->wait_indexed(std::chrono::seconds(120));
      (void)workspace->memory()->wait_built(std::chrono::seconds(20));
    }
    const auto self = weak.lock();
    if (!self) return;
    self->post([=](Session& inner) {
      auto context = inner.assist_context(path, stop.get_token());
      context->warm = nullptr;  // a command waits for the whole pack
      CompletionRequest request;
      request.path = context->root.empty()
                         ? std::filesystem::path(path).filename().string()
                         : std::filesystem::path(path).lexically_relative(context->root).string();
      request.text = text;
      request.cursor = offset;
      request.items = items;
      request.asked = true;
      request.form = inner.server.prompt_form();
      inner.server.runtime().work([context, request, id, weak] {
        complete(context, request, [id, weak](CompletionOutcome outcome) {
          const auto alive = weak.lock();
          if (!alive) return;
          alive->post([id, outcome = std::move(outcome)](Session& s) {
            if (outcome.error.code == Code::kUnavailable && !outcome.error.message.empty()) {
              return s.fail(id, lsp::ErrorCode::kRequestFailed, outcome.error.message);
            }
            json out = {{"items", json::array()}, {"reason", outcome.reason}};
            for (const auto& item : outcome.items) {
              out["items"].push_back(
                  {{"text", item.text}, {"logprob", item.logprob}, {"source", item.source}});
            }
            json spans = json::array();
            for (const auto& span : outcome.pack.spans) {
              spans.push_back({{"path", span.path},
                               {"start_line", span.start_line + 1},
                               {"end_line", span.end_line + 1},
                               {"region", indexer::to_string(span.region)},
                               {"tokens", span.tokens},
                               {"reason", span.reason},
                               {"score", span.score}});
            }
            out["receipt"] = {{"prompt_tokens", outcome.prompt_tokens},
                              {"pack_tokens", outcome.pack.tokens},
                              {"predicted_tokens", outcome.pack.predicted_recompute},
                              {"reused_tokens", outcome.usage.reused_tokens},
                              {"computed_tokens", outcome.usage.computed_tokens},
                              {"prompt_ms", outcome.prompt_ms},
                              {"prefill_ms", outcome.usage.prefill_ms},
                              {"decode_ms", outcome.usage.decode_ms},
                              {"total_ms", outcome.total_ms},
                              {"spans", spans}};
            s.reply(id, out);
          });
        });
      });
    });
  });
}

}  // namespace ambit::daemon
