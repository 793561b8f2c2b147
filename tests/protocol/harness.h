// A daemon of its own for every test: its folders, its socket and a scripted model, and as many
// editors as the test wants. When it ends, the daemon is stopped and nothing that any server sent
// may have broken the meta model.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "tests/support/lsp_client.h"

namespace ambit::testing {

class Protocol : public ::testing::Test {
 protected:
  using json = nlohmann::json;

  void SetUp() override;
  void TearDown() override;

  // `ambit lsp`, not yet initialized.
  LspClient& editor();
  // The same, initialized in the project folder.
  LspClient& started_editor();
  [[nodiscard]] std::string uri(const std::string& name) const;
  [[nodiscard]] static int pid_of_daemon(LspClient& client);
  // Texts of the items of an answer to inlineCompletion.
  static std::vector<std::string> texts(const json& reply);
  static int error_code(const json& reply);

  std::filesystem::path folder_;

 private:
  std::vector<std::string> environment_;
  std::optional<MetaModel> model_;
  std::vector<std::unique_ptr<LspClient>> editors_;
};

}  // namespace ambit::testing
