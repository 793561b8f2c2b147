// What the file system says of a file. For indexer/git only.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "indexer/git/repository.h"

namespace ambit::indexer {

inline std::int64_t nanoseconds(const struct timespec& t) {
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

inline std::uint64_t stamp_of(const struct stat& st) {
  std::uint64_t h = 0x9E3779B97F4A7C15U;
  for (const auto v :
       {static_cast<std::uint64_t>(st.st_ino), static_cast<std::uint64_t>(nanoseconds(st.st_ctim)),
        static_cast<std::uint64_t>(nanoseconds(st.st_mtim)),
        static_cast<std::uint64_t>(st.st_size)}) {
    h = (h ^ v) * 0xD6E8FEB86659FD93U;
    h ^= h >> 32;
  }
  return h | 1;
}

inline void fill_stat(const struct stat& st, WorkFile& f) {
  f.stamp = stamp_of(st);
  f.bytes = static_cast<std::uint64_t>(st.st_size);
  f.mtime_ns = nanoseconds(st.st_mtim);
  f.kind = S_ISLNK(st.st_mode) ? FileKind::kSymlink : FileKind::kRegular;
  f.on_disk = true;
}

}  // namespace ambit::indexer
