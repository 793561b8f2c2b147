// Code actions as this client can take them: literals with lazy edits, literals with a command, or
// bare commands. What is offered comes from the providers in features.cpp.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/handlers/convert.h"
#include "daemon/handlers/features.h"
#include "daemon/handlers/table.h"
#include "daemon/server.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

// "refactor" holds "refactor.rewrite", and not "refactored".
bool holds(std::string_view outer, std::string_view inner) {
  return outer.empty() || inner == outer ||
         (inner.starts_with(outer) && inner[outer.size()] == '.');
}

// Whether a provider of this kind may have something for context.only.
bool wanted(const json& only, std::string_view kind, bool could_be_narrower) {
  if (!only.is_array() || only.empty()) return true;
  return std::any_of(only.begin(), only.end(), [&](const json& one) {
    if (!one.is_string()) return false;
    const auto& text = one.get_ref<const std::string&>();
    return holds(text, kind) || (could_be_narrower && holds(kind, text));
  });
}

json as_command(const OfferedAction& action, const json& data) {
  if (action.command.is_object()) {
    json out = action.command;
    out["title"] = action.title;
    return out;
  }
  return {{"title", action.title}, {"command", kActionCommand}, {"arguments", json::array({data})}};
}

json as_literal(const OfferedAction& action, const json& data, const ClientInfo& client) {
  json out = {{"title", action.title}, {"kind", action.kind}};
  if (action.diagnostics.is_array() && !action.diagnostics.empty()) {
    out["diagnostics"] = action.diagnostics;
  }
  if (client.action_preferred && action.preferred && !action.by_model) out["isPreferred"] = true;
  if (client.action_llm_tag && action.by_model) out["tags"] = json::array({1});
  if (!action.disabled.empty()) {
    out["disabled"] = {{"reason", action.disabled}};
  } else if (client.resolves_edits() && action.command.is_null()) {
    out["data"] = data;
  } else {
    out["command"] = as_command(action, data);
  }
  return out;
}

}  // namespace

void on_code_action(Session& session, const lsp::RequestId& id, const json& params) {
  const auto uri = params.at("textDocument").at("uri").get<std::string>();
  const Document* document = session.documents.find(uri);
  if (document == nullptr) return session.reply(id, json::array());
  const json& context = params.at("context");
  const auto encoding = session.client.encoding;
  const auto begin = document->offset_at(position_of(params.at("range").at("start")), encoding);
  const auto end = document->offset_at(position_of(params.at("range").at("end")), encoding);
  const json& given = member(context, {"diagnostics"});
  const ActionContext asked{*document,
                            begin,
                            std::max(begin, end),
                            params.at("range"),
                            given.is_array() ? given : json::array(),
                            member(context, {"triggerKind"}) != json(2)};
  json out = json::array();
  const bool something = asked.end > asked.begin || !asked.diagnostics.empty();
  for (const auto& provider : session.server.features().actions) {
    if (!wanted(member(context, {"only"}), provider.kind, true)) continue;
    if (!asked.invoked && (!provider.instant || !something)) continue;
    for (const auto& action : provider.offer(session, asked)) {
      if (!wanted(member(context, {"only"}), action.kind, false)) continue;
      if (!action.disabled.empty() &&
          (!session.client.action_literals || !session.client.action_disabled)) {
        continue;
      }
      const json data = {
          {"provider", provider.name}, {"title", action.title}, {"data", action.data}};
      out.push_back(session.client.action_literals ? as_literal(action, data, session.client)
                                                   : as_command(action, data));
    }
  }
  session.reply(id, out);
}

Result<lsp::Json> resolve_action(FeatureRun& run, const Features& features, const json& data) {
  const json& name = member(data, {"provider"});
  const auto found = std::find_if(features.actions.begin(), features.actions.end(),
                                  [&](const ActionProvider& p) { return name == p.name; });
  if (found == features.actions.end()) {
    return make_error(Code::kInvalidArgument, "this action is not one of ours");
  }
  return found->resolve(run, member(data, {"data"}));
}

void on_code_action_resolve(Session& session, const lsp::RequestId& id, const json& action) {
  // An action that needs nothing more comes back as it is.
  if (!action.is_object() || !action.contains("data") || action.contains("edit")) {
    return session.reply(id, action);
  }
  const Features& features = session.server.features();
  run_feature(session, id, nullptr, [&features, action](FeatureRun& run) -> Result<lsp::Json> {
    auto edit = resolve_action(run, features, action["data"]);
    if (!edit) return edit.error();
    json out = action;
    out["edit"] = edit->value();
    if (!run.show.empty()) {
      out["command"] = {{"title", "show the file"},
                        {"command", kShowCommand},
                        {"arguments", json::array({{{"uri", run.show}}})}};
    }
    return lsp::Json(std::move(out));
  });
}

}  // namespace ambit::daemon
