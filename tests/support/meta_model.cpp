#include "tests/support/meta_model.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

namespace ambit::testing {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxInteger = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMinInteger = std::numeric_limits<std::int32_t>::min();

std::string shown(const json& v) {
  std::string text = v.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

// Empty when the value is of the base type, else what is wrong with it.
std::string base(const std::string& name, const json& v) {
  if (name == "null") return v.is_null() ? "" : shown(v) + " is not null";
  if (name == "boolean") return v.is_boolean() ? "" : shown(v) + " is not a boolean";
  if (name == "decimal") return v.is_number() ? "" : shown(v) + " is not a number";
  if (name == "integer" || name == "uinteger") {
    if (!v.is_number_integer()) return shown(v) + " is not an integer";
    const std::int64_t low = name == "integer" ? kMinInteger : 0;
    const bool too_high = v.is_number_unsigned()
                              ? v.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxInteger)
                              : v.get<std::int64_t>() > kMaxInteger;
    if (too_high) return shown(v) + " is above " + std::to_string(kMaxInteger);
    if (!v.is_number_unsigned() && v.get<std::int64_t>() < low) {
      return shown(v) + " is below " + std::to_string(low);
    }
    return "";
  }
  if (!v.is_string()) return shown(v) + " is not a string";
  if (name == "URI" || name == "DocumentUri") {
    const auto& text = v.get_ref<const std::string&>();
    const auto colon = text.find(':');
    if (colon == std::string::npos || colon == 0) return shown(v) + " is a URI without a scheme";
  }
  return "";
}

std::string join(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

std::optional<std::string> line(const std::string& path, const std::string& what) {
  return path + ": " + what;
}

}  // namespace

std::string MetaModel::default_path() {
  return std::string(AMBIT_SOURCE_DIR) + "/../shared/design/lsp-3.18-metaModel.json";
}

Result<MetaModel> MetaModel::load(const std::string& path) {
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) {
    return make_error(Code::kNotFound, "no meta model at " + path);
  }
  std::ifstream file(path, std::ios::binary);
  MetaModel model;
  auto root = std::make_shared<json>(json::parse(file, nullptr, false));
  if (!root->is_object()) return make_error(Code::kCorrupt, path + " is not a JSON object");
  const auto fill = [&](const char* list, const char* key, Names& into) {
    if (!root->contains(list)) return;
    for (const json& entry : root->at(list)) into.emplace(entry.value(key, ""), &entry);
  };
  fill("requests", "method", model.requests_);
  fill("notifications", "method", model.notifications_);
  fill("structures", "name", model.structures_);
  fill("enumerations", "name", model.enumerations_);
  fill("typeAliases", "name", model.aliases_);
  if (model.requests_.empty() || model.structures_.empty()) {
    return make_error(Code::kCorrupt, path + " lists no requests or no structures");
  }
  model.root_ = std::move(root);
  return model;
}

bool MetaModel::knows_method(std::string_view method) const {
  return requests_.contains(method) || notifications_.contains(method);
}

Violation MetaModel::check_type(std::string_view name, const json& value) const {
  const auto found = reference(std::string(name), value, std::string(name), 0);
  return found ? line(found->path, found->what) : std::nullopt;
}

Violation MetaModel::check(Sender sender, const json& message,
                           std::string_view answered_method) const {
  if (!message.is_object()) return line("message", shown(message) + " is not an object");
  if (!message.contains("jsonrpc") || message["jsonrpc"] != "2.0") {
    return line("jsonrpc", "must be \"2.0\"");
  }
  if (!message.contains("method")) return reply(message, sender, answered_method);
  if (!message["method"].is_string()) return line("method", "is not a string");
  const auto method = message["method"].get<std::string>();
  const bool request = message.contains("id");
  if (request && !message["id"].is_string() && !message["id"].is_number_integer()) {
    return line("id", shown(message["id"]) + " is neither an integer nor a string");
  }
  for (const auto& [key, value] : message.items()) {
    if (key != "jsonrpc" && key != "id" && key != "method" && key != "params") {
      return line(key, "is no part of a message with a method");
    }
  }
  if (method.starts_with("ambit/")) return std::nullopt;
  const Names& table = request ? requests_ : notifications_;
  const auto it = table.find(method);
  if (it == table.end()) {
    return line("method", method + " is no " + (request ? "request" : "notification"));
  }
  const auto direction = it->second->value("messageDirection", "both");
  if (direction != "both" && (direction == "clientToServer") != (sender == Sender::kClient)) {
    return line("method", method + " goes the other way");
  }
  const auto found = params(*it->second, message);
  return found ? line(found->path, found->what) : std::nullopt;
}

MetaModel::Found MetaModel::params(const json& method, const json& message) const {
  if (!method.contains("params")) {
    const bool none =
        !message.contains("params") || message["params"].is_null() || message["params"].empty();
    return none ? Found{} : Finding{"params", "this method has none", 0};
  }
  if (!message.contains("params")) return Finding{"params", "missing", 0};
  const json& value = message["params"];
  if (auto found = type(method["params"], value, "params", 0)) return found;
  // The value of a progress is any JSON for the model; with a kind it is work done progress.
  if (method.value("method", "") == "$/progress" && value["value"].is_object() &&
      value["value"].contains("kind")) {
    const json& kind = value["value"]["kind"];
    const std::string name = kind == "begin"    ? "WorkDoneProgressBegin"
                             : kind == "report" ? "WorkDoneProgressReport"
                                                : "WorkDoneProgressEnd";
    return reference(name, value["value"], "params.value", 1);
  }
  return std::nullopt;
}

Violation MetaModel::reply(const json& message, Sender sender, std::string_view method) const {
  for (const auto& [key, value] : message.items()) {
    if (key != "jsonrpc" && key != "id" && key != "result" && key != "error") {
      return line(key, "is no part of a reply");
    }
  }
  if (!message.contains("id")) return line("id", "missing from a reply");
  const json& id = message["id"];
  const bool failed = message.contains("error");
  if (failed == message.contains("result")) {
    return line("result", "a reply has exactly one of result and error");
  }
  if (!id.is_number_integer() && !id.is_string() && !(failed && id.is_null())) {
    return line("id", shown(id) + " is neither an integer nor a string");
  }
  if (failed) {
    const json& error = message["error"];
    if (!error.is_object()) return line("error", "is not an object");
    if (!error.contains("code")) return line("error.code", "missing");
    if (const auto what = base("integer", error["code"]); !what.empty()) {
      return line("error.code", what);
    }
    if (!error.contains("message") || !error["message"].is_string()) {
      return line("error.message", "missing or not a string");
    }
    return std::nullopt;
  }
  if (method.starts_with("ambit/")) return std::nullopt;
  const auto it = requests_.find(method);
  if (it == requests_.end()) return line("id", "answers no known request");
  const auto direction = it->second->value("messageDirection", "both");
  if (direction != "both" && (direction == "clientToServer") != (sender == Sender::kServer)) {
    return line("id", std::string(method) + " is answered by the other side");
  }
  const auto found = type(it->second->at("result"), message["result"], "result", 0);
  return found ? line(found->path, found->what) : std::nullopt;
}

MetaModel::Found MetaModel::type(const json& t, const json& v, const std::string& path,
                                 int depth) const {
  const auto kind = t.value("kind", "");
  const auto fail = [&](std::string what) { return Finding{path, std::move(what), depth}; };
  if (kind == "reference") return reference(t["name"], v, path, depth);
  if (kind == "base") {
    auto what = base(t["name"], v);
    return what.empty() ? Found{} : fail(std::move(what));
  }
  if (kind == "stringLiteral") {
    return v == t["value"] ? Found{} : fail(shown(v) + " is not " + shown(t["value"]));
  }
  if (kind == "or") {
    Found best;
    for (const json& option : t["items"]) {
      auto found = type(option, v, path, depth);
      if (!found) return std::nullopt;
      if (!best || found->depth > best->depth) best = std::move(found);
    }
    if (best && best->depth == depth) best->what = shown(v) + " fits no alternative";
    return best;
  }
  if (kind == "and" || kind == "literal") {
    Properties properties;
    collect(t, properties);
    return object(properties, v, path, depth);
  }
  if (kind == "array" || kind == "tuple") {
    if (!v.is_array()) return fail(shown(v) + " is not an array");
    if (kind == "tuple" && v.size() != t["items"].size()) {
      return fail("has " + std::to_string(v.size()) + " elements, not " +
                  std::to_string(t["items"].size()));
    }
    for (std::size_t i = 0; i < v.size(); ++i) {
      const json& element = kind == "array" ? t["element"] : t["items"][i];
      if (auto found = type(element, v[i], path + "[" + std::to_string(i) + "]", depth + 1)) {
        return found;
      }
    }
    return std::nullopt;
  }
  if (kind == "map") {
    if (!v.is_object()) return fail(shown(v) + " is not an object");
    for (const auto& [key, value] : v.items()) {
      const json& key_type = t["key"];
      const bool number = key_type.value("name", "") == "integer";
      if (number && key.find_first_not_of("-0123456789") != std::string::npos) {
        return fail("key " + key + " is not an integer");
      }
      if (!number) {
        if (auto found = type(key_type, json(key), path + " key", depth + 1)) return found;
      }
      if (auto found = type(t["value"], value, path + "[\"" + key + "\"]", depth + 1)) return found;
    }
    return std::nullopt;
  }
  return fail("the meta model has a kind that this validator lacks: " + kind);
}

MetaModel::Found MetaModel::reference(const std::string& name, const json& v,
                                      const std::string& path, int depth) const {
  if (name == "LSPAny") return std::nullopt;
  if (const auto it = aliases_.find(name); it != aliases_.end()) {
    return type(it->second->at("type"), v, path, depth);
  }
  if (const auto it = enumerations_.find(name); it != enumerations_.end()) {
    const json& e = *it->second;
    if (auto what = base(e["type"]["name"], v); !what.empty()) return Finding{path, what, depth};
    if (e.value("supportsCustomValues", false)) return std::nullopt;
    const json& values = e["values"];
    const bool listed =
        std::any_of(values.begin(), values.end(), [&](const json& x) { return x["value"] == v; });
    return listed ? Found{} : Finding{path, shown(v) + " is no " + name, depth};
  }
  if (!structures_.contains(name)) return Finding{path, "the meta model lacks " + name, depth};
  Properties properties;
  collect(json{{"kind", "reference"}, {"name", name}}, properties);
  return object(properties, v, path, depth);
}

// Own properties win over inherited ones of the same name, so they come first.
void MetaModel::collect(const json& t, Properties& into) const {
  const auto kind = t.value("kind", "");
  if (kind == "literal") {
    for (const json& p : t["value"]["properties"]) into.emplace(p["name"], &p);
  } else if (kind == "and") {
    for (const json& item : t["items"]) collect(item, into);
  } else if (kind == "reference") {
    const auto it = structures_.find(t["name"].get_ref<const std::string&>());
    if (it == structures_.end()) return;
    const json& s = *it->second;
    for (const json& p : s["properties"]) into.emplace(p["name"], &p);
    for (const char* list : {"extends", "mixins"}) {
      if (!s.contains(list)) continue;
      for (const json& parent : s[list]) collect(parent, into);
    }
  }
}

MetaModel::Found MetaModel::object(const Properties& properties, const json& v,
                                   const std::string& path, int depth) const {
  if (!v.is_object()) return Finding{path, shown(v) + " is not an object", depth};
  for (const auto& [name, property] : properties) {
    if (!v.contains(name)) {
      if (property->value("optional", false)) continue;
      return Finding{join(path, name), "missing", depth + 1};
    }
    if (auto found = type(property->at("type"), v[name], join(path, name), depth + 1)) return found;
  }
  for (const auto& [key, value] : v.items()) {
    if (!properties.contains(key)) {
      return Finding{join(path, key), "no such property", depth + 1};
    }
  }
  return std::nullopt;
}

}  // namespace ambit::testing
