#include "daemon/session/diagnostics.h"

#include <algorithm>

namespace ambit::daemon {

using nlohmann::json;

json fit_diagnostic(json item, const DiagnosticSupport& support) {
  if (!support.code_description) item.erase("codeDescription");
  if (!support.data) item.erase("data");
  if (!support.related) item.erase("relatedInformation");
  if (const auto tags = item.find("tags"); tags != item.end()) {
    json kept = json::array();
    for (const json& tag : *tags) {
      if (tag.is_number_integer() && support.tags.contains(tag.get<int>())) kept.push_back(tag);
    }
    if (kept.empty()) {
      item.erase("tags");
    } else {
      *tags = std::move(kept);
    }
  }
  if (!support.markup_message && item.contains("message") && item["message"].is_object()) {
    item["message"] = item["message"].value("value", "");
  }
  return item;
}

json Diagnostics::shown(const Document& document, const DiagnosticSupport& support) const {
  json out = json::array();
  for (const auto& [source, items] : document.by_source) {
    for (const json& item : items) out.push_back(fit_diagnostic(item, support));
  }
  return out;
}

void Diagnostics::set(const std::string& uri, const std::string& source,
                      std::optional<std::int64_t> version, json items) {
  if (!items.is_array()) items = json::array();
  while (items.size() > kMaxPerDocument) items.erase(items.size() - 1);
  const auto found = documents_.find(uri);
  const bool known = found != documents_.end() && found->second.by_source.contains(source);
  if (items.empty() && !known) return;
  Document& document = documents_[uri];
  if (known && document.by_source[source] == items && document.version == version) return;
  if (items.empty()) {
    document.by_source.erase(source);
  } else {
    document.by_source[source] = std::move(items);
  }
  document.version = version;
  changed(uri, document);
}

void Diagnostics::clear(const std::string& source) {
  batching_ = true;
  bool any = false;
  for (auto& [uri, document] : documents_) {
    if (document.by_source.erase(source) == 0) continue;
    any = true;
    changed(uri, document);
  }
  batching_ = false;
  if (!any || !client_.pull.present) return;
  answer_held();
  if (out_.refresh) out_.refresh();
}

json Diagnostics::items(const std::string& uri) const {
  json out = json::array();
  const auto found = documents_.find(uri);
  if (found == documents_.end()) return out;
  for (const auto& [source, items] : found->second.by_source) {
    for (const json& item : items) out.push_back(item);
  }
  return out;
}

void Diagnostics::changed(const std::string& uri, Document& document) {
  document.serial = ++serial_;
  if (client_.pull.present) {
    if (batching_) return;
    answer_held();
    if (out_.refresh) out_.refresh();
    return;
  }
  json params = {{"uri", uri}, {"diagnostics", shown(document, client_.push)}};
  if (client_.push.version && document.version) params["version"] = *document.version;
  out_.notify("textDocument/publishDiagnostics", params);
}

json Diagnostics::document_report(const std::string& uri, const json& previous) {
  const auto found = documents_.find(uri);
  const std::string id =
      std::to_string(found == documents_.end() ? std::uint64_t{0} : found->second.serial);
  if (previous.is_string() && previous.get<std::string>() == id) {
    return {{"kind", "unchanged"}, {"resultId", id}};
  }
  json items = found == documents_.end() ? json::array() : shown(found->second, client_.pull);
  return {{"kind", "full"}, {"resultId", id}, {"items", std::move(items)}};
}

// What the asker does not know yet; afterwards it does.
json Diagnostics::news(Held& held) {
  json items = json::array();
  for (const auto& [uri, document] : documents_) {
    const std::string id = std::to_string(document.serial);
    const auto known = held.known.find(uri);
    if (known == held.known.end() ? document.by_source.empty() : known->second == id) continue;
    json report = {{"kind", "full"},
                   {"uri", uri},
                   {"version", nullptr},
                   {"resultId", id},
                   {"items", shown(document, client_.pull)}};
    if (document.version) report["version"] = *document.version;
    items.push_back(std::move(report));
    held.known[uri] = id;
  }
  return items;
}

bool Diagnostics::workspace_report(const lsp::RequestId& id, const json& params) {
  finish();
  Held held;
  held.id = id;
  const json& token = member(params, {"partialResultToken"});
  if (token.is_string() || token.is_number_integer()) held.partial_token = token;
  for (const json& one : member(params, {"previousResultIds"})) {
    const json &uri = member(one, {"uri"}), &value = member(one, {"value"});
    if (uri.is_string() && value.is_string()) held.known[uri] = value;
  }
  held_ = std::move(held);
  answer_held();
  return !held_.has_value();
}

void Diagnostics::answer_held() {
  if (!held_) return;
  json items = news(*held_);
  if (items.empty()) return;
  if (!held_->partial_token.is_null()) {
    out_.notify("$/progress",
                {{"token", held_->partial_token}, {"value", {{"items", std::move(items)}}}});
    return;
  }
  const auto id = held_->id;
  held_.reset();
  out_.reply(id, {{"items", std::move(items)}});
}

bool Diagnostics::cancel(const lsp::RequestId& id) {
  if (!held_ || held_->id != id) return false;
  held_.reset();
  return true;
}

void Diagnostics::finish() {
  if (!held_) return;
  const auto id = held_->id;
  held_.reset();
  out_.reply(id, {{"items", json::array()}});
}

}  // namespace ambit::daemon
