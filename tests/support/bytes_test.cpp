#include "daemon/support/bytes.h"

#include <gtest/gtest.h>

namespace ambit {
namespace {

TEST(Bytes, RoundTrip) {
  ByteWriter w;
  w.write<std::uint32_t>(0xDEADBEEF);
  w.varint(0);
  w.varint(127);
  w.varint(128);
  w.varint(~std::uint64_t{0});
  w.string("héllo");
  const std::string bytes = w.take();
  ByteReader r(bytes);
  EXPECT_EQ(r.read<std::uint32_t>(), 0xDEADBEEF);
  EXPECT_EQ(r.varint(), 0U);
  EXPECT_EQ(r.varint(), 127U);
  EXPECT_EQ(r.varint(), 128U);
  EXPECT_EQ(r.varint(), ~std::uint64_t{0});
  EXPECT_EQ(r.string(), "héllo");
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(r.remaining(), 0U);
}

TEST(Bytes, EveryTruncationIsNoticedAndNothingIsReadPastTheEnd) {
  ByteWriter w;
  w.write<std::uint64_t>(1);
  w.string("four");
  const std::string whole = w.take();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::string cut = whole.substr(0, n);
    ByteReader r(cut);
    (void)r.read<std::uint64_t>();
    (void)r.string();
    EXPECT_FALSE(r.ok()) << n;
    EXPECT_EQ(r.read<std::uint64_t>(), 0U);
  }
}

TEST(Bytes, HostileLengthIsRefused) {
  ByteWriter w;
  w.varint(~std::uint64_t{0});
  w.raw("abc");
  const std::string bytes = w.take();
  ByteReader r(bytes);
  EXPECT_EQ(r.string(), "");
  EXPECT_FALSE(r.ok());
}

TEST(Bytes, EndlessVarintIsRefused) {
  const std::string bytes(11, '\xFF');
  ByteReader r(bytes);
  (void)r.varint();
  EXPECT_FALSE(r.ok());
}

}  // namespace
}  // namespace ambit
