// JSON-RPC 2.0 as LSP uses it: one message from one frame's body, and back. No batches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "lsp/json_value.h"

namespace ambit::lsp {

// The codes of JSON-RPC and LSP 3.18. Which one a client shows to the user: docs/protocol.md.
enum class ErrorCode : std::int32_t {
  kParseError = -32700,            // the body is not JSON
  kInvalidRequest = -32600,        // JSON, but no message; or a request after shutdown
  kMethodNotFound = -32601,        //
  kInvalidParams = -32602,         // a field is missing or has the wrong type
  kInternalError = -32603,         // a bug of ours; never on automatic requests
  kServerNotInitialized = -32002,  // a request before initialize was answered
  kUnknownErrorCode = -32001,      //
  kRequestFailed = -32803,         // well formed, but it failed; only for what the user asked for
  kServerCancelled = -32802,       // pull diagnostics only
  kContentModified = -32801,       // the document moved on and the answer cannot be recomputed
  kRequestCancelled = -32800,      // cancelled by the client, or superseded by a newer request
};

// A request id keeps its type: the reply to 7 carries 7, the reply to "7" carries "7".
using RequestId = std::variant<std::int64_t, std::string>;
[[nodiscard]] std::string to_string(const RequestId& id);  // for logs: 7 or "7"

struct ResponseError {
  ErrorCode code = ErrorCode::kInternalError;
  std::string message;  // one line
  Json data;            // null: left out
};

struct Request {
  RequestId id;
  std::string method;
  Json params;  // null when the message had none
};

struct Notification {
  std::string method;
  Json params;
};

struct Response {
  std::optional<RequestId> id;  // nullopt: the sender could not read our id
  Json result;                  // null when error is set
  std::optional<ResponseError> error;
};

using Message = std::variant<Request, Notification, Response>;

// A body that is no message: what to reply. id is set when it could still be read.
struct MalformedMessage {
  std::optional<RequestId> id;
  ResponseError error;
  bool is_response = false;  // it looked like a reply to us: log it, and send nothing back
};

// Reads one body. Tolerates a missing "jsonrpc", null params, and a null error beside a result.
[[nodiscard]] std::variant<Message, MalformedMessage> decode_message(std::string_view body);

// Bodies, without the frame header (see framing.h).
[[nodiscard]] std::string encode_request(const RequestId& id, std::string_view method,
                                         const Json& params);
[[nodiscard]] std::string encode_notification(std::string_view method, const Json& params);
[[nodiscard]] std::string encode_result(const RequestId& id, const Json& result);
[[nodiscard]] std::string encode_error(const std::optional<RequestId>& id,
                                       const ResponseError& error);

}  // namespace ambit::lsp
