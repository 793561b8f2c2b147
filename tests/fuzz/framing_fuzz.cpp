// Any bytes, in any split, give the same frames and errors; memory stays near what arrived.
#include "lsp/framing.h"

#include "tests/fuzz/plain_main.h"

namespace {

using ambit::lsp::FrameReader;
using Events = std::vector<std::string>;

constexpr std::size_t kMaxFrame = 4096;

void drain(FrameReader& reader, Events& events) {
  while (auto event = reader.next()) {
    if (const auto* frame = std::get_if<ambit::lsp::Frame>(&*event)) {
      ambit::fuzz::require(frame->body.size() <= kMaxFrame, "a frame is within the limit");
      events.push_back("frame " + frame->body);
    } else {
      const auto& error = std::get<ambit::Error>(*event);
      ambit::fuzz::require(error.message.find('\n') == std::string::npos, "an error is one line");
      events.push_back("error " + error.message);
    }
  }
}

// The first byte of the input chooses the size of the pieces, 1 to 64.
Events read(std::string_view bytes, std::size_t piece) {
  FrameReader reader(kMaxFrame);
  Events events;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    drain(reader, events);
    ambit::fuzz::require(reader.buffered() <= kMaxFrame + ambit::lsp::kMaxHeaderBytes + piece,
                         "no more is held back than one header and one frame");
  }
  if (const auto error = reader.finish()) events.push_back("end " + error->message);
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = read(bytes, bytes.size() + 1);
  ambit::fuzz::require(whole == read(bytes, piece), "the split does not change the events");

  // What was read can be framed again and gives itself.
  std::string again;
  Events expected;
  for (const auto& event : whole) {
    if (!event.starts_with("frame ")) continue;
    again += ambit::lsp::frame(std::string_view(event).substr(6));
    expected.push_back(event);
  }
  ambit::fuzz::require(read(again, piece) == expected, "framing a body gives it back");
  return 0;
}

std::vector<std::string> ambit::fuzz::seeds() {
  const std::string a = lsp::frame(R"({"jsonrpc":"2.0","id":1,"method":"shutdown"})");
  const std::string b = lsp::frame("{}");
  return {
      "\x07" + a + b,
      "\x01" +
          std::string("content-length: 2\r\nContent-Type: application/vscode-jsonrpc; "
                      "charset=utf8\r\n\r\n{}") +
          a,
      "\x3f" + std::string("Content-Length: 5000\r\n\r\n") + b,
      "\x02" + std::string("garbage\r\nContent-Length: 40\r\n\r\n{\"cut\":") + a + b,
  };
}
