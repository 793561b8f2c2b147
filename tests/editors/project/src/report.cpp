#include <string>

#include "ledger.h"

namespace books {

std::string summary(const Ledger& ledger) {
}

}  // namespace books
