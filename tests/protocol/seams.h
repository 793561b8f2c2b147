// A Server in this process with features of the test's own, and an editor on a socket: for what
// the assists build on (commands, progress, code actions, diagnostics, requests to the editor).
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <mutex>

#include "daemon/handlers/client_requests.h"
#include "daemon/handlers/features.h"
#include "daemon/server.h"
#include "tests/support/lsp_client.h"

namespace ambit::testing {

class Seams : public ::testing::Test {
 protected:
  using json = nlohmann::json;

  void SetUp() override;
  void TearDown() override;

  // Fill `features` before the first editor.
  daemon::Features features;
  // A connected editor, not yet initialized; capabilities can still be changed.
  LspClient& editor();
  // With these capabilities on top of the usual ones, and a document open at uri().
  LspClient& started(const json& more_capabilities);
  [[nodiscard]] std::string uri() const { return "file://" + (folder_ / "a.cpp").string(); }
  // "result" of a call, or the whole reply when it failed.
  static json result(const json& reply) { return reply.value("result", reply); }
  static int error_code(const json& reply);
  static json run(const std::string& command, json arguments = json::array());
  [[nodiscard]] daemon::Server& server() { return *server_; }

  std::filesystem::path folder_;
  json hello_;  // the last answer to initialize

 private:
  std::optional<MetaModel> model_;
  std::unique_ptr<daemon::Server> server_;
  std::vector<std::unique_ptr<LspClient>> editors_;
};

// Lets the thread of a feature wait for the test, with a deadline.
class Gate {
 public:
  void open();
  // False at the deadline.
  bool wait();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace ambit::testing
