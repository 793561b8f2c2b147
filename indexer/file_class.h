#pragma once

#include <cstdint>
#include <string_view>

namespace ambit::indexer {

// What a file is, apart from its language. Reasons are stable words.
enum class FileClass : std::uint8_t {
  kSource,      // indexed and offered to the packer
  kBinary,      // a NUL byte, or mostly unprintable
  kTooLarge,    // above IndexOptions::max_file_bytes
  kMinified,    // very long lines
  kGenerated,   // says so itself, or an attribute does
  kRegisters,   // a header that holds little but #define lines
  kLockFile,    // package-lock.json, Cargo.lock, …
  kVendored,    // vendor/, node_modules/, third_party/, or an attribute
  kLfsPointer,  // a Git LFS pointer instead of the content
  kSymlink,
  kSubmodule,
  kIgnored,     // .ambitignore
  kSecret,      // a path that holds secrets by its name: .env, *.pem, id_rsa, …
  kData,        // CSV, logs, SVG: text, but no code
  kUnreadable,  // no permission, or its blob is not on this machine (a partial clone)
};
[[nodiscard]] std::string_view to_string(FileClass c);  // "binary", "too large", …

// A file of tests, by its path.
[[nodiscard]] bool is_test_path(std::string_view path);

}  // namespace ambit::indexer
