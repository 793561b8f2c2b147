#include "lsp/framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace ambit::lsp {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

// Frames as their bodies, errors as "! " and the message.
std::vector<std::string> drain(FrameReader& reader) {
  std::vector<std::string> out;
  while (auto event = reader.next()) {
    if (auto* f = std::get_if<Frame>(&*event)) {
      out.push_back(std::move(f->body));
    } else {
      out.push_back("! " + std::get<Error>(*event).message);
    }
  }
  return out;
}

std::vector<std::string> read_all(std::string_view bytes, std::size_t limit = kMaxFrameBytes) {
  FrameReader reader(limit);
  reader.feed(bytes);
  return drain(reader);
}

TEST(Framing, ReadsWhatItWrites) {
  EXPECT_THAT(read_all(frame("{}") + frame("") + frame("{\"é\":1}")),
              ElementsAre("{}", "", "{\"é\":1}"));
}

TEST(Framing, TakesHeadersInAnyOrderAndCase) {
  EXPECT_THAT(read_all("content-TYPE: application/vscode-jsonrpc; charset=utf8\r\n"
                       "CONTENT-length:2\r\n\r\n{}"),
              ElementsAre("{}"));
}

TEST(Framing, WaitsWhenTheHeaderIsSplit) {
  FrameReader reader;
  reader.feed("Content-Length: 2\r\n\r");
  EXPECT_THAT(drain(reader), ElementsAre());
  reader.feed("\n{");
  EXPECT_THAT(drain(reader), ElementsAre());
  EXPECT_TRUE(reader.finish().has_value());
  reader.feed("}");
  EXPECT_THAT(drain(reader), ElementsAre("{}"));
  EXPECT_FALSE(reader.finish().has_value());
}

TEST(Framing, RefusesFourGigabytesWithoutStoringThemAndReadsTheNextFrame) {
  FrameReader reader;
  reader.feed("Content-Length: 4294967296\r\n\r\n");
  EXPECT_THAT(drain(reader), ElementsAre(StartsWith("! a message of 4294967296 bytes")));
  for (int i = 0; i < 1000; ++i) {
    reader.feed(std::string(1000, 'x'));
    EXPECT_THAT(drain(reader), ElementsAre());
    ASSERT_LT(reader.buffered(), 2000U);
  }
  reader.feed(frame("{}"));
  EXPECT_THAT(drain(reader), ElementsAre("{}"));
}

TEST(Framing, ReadsTheFrameAfterATruncatedOne) {
  EXPECT_THAT(read_all("Content-Length: 100\r\n\r\n{\"a\":1" + frame("{}")),
              ElementsAre(StartsWith("! a message was cut short"), "{}"));
}

TEST(Framing, ReadsTheFrameWhoseHeaderTheTruncatedBodySwallowedInPart) {
  for (std::size_t extra = 1; extra < 20; ++extra) {
    const std::string cut = "{\"a\":1";
    EXPECT_THAT(read_all("Content-Length: " + std::to_string(cut.size() + extra) + "\r\n\r\n" +
                         cut + frame("{}")),
                ElementsAre(StartsWith("! a message was cut short"), "{}"))
        << extra;
  }
}

TEST(Framing, ReadsTheFrameAfterAnUnreadableHeader) {
  for (const char* bad :
       {"Content-Length: ten\r\n\r\n", "Content-Length: -1\r\n\r\n{}", "nonsense\r\n\r\n",
        "Content-Type: a/b\r\n\r\n", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Type: a; charset=latin1\r\n\r\n{}", "{\"id\":1}\r\n\r\n",
        "Content-Length: 99999999999999999999999999\r\n\r\n"}) {
    const auto events = read_all(bad + frame("{}"));
    ASSERT_GE(events.size(), 2U) << bad;
    EXPECT_THAT(events.front(), StartsWith("! ")) << bad;
    EXPECT_EQ(events.back(), "{}") << bad;
  }
}

TEST(Framing, BoundsTheHeader) {
  EXPECT_THAT(read_all("X: " + std::string(20000, 'x') + "\r\n\r\n" + frame("{}")),
              ElementsAre(StartsWith("! no end of the header"), "{}"));
}

TEST(Framing, AnySplitOfTheBytesGivesTheSameEvents) {
  std::mt19937 random(7);
  const std::vector<std::string> pieces = {frame("{}"),
                                           frame("{\"text\":\"a\\r\\nContent-Length: 5\"}"),
                                           frame(std::string(300, 'b')),
                                           "Content-Length: 4294967296\r\n\r\n",
                                           "Content-Length: 50\r\n\r\n{\"cut",
                                           "garbage\r\n\r\n",
                                           "\r\n",
                                           "Content-Length: x\r\n\r\n",
                                           "content-length:3\r\nA: b\r\n\r\n123",
                                           "Content-Length: 7",
                                           std::string(9000, 'z'),
                                           "\r",
                                           "Content-"};
  for (int round = 0; round < 3000; ++round) {
    std::string bytes;
    for (int i = 0; i < 6; ++i) bytes += pieces[random() % pieces.size()];
    const auto whole = read_all(bytes, 1000);
    FrameReader reader(1000);
    std::vector<std::string> split;
    const std::size_t step = 1 + random() % 40;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = std::min<std::size_t>(1 + random() % step, bytes.size() - at);
      reader.feed(std::string_view(bytes).substr(at, n));
      for (auto& event : drain(reader)) split.push_back(std::move(event));
      at += n;
    }
    ASSERT_EQ(whole, split) << bytes;
  }
}

}  // namespace
}  // namespace ambit::lsp
