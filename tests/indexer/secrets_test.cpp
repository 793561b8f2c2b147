#include "indexer/secrets.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace ambit::indexer {
namespace {

TEST(Secrets, FindsTwoHundredSeeded) {
  std::mt19937 random(3);
  const auto make = [&](std::string_view alphabet, std::size_t n) {
    std::string s;
    for (std::size_t i = 0; i < n; ++i)
      s += alphabet[std::uniform_int_distribution<std::size_t>(0, alphabet.size() - 1)(random)];
    return s;
  };
  const std::string_view kAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  int found = 0;
  for (int i = 0; i < 200; ++i) {
    std::string secret;
    std::string text;
    switch (i % 8) {
      case 0:
        secret = std::string("AKI") + "A" + make(kUpper, 16);
        text = "key = " + secret + "\n";
        break;
      case 1:
        secret = std::string("gh") + "p_" + make(kAlnum, 36);
        text = "url(\"" + secret + "\")\n";
        break;
      case 2:
        secret = std::string("AI") + "za" + make(kAlnum, 35);
        text = "const k = '" + secret + "';\n";
        break;
      case 3:
        secret = std::string("sk_") + "live_" + make(kAlnum, 24);
        text = secret + "\n";
        break;
      case 4:
        secret = make(kAlnum, 20) + "7a";
        text = "password = \"" + secret + "\"\n";
        break;
      case 5:
        secret = make(kAlnum, 24) + "7a";
        text = "API_KEY=" + secret + "\n";
        break;
      case 6:
        secret = make(kAlnum, 64) + "\n" + make(kAlnum, 64) + "\n";
        text = std::string("-----BEGIN RSA PRIV") + "ATE KEY-----\n" + secret +
               "-----END RSA PRIVATE KEY-----\n";
        break;
      default:
        secret = make(kAlnum, 14) + "9";
        text = "postgres://bob:" + secret + "@db.local/x\n";
        break;
    }
    const auto redacted = redact_secrets("before\n" + text + "after\n");
    EXPECT_EQ(redacted.find(secret), std::string::npos) << text;
    EXPECT_NE(redacted.find("<secret:"), std::string::npos) << text;
    found += redacted.find(secret) == std::string::npos ? 1 : 0;
    EXPECT_EQ(redact_secrets("before\n" + text + "after\n"), redacted);
  }
  EXPECT_EQ(found, 200);
}

TEST(Secrets, LeavesUrlsThatTryOutAParser) {
  for (const auto* t : {"https://oauth2:se?cret@example.org/o", "https://u:pass#word@h/x"})
    EXPECT_TRUE(find_secrets(t).empty()) << t;
  EXPECT_FALSE(find_secrets("https://oauth2:tR4?bQz81@h/x").empty());
}

TEST(Secrets, LeavesOurOwnSourcesAlone) {
  namespace fs = std::filesystem;
  std::size_t files = 0, hits = 0;
  std::string first;
  for (const auto* folder : {"daemon", "indexer", "lsp", "inference"}) {
    for (const auto& e : fs::recursive_directory_iterator(fs::path(AMBIT_SOURCE_DIR) / folder)) {
      const auto path = e.path().string();
      if (path.find("node_modules") != std::string::npos ||
          !(path.ends_with(".cpp") || path.ends_with(".h")))
        continue;
      std::stringstream text;
      text << std::ifstream(e.path()).rdbuf();
      ++files;
      const auto t = text.str();
      for (const auto& s : find_secrets(t)) {
        ++hits;
        if (first.empty()) first = path + ": " + t.substr(s.span.begin, s.span.size());
      }
    }
  }
  EXPECT_GT(files, 50U);
  EXPECT_EQ(hits, 0U) << first;
}

TEST(Secrets, KnowsPathsThatHoldThem) {
  for (const auto* p : {".env", "a/.env.local", "x.pem", "k/id_rsa", ".npmrc"})
    EXPECT_TRUE(is_secret_path(p)) << p;
  for (const auto* p : {".env.example", "env.c", "pem.cpp", "key.h"})
    EXPECT_FALSE(is_secret_path(p)) << p;
}

}  // namespace
}  // namespace ambit::indexer
