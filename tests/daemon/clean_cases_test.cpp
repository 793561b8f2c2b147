// clean_cases.tsv, one case a line: name, path, the text with ¦ at the cursor, what the model
// wrote, and the item that may be shown, or ! and the reason why there is none. \n, \t, \r and
// \\ as in C.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "daemon/assists/completion/clean.h"

namespace ambit::daemon {
namespace {

std::string unescaped(std::string_view field) {
  std::string out;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\' || i + 1 == field.size()) {
      out += field[i];
      continue;
    }
    const char c = field[++i];
    out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
  }
  return out;
}

TEST(Cleaner, GoldenCases) {
  std::ifstream file(AMBIT_SOURCE_DIR "/tests/daemon/completion/clean_cases.tsv");
  ASSERT_TRUE(file);
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> fields(1);
    for (const char c : line) {
      if (c == '\t') {
        fields.emplace_back();
      } else {
        fields.back() += c;
      }
    }
    ASSERT_EQ(fields.size(), 5U) << line;
    const std::string text = unescaped(fields[2]), raw = unescaped(fields[3]);
    const auto cursor = text.find("¦");
    ASSERT_NE(cursor, std::string::npos) << line;
    const std::string before = text.substr(0, cursor), after = text.substr(cursor + 2);
    const Cleaner cleaner(fields[1], before, after, {});
    const auto whole = cleaner.clean(raw, true);
    if (fields[4].starts_with('!')) {
      EXPECT_EQ(whole.text, "") << fields[0];
      EXPECT_EQ(whole.reason, fields[4].substr(1)) << fields[0];
    } else {
      EXPECT_EQ(whole.text, unescaped(fields[4])) << fields[0];
    }
    // However the model's text comes in pieces: what is called complete is the end result.
    for (std::size_t n = 0; n <= raw.size(); ++n) {
      const auto part = cleaner.clean(std::string_view(raw).substr(0, n), false);
      if (!part.complete) continue;
      EXPECT_EQ(part.text, whole.text) << fields[0] << " after " << n;
      break;
    }
    ++cases;
  }
  EXPECT_GE(cases, 150);
}

}  // namespace
}  // namespace ambit::daemon
