// A libFuzzer target starts from its own seeds: with AMBIT_FUZZ_CORPUS set they are written into
// that folder before libFuzzer reads it.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/plain_main.h"

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  const char* folder = std::getenv("AMBIT_FUZZ_CORPUS");
  if (folder == nullptr) return 0;
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const auto& seed : ambit::fuzz::seeds()) {
    std::ofstream out(std::filesystem::path(folder) / ("seed-" + std::to_string(number++)),
                      std::ios::binary);
    out << seed;
    ambit::fuzz::require(!out.fail(), "a seed can be written");
  }
  return 0;
}
