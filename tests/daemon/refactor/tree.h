// A folder of its own for one test, and a state directory beside it, and a picture of
// everything in the folder.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "daemon/assists/refactor/journal.h"

namespace ambit::daemon {

// path -> "mode kind bytes"
using Picture = std::map<std::string, std::string>;

class Tree {
 public:
  Tree() {
    // In memory where that exists: the tests sync thousands of files.
    const std::filesystem::path memory = "/dev/shm";
    const bool fast = ::access(memory.c_str(), W_OK) == 0;
    const auto parent = fast ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "ambit-tree-XXXXXX").string();
    base_ = mkdtemp(pattern.data());
    std::filesystem::create_directory(root());
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() {
    std::error_code ec;
    std::filesystem::remove_all(base_, ec);
  }
  [[nodiscard]] std::filesystem::path root() const { return base_ / "tree"; }
  [[nodiscard]] std::filesystem::path state() const { return base_ / "state"; }
  void write(const std::string& path, const std::string& text, unsigned mode = 0644) const {
    std::filesystem::create_directories((root() / path).parent_path());
    std::ofstream(root() / path, std::ios::binary) << text;
    ::chmod((root() / path).c_str(), mode);
  }
  [[nodiscard]] std::string read(const std::string& path) const {
    std::ifstream in(root() / path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] Picture picture() const {
    Picture out;
    for (const auto& e : std::filesystem::recursive_directory_iterator(root())) {
      const auto name = e.path().lexically_relative(root()).string();
      struct stat st {};
      ::lstat(e.path().c_str(), &st);
      auto text = std::to_string(st.st_mode) + " ";
      if (S_ISLNK(st.st_mode)) text += std::filesystem::read_symlink(e.path()).string();
      if (S_ISREG(st.st_mode)) text += read(name);
      out[name] = text;
    }
    return out;
  }
  [[nodiscard]] Journal journal(DiskPoint point = {}) const {
    return Journal::open(root(), state(), std::move(point)).value();
  }
  // What the disk holds, for plan_undo().
  [[nodiscard]] auto current() const {
    return [this](const std::string& path) -> Result<std::optional<std::string>> {
      if (!std::filesystem::exists(root() / path)) return std::optional<std::string>();
      return std::optional<std::string>(read(path));
    };
  }

 private:
  std::filesystem::path base_;
};

inline void add(ChangeSet& set, const std::string& path, std::optional<std::string> before,
                std::optional<std::string> after) {
  set[path] = FileChange{path, std::move(before), std::move(after), 0644};
}

// Takes the newest change (or `id`) back; returns what stays.
inline Undo undo(const Tree& tree, Journal& journal, const std::string& id = "",
                 const std::set<std::size_t>& hunks = {}) {
  const auto entry = journal.entry(id).value();
  auto out = plan_undo(entry, tree.current(), hunks).value();
  if (!out.changes.empty()) {
    ApplyRequest request;
    request.title = "undo " + entry.title;
    request.undoes = entry.id;
    request.part = !hunks.empty();
    request.folders = entry.folders;
    static_cast<void>(journal.apply(out.changes, request).value());
  }
  return out;
}

}  // namespace ambit::daemon
