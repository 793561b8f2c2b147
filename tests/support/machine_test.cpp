#include "daemon/support/machine.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace ambit {
namespace {

namespace fs = std::filesystem;

class Machine : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ambit-machine-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << "\n";
  }
  fs::path root_;
};

TEST_F(Machine, HasAtLeastOneCoreAndHeedsTheSmallestQuota) {
  const auto all = usable_cores(root_);
  EXPECT_GE(all, 1U);
  write("proc/self/cgroup", "0::/user/app");
  write("sys/fs/cgroup/user/app/cpu.max", "max 100000");
  EXPECT_EQ(usable_cores(root_), all);
  write("sys/fs/cgroup/user/cpu.max", "50000 100000");
  EXPECT_EQ(usable_cores(root_), 1U);
  write("proc/self/cgroup", "4:cpu,cpuacct:/box");
  write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1");
  write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000");
  EXPECT_EQ(usable_cores(root_), all);
  write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "80000");
  EXPECT_EQ(usable_cores(root_), 1U);
}

TEST_F(Machine, HeedsTheSmallestLimitOfMemory) {
  EXPECT_EQ(memory_limit(root_), 0U);
  write("proc/self/cgroup", "0::/user/app");
  write("sys/fs/cgroup/user/app/memory.max", "max");
  EXPECT_EQ(memory_limit(root_), 0U);
  write("sys/fs/cgroup/user/app/memory.high", "3000000000");
  EXPECT_EQ(memory_limit(root_), 3000000000U);
  write("sys/fs/cgroup/user/memory.max", "2000000000");
  EXPECT_EQ(memory_limit(root_), 2000000000U);
  write("proc/self/cgroup", "4:memory:/box");
  write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(memory_limit(root_), 0U);
  write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "500000000");
  EXPECT_EQ(memory_limit(root_), 500000000U);
}

TEST_F(Machine, OnBatteryOneThreadIsEnough) {
  EXPECT_FALSE(on_battery(root_));
  write("sys/class/power_supply/AC/type", "Mains");
  write("sys/class/power_supply/BAT0/type", "Battery");
  write("sys/class/power_supply/BAT0/status", "Charging");
  EXPECT_FALSE(on_battery(root_));
  write("sys/class/power_supply/BAT0/status", "Discharging");
  EXPECT_TRUE(on_battery(root_));
  EXPECT_EQ(background_threads(0, root_), 1U);
  EXPECT_EQ(background_threads(3, root_), 3U);
  write("sys/class/power_supply/BAT0/scope", "Device");
  EXPECT_FALSE(on_battery(root_));
}

TEST(Priority, IsIdleForAThreadAndItsChildrenOnly) {
  const auto before = sched_getscheduler(0);
  int child = -1;
  std::jthread([&] {
    yield_to_all();
    std::jthread([&] { child = sched_getscheduler(0); }).join();
  }).join();
  EXPECT_EQ(child, SCHED_IDLE);
  EXPECT_EQ(sched_getscheduler(0), before);
}

TEST(Priority, BehindMostIsLowButNotIdle) {
  std::jthread([] {
    yield_to_most();
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    EXPECT_GE(getpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid))), 10);
  }).join();
}

}  // namespace
}  // namespace ambit
