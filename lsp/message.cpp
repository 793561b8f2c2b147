#include "lsp/message.h"

#include <nlohmann/json.hpp>

namespace ambit::lsp {
namespace {

using nlohmann::json;

std::string write(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

json id_json(const RequestId& id) {
  if (const auto* n = std::get_if<std::int64_t>(&id)) return *n;
  return std::get<std::string>(id);
}

std::optional<RequestId> read_id(const json& j) {
  if (j.is_string()) return RequestId(j.get<std::string>());
  if (j.is_number_unsigned() && j.get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  if (j.is_number_integer()) return RequestId(j.get<std::int64_t>());
  return std::nullopt;
}

MalformedMessage malformed(std::optional<RequestId> id, ErrorCode code, std::string message) {
  return {std::move(id), {code, std::move(message), {}}, false};
}

std::variant<Message, MalformedMessage> read_response(json& j, std::optional<RequestId> id) {
  Response r;
  r.id = std::move(id);
  const auto error = j.find("error");
  if (error == j.end() || error->is_null()) {
    if (auto result = j.find("result"); result != j.end()) r.result = Json(std::move(*result));
    return Message(std::move(r));
  }
  ResponseError e{ErrorCode::kUnknownErrorCode, "error without a message", {}};
  if (error->is_object()) {
    if (const auto code = error->find("code"); code != error->end() && code->is_number_integer()) {
      e.code = static_cast<ErrorCode>(code->get<std::int32_t>());
    }
    if (const auto text = error->find("message"); text != error->end() && text->is_string()) {
      e.message = text->get<std::string>();
    }
    if (const auto data = error->find("data"); data != error->end()) e.data = Json(*data);
  }
  r.error = std::move(e);
  return Message(std::move(r));
}

}  // namespace

std::string to_string(const RequestId& id) {
  return write(id_json(id));
}

std::variant<Message, MalformedMessage> decode_message(std::string_view body) {
  auto parsed = parse_tree(body);
  if (!parsed) return malformed(std::nullopt, ErrorCode::kParseError, parsed.error().message);
  json& j = *parsed;
  if (j.is_array()) {
    return malformed(std::nullopt, ErrorCode::kInvalidRequest,
                     "a batch; send one message per frame");
  }
  if (!j.is_object()) {
    return malformed(std::nullopt, ErrorCode::kInvalidRequest, "a message must be a JSON object");
  }
  const auto id_field = j.find("id");
  const bool has_id = id_field != j.end();
  std::optional<RequestId> id;
  if (has_id) id = read_id(*id_field);

  const auto version = j.find("jsonrpc");
  if (version != j.end() && *version != "2.0") {
    return malformed(id, ErrorCode::kInvalidRequest, "jsonrpc must be \"2.0\"");
  }
  const auto method = j.find("method");
  if (method == j.end()) {
    if (has_id && (j.contains("result") || j.contains("error"))) {
      if (id || id_field->is_null()) return read_response(j, std::move(id));
      auto m = malformed(std::nullopt, ErrorCode::kInvalidRequest, "a reply with an unreadable id");
      m.is_response = true;
      return m;
    }
    return malformed(id, ErrorCode::kInvalidRequest, "a message needs a method");
  }
  if (!method->is_string()) {
    return malformed(id, ErrorCode::kInvalidRequest, "method must be a string");
  }
  if (has_id && !id) {
    return malformed(std::nullopt, ErrorCode::kInvalidRequest, "id must be an integer or a string");
  }
  Json params;
  if (const auto p = j.find("params"); p != j.end() && !p->is_null()) {
    if (!p->is_structured()) {
      return malformed(id, ErrorCode::kInvalidParams, "params must be an object or an array");
    }
    params = Json(std::move(*p));
  }
  if (id) return Message(Request{std::move(*id), method->get<std::string>(), std::move(params)});
  return Message(Notification{method->get<std::string>(), std::move(params)});
}

// The parts are written one by one: a result may be large, and is not copied into a new tree.
std::string encode_request(const RequestId& id, std::string_view method, const Json& params) {
  std::string out =
      R"({"jsonrpc":"2.0","id":)" + to_string(id) + R"(,"method":)" + write(json(method));
  if (!params.is_null()) out += R"(,"params":)" + params.dump();
  return out + "}";
}

std::string encode_notification(std::string_view method, const Json& params) {
  std::string out = R"({"jsonrpc":"2.0","method":)" + write(json(method));
  if (!params.is_null()) out += R"(,"params":)" + params.dump();
  return out + "}";
}

std::string encode_result(const RequestId& id, const Json& result) {
  return R"({"jsonrpc":"2.0","id":)" + to_string(id) + R"(,"result":)" + result.dump() + "}";
}

std::string encode_error(const std::optional<RequestId>& id, const ResponseError& error) {
  json e = {{"code", static_cast<std::int32_t>(error.code)}, {"message", error.message}};
  if (!error.data.is_null()) e["data"] = error.data.value();
  return R"({"jsonrpc":"2.0","id":)" + (id ? to_string(*id) : std::string("null")) +
         R"(,"error":)" + write(e) + "}";
}

}  // namespace ambit::lsp
