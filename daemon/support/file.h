// Files: read whole, map, replace atomically, append durably. Everything that writes to disk goes
// through FileSystem, the seam where tests cut a write short, drop it, or kill the process there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "daemon/support/result.h"

namespace ambit {

// A read-only private mapping. Movable; the view dies with it. A file truncated by somebody else
// while mapped raises SIGBUS on access: map only files of our own or in a process that may die.
class MappedFile {
 public:
  [[nodiscard]] static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile() = default;
  MappedFile(MappedFile&& o) noexcept { swap(o); }
  MappedFile& operator=(MappedFile&& o) noexcept {
    swap(o);
    return *this;
  }
  ~MappedFile();
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(data_), size_};
  }
  [[nodiscard]] std::string_view text() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void swap(MappedFile& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
  }
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// The whole file; refuses more than max_bytes with kResourceExhausted before reading.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path,
                                            std::uint64_t max_bytes = std::uint64_t{1} << 31);

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Writes to a temporary file beside path, syncs it, renames it over path, syncs the directory:
  // after a crash the file holds the old bytes or the new, never a mixture. mode: permission bits.
  [[nodiscard]] virtual Result<void> replace(const std::filesystem::path& path,
                                             std::string_view content, unsigned mode = 0600);
  // Appends; after sync() it is durable. Creates the file with mode 0600 when it is missing.
  [[nodiscard]] virtual Result<void> append(const std::filesystem::path& path,
                                            std::string_view content);
  [[nodiscard]] virtual Result<void> sync(const std::filesystem::path& path);
  [[nodiscard]] virtual Result<void> rename(const std::filesystem::path& from,
                                            const std::filesystem::path& to);
  [[nodiscard]] virtual Result<void> remove(const std::filesystem::path& path);
  // Makes path and its parents; the last one gets mode 0700.
  [[nodiscard]] virtual Result<void> make_private_directory(const std::filesystem::path& path);
};

// The real one; never null, lives for ever.
[[nodiscard]] FileSystem& file_system();

}  // namespace ambit
