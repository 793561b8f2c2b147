// A folder below the system's temporary directory, removed at the end, with a git repository in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace ambit::indexer {

class TempRepo {
 public:
  explicit TempRepo(bool with_git = true) {
    std::string pattern = (std::filesystem::temp_directory_path() / "ambit-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
    if (with_git) git("init -q -b main");
  }
  TempRepo(const TempRepo&) = delete;
  TempRepo& operator=(const TempRepo&) = delete;
  ~TempRepo() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
  }
  // Returns false when git fails.
  bool git(const std::string& arguments) const {
    const auto command = "env -u GIT_DIR -u GIT_INDEX_FILE git -C '" + path_.string() +
                         "' -c user.name=t -c user.email=t@localhost -c commit.gpgsign=false " +
                         arguments + " >/dev/null 2>&1";
    return std::system(command.c_str()) == 0;
  }
  void commit(const std::string& message) const {
    git("add -A");
    git("commit -q --allow-empty -m '" + message + "'");
  }

 private:
  std::filesystem::path path_;
};

}  // namespace ambit::indexer
