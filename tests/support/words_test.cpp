#include "daemon/support/words.h"

#include <gtest/gtest.h>

namespace ambit::daemon {
namespace {

TEST(Words, SayNumbersAsPeopleDo) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(78579), "78,579");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(counted(1, "file"), "1 file");
  EXPECT_EQ(counted(0, "file"), "0 files");
  EXPECT_EQ(sized(812), "812 bytes");
  EXPECT_EQ(sized(1000), "1.0 KB");
  EXPECT_EQ(sized(27210850), "27 MB");
  EXPECT_EQ(sized(999600), "1.0 MB");
  EXPECT_EQ(sized(160000000000), "160 GB");
  EXPECT_EQ(lasted(0.301), "0.30 s");
  EXPECT_EQ(lasted(119.9), "119 s");
  EXPECT_EQ(lasted(301), "5 min");
  EXPECT_EQ(lasted(12000), "3 h 20 min");
  EXPECT_EQ(lasted(7200), "2 h");
  EXPECT_EQ(lasted(187200), "2 d 4 h");
}

}  // namespace
}  // namespace ambit::daemon
