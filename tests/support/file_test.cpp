#include "daemon/support/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace ambit {
namespace {
namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ambit-file-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { fs::remove_all(dir_); }
  fs::path dir_;
};

TEST_F(File, ReplaceKeepsOldOrNewAndSetsTheMode) {
  const auto path = dir_ / "a";
  ASSERT_TRUE(file_system().replace(path, "one"));
  ASSERT_TRUE(file_system().replace(path, "two", 0644));
  EXPECT_EQ(read_file(path).value(), "two");
  struct stat st {};
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0644U);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), {}), 1) << "no temporary file is left";
}

TEST_F(File, ErrorsNameTheFileAndTheReason) {
  const auto missing = read_file(dir_ / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_NE(missing.error().message.find("missing"), std::string::npos);
  EXPECT_FALSE(read_file(dir_));
  EXPECT_FALSE(MappedFile::open(dir_));
}

TEST_F(File, SizeLimitIsHonoured) {
  ASSERT_TRUE(file_system().replace(dir_ / "a", "12345"));
  EXPECT_EQ(read_file(dir_ / "a", 4).error().code, Code::kResourceExhausted);
  EXPECT_EQ(read_file(dir_ / "a", 5).value(), "12345");
}

TEST_F(File, MapsEmptyAndFullFiles) {
  ASSERT_TRUE(file_system().replace(dir_ / "e", ""));
  ASSERT_TRUE(file_system().replace(dir_ / "f", "content"));
  EXPECT_EQ(MappedFile::open(dir_ / "e").value().text(), "");
  auto f = MappedFile::open(dir_ / "f").value();
  const MappedFile moved = std::move(f);
  EXPECT_EQ(moved.text(), "content");
}

TEST_F(File, AppendsAndMakesPrivateDirectories) {
  ASSERT_TRUE(file_system().make_private_directory(dir_ / "x" / "y"));
  ASSERT_TRUE(file_system().append(dir_ / "x" / "y" / "log", "a"));
  ASSERT_TRUE(file_system().append(dir_ / "x" / "y" / "log", "b"));
  ASSERT_TRUE(file_system().sync(dir_ / "x" / "y" / "log"));
  EXPECT_EQ(read_file(dir_ / "x" / "y" / "log").value(), "ab");
  struct stat st {};
  ASSERT_EQ(::stat((dir_ / "x" / "y").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0700U);
}

}  // namespace
}  // namespace ambit
