#include "daemon/version.h"

namespace ambit::daemon {

std::string_view version() {
  return "0.1.0";
}

}  // namespace ambit::daemon
