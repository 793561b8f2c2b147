#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {}  // namespace ambit::inference
