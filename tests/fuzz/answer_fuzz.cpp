// Any bytes may come from a model's server: events are the same however the bytes are cut, what
// they say is read or refused in a line, and of the head's and the address's text likewise.
#include "inference/remote/event_stream.h"
#include "inference/remote/openai_wire.h"
#include "inference/remote/url.h"
#include "tests/fuzz/plain_main.h"
#include "tests/fuzz/readers.h"

using namespace ambit;
using namespace ambit::inference::remote;

namespace {

// The events of `text` in pieces of `piece` bytes; "!" behind them when it was refused.
std::vector<std::string> events(std::string_view text, std::size_t piece) {
  EventStream stream;
  std::vector<std::string> out;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    const auto went_on = stream.push(text.substr(0, piece), [&](std::string_view data) {
      out.emplace_back(data);
      return true;
    });
    if (went_on) continue;
    fuzz::require_clear(went_on.error());
    out.emplace_back("!");
    break;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = events(text, std::max<std::size_t>(size, 1));
  fuzz::require(events(text, 1) == whole && events(text, 7) == whole, "cuts change no event");
  for (const std::string& event : whole) {
    if (const auto delta = read_delta(event); !delta) fuzz::require_clear(delta.error());
  }
  if (const auto delta = read_delta(text); !delta) fuzz::require_clear(delta.error());
  const std::string said = error_message(text);
  fuzz::require(said.find('\n') == std::string::npos && said.size() < 4096,
                "a server's words are one short line");
  if (const auto url = parse_url(text.substr(0, 512)); !url) fuzz::require_clear(url.error());
  return 0;
}

std::vector<std::string> ambit::fuzz::seeds() {
  return {
      "data: {\"choices\":[{\"text\":\"a\",\"logprobs\":{\"token_logprobs\":[-0.5]}}]}\n\n"
      "data: {\"choices\":[{\"delta\":{\"content\":\"b\",\"reasoning_content\":\"c\"},"
      "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5}}\r\n\r\ndata: [DONE]\n\n",
      ": comment\ndata:a\ndata:b\n\nevent: x\rdata: {\"error\":{\"message\":\"no\\nroom\"}}\r\r",
      "{\"content\":\"x\",\"tokens\":[1,2],\"stop\":true,\"stop_type\":\"limit\"}",
      "{\"error\":{\"message\":\"bad\",\"code\":400}}",
      "https://user@host.example:8443/v1?x",
  };
}
