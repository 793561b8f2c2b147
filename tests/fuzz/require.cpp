#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/plain_main.h"

void ambit::fuzz::require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property does not hold: %s\n", property);
  std::abort();
}
