// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ambit::daemon {

// "78,579".
[[nodiscard]] std::string grouped(std::uint64_t number);
// "1 file", "78,579 files".
[[nodiscard]] std::string counted(std::uint64_t number, std::string_view thing);
// "812 bytes", "12 KB", "1.3 MB", "27 GB"; thousands, not 1024s.
[[nodiscard]] std::string sized(std::uint64_t bytes);
// "0.30 s", "12 s", "5 min", "3 h 20 min", "2 d 4 h".
[[nodiscard]] std::string lasted(double seconds);

}  // namespace ambit::daemon
