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

  // `ambit lsp`, or another verb that speaks as it does, not yet initialized.
  LspClient& editor(std::vector<std::string> words = {"lsp", "--stdio"});
  // The same, initialized in the project folder.
  LspClient& started_editor();
  // The same with these capabilities on top of the usual ones.
  LspClient& started_editor(const json& more_capabilities);
  [[nodiscard]] std::string uri(const std::string& name) const;
  [[nodiscard]] static int pid_of_daemon(LspClient& client);
  // Exit code of `ambit WORDS` in this test's folders, and what it printed.
  int run(std::vector<std::string> words, std::string* out = nullptr);
  // One more line of config.toml, and another script; both before the first editor.
  void configure(const std::string& line) const;
  void script(const std::string& text) const;
  // Texts of the items of an answer to inlineCompletion.
  static std::vector<std::string> texts(const json& reply);
  static int error_code(const json& reply);

  [[nodiscard]] const std::vector<std::string>& environment() const { return environment_; }

  std::filesystem::path folder_;

 private:
  std::vector<std::string> environment_;
  std::optional<MetaModel> model_;
  std::vector<std::unique_ptr<LspClient>> editors_;
};

}  // namespace ambit::testing
