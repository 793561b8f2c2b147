// Any body is a message or a clear refusal, and a message survives the way out and in again.
#include "lsp/message.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/plain_main.h"

namespace {

using namespace ambit::lsp;

std::string encode(const Message& message) {
  if (const auto* request = std::get_if<Request>(&message)) {
    return encode_request(request->id, request->method, request->params);
  }
  if (const auto* notification = std::get_if<Notification>(&message)) {
    return encode_notification(notification->method, notification->params);
  }
  const auto& response = std::get<Response>(message);
  if (response.error) return encode_error(response.id, *response.error);
  return encode_result(*response.id, response.result);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using ambit::fuzz::require;
  const auto first = decode_message({reinterpret_cast<const char*>(data), size});
  if (const auto* refused = std::get_if<MalformedMessage>(&first)) {
    require(!refused->error.message.empty(), "a refusal says why");
    require(refused->error.message.find('\n') == std::string::npos, "a refusal is one line");
    const auto reply = encode_error(refused->id, refused->error);
    require(std::holds_alternative<Message>(decode_message(reply)), "a refusal can be sent");
    return 0;
  }
  const auto& message = std::get<Message>(first);
  if (const auto* response = std::get_if<Response>(&message)) {
    require(response->id.has_value() || response->error.has_value(),
            "only an error may answer nothing");
  }
  const auto once = encode(message);
  const auto second = decode_message(once);
  require(std::holds_alternative<Message>(second), "what we write we can read");
  require(std::get<Message>(second).index() == message.index(), "a message keeps its kind");
  require(encode(std::get<Message>(second)) == once, "a second round changes nothing");
  return 0;
}

std::vector<std::string> ambit::fuzz::seeds() {
  return {
      R"({"jsonrpc":"2.0","id":1,"method":"textDocument/inlineCompletion","params":{"a":[1,2.5,"x"]}})",
      R"({"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"7"}})",
      R"({"jsonrpc":"2.0","id":"a","result":{"items":null}})",
      R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no","data":{"x":1e300}}})",
      R"({"jsonrpc":"2.0","method":"x","params":["\ud83d","\ud83d\ude00","\u0000"]})",
  };
}
