#include "tests/protocol/seams.h"

#include <sys/socket.h>

#include <cstdlib>
#include <iostream>

namespace ambit::testing {

void Seams::SetUp() {
  auto pattern = (std::filesystem::temp_directory_path() / "ambit-seams.XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  if (auto loaded = MetaModel::load(MetaModel::default_path())) {
    model_ = std::move(*loaded);
  } else {
    std::cerr << "messages are not validated: " << loaded.error().message << "\n";
  }
}

void Seams::TearDown() {
  server_.reset();
  for (const auto& editor : editors_) {
    for (const auto& violation : editor->violations()) ADD_FAILURE() << violation;
  }
  editors_.clear();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

LspClient& Seams::editor() {
  if (!server_) {
    daemon::ServerOptions options;
    // No model: whatever is not there cannot be started by a test that should not.
    EXPECT_TRUE(options.config.set("model", (folder_ / "none").string(), "test"));
    options.features = std::make_shared<const daemon::Features>(features);
    server_ = std::make_unique<daemon::Server>(std::move(options));
  }
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  server_->add_client(daemon::FileDescriptor(ends[0]));
  return *editors_.emplace_back(std::make_unique<LspClient>(ends[1], model_ ? &*model_ : nullptr));
}

LspClient& Seams::started(const json& more_capabilities) {
  LspClient& client = editor();
  if (more_capabilities.is_object()) client.capabilities.merge_patch(more_capabilities);
  hello_ = client.start("file://" + folder_.string());
  EXPECT_TRUE(hello_.contains("result")) << hello_.dump();
  client.open(uri(), "int one;\nint two;\n");
  return client;
}

int Seams::error_code(const json& reply) {
  if (!reply.is_object() || !reply.contains("error")) return 0;
  return reply["error"].value("code", 0);
}

nlohmann::json Seams::run(const std::string& command, json arguments) {
  return {{"command", command}, {"arguments", std::move(arguments)}};
}

void Gate::open() {
  std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

bool Gate::wait() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return open_; });
}

}  // namespace ambit::testing
