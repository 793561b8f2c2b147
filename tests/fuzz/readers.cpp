#include "tests/fuzz/readers.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "tests/fuzz/plain_main.h"

namespace ambit::fuzz {
namespace {

// Removed when the process ends.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ambit-fuzz-XXXXXX").string();
    require(::mkdtemp(name.data()) != nullptr, "a folder for inputs can be made");
    path = name;
  }
  ~Folder() {
    std::error_code ec;
    std::filesystem::remove_all(path, ec);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path path;
};

}  // namespace

std::filesystem::path file_with(const std::uint8_t* data, std::size_t size, std::string_view name) {
  static const Folder folder;
  const std::filesystem::path path = folder.path / name;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return path;
}

void require_clear(const Error& error) {
  require(!error.message.empty(), "a refusal says why");
  require(error.message.find('\n') == std::string::npos, "a refusal is one line");
  require(error.message.size() < 4096, "a refusal is short");
}

}  // namespace ambit::fuzz
