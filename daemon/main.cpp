// Picks a command from argv; no logic.
#include <cstdio>

#include "daemon/version.h"

int main() {
  std::printf("ambit %s\n", ambit::daemon::version().data());
  return 0;
}
