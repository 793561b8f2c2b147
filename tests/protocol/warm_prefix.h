// A project of 80 files that a model reads in the background; a scripted one keeps what it is
// asked.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "tests/protocol/harness.h"

namespace ambit::testing {

class WarmPrefix : public Protocol {
 protected:
  void SetUp() override {
    Protocol::SetUp();
    std::ofstream(folder_ / "script.json")
        << json({{"record", (folder_ / "requests.jsonl").string()},
                 {"rules", {{{"match", "int total = <｜fim▁hole｜>"}, {"answer", "price();"}}}}});
    std::ofstream(folder_ / "config/ambit/config.toml", std::ios::app)
        << "completion.context_tokens = 20000\nlog.level = \"debug\"\n";
    ASSERT_EQ(std::system(("git init -q " + (folder_ / "project").string()).c_str()), 0);
    for (int i = 0; i < 80; ++i) {
      std::string text;
      for (int k = 0; k < 8; ++k) {
        text += "int price_" + std::to_string(i) + "_" + std::to_string(k) + "(int count) {\n" +
                "  return price_" + std::to_string(i * 7 % 80) + "_" + std::to_string(k) +
                "(count + 1);\n}\n";
      }
      write("src/file" + std::to_string(i) + ".cpp", text);
    }
  }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / "project" / name).parent_path());
    std::ofstream(folder_ / "project" / name) << text;
  }

  // Prompts of the record, oldest first.
  [[nodiscard]] std::vector<json> requests() const {
    std::vector<json> out;
    std::ifstream file(folder_ / "requests.jsonl");
    for (std::string line; std::getline(file, line);) {
      auto entry = json::parse(line);
      if (entry.contains("request")) out.push_back(std::move(entry));
    }
    return out;
  }

  static void wait_until_warm(LspClient& client) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    json status;
    while (std::chrono::steady_clock::now() < until) {
      status = client.call("workspace/executeCommand", {{"command", "ambit.status"}});
      const auto& workspaces = status["result"]["workspaces"];
      if (!workspaces.empty() && workspaces[0]["warm"].is_object() &&
          workspaces[0]["warm"]["state"] == "warm") {
        return;
      }
    }
    FAIL() << "not warm: " << status.dump();
  }
};

}  // namespace ambit::testing
