// Picks a command from argv; no logic.
#include "daemon/cli/command.h"

int main(int argc, char** argv) {
  return ambit::daemon::run_command_line(argc, argv);
}
