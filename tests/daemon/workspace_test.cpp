#include "daemon/workspace/workspace.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>

namespace ambit::daemon {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

TEST(WorkspaceRegistry, WhoeverLetsGoOfAWorkspaceDoesNotWaitForItsIndexing) {
  std::string folder = (fs::temp_directory_path() / "ambit-workspace-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::latch begun(1), released(1);
  IndexSupport support;
  support.open = [&](const fs::path&, const auto&) -> Result<std::unique_ptr<indexer::RepoIndex>> {
    begun.count_down();
    released.wait();  // as on a machine that has no time for it
    return make_error(Code::kInternal, "");
  };
  {
    auto config = Config::load();
    ASSERT_TRUE(config);
    WorkspaceRegistry registry(*config, support);
    auto workspace = registry.get(folder);
    ASSERT_NE(workspace, nullptr);
    begun.wait();
    auto let_go = std::async(std::launch::async, [&] { workspace.reset(); });
    EXPECT_EQ(let_go.wait_for(seconds(20)), std::future_status::ready);
    EXPECT_TRUE(registry.all().empty());
    released.count_down();
  }  // the registry waits for it
  fs::remove_all(folder);
}

}  // namespace
}  // namespace ambit::daemon
