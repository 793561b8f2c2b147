#include "daemon/assists/refactor/store.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/support/file.h"
#include "indexer/git/repository.h"

namespace ambit::daemon {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kKeepPlans = 100;
}

Result<PlanStore> PlanStore::open(const fs::path& root, const fs::path& state) {
  std::error_code ec;
  const auto real = fs::canonical(root, ec);
  if (ec) return make_error(Code::kNotFound, "there is no folder " + root.string());
  auto& files = file_system();
  AMBIT_CHECK_OK(files.make_private_directory(state));
  AMBIT_CHECK_OK(files.make_private_directory(state / "refactor"));
  const auto folder = state / "refactor" / indexer::hash_blob(real.string()).hex().substr(0, 16);
  AMBIT_CHECK_OK(files.make_private_directory(folder));
  return PlanStore(folder);
}

fs::path PlanStore::file_of(const std::string& id) const {
  return folder_ / (id + ".toml");
}

Result<fs::path> PlanStore::save(const Plan& plan) const {
  const auto file = file_of(plan.id);
  AMBIT_CHECK_OK(file_system().replace(file, to_toml(plan), 0600));
  const auto all = list();
  for (std::size_t i = kKeepPlans; i < all.size(); ++i) {
    static_cast<void>(file_system().remove(file_of(all[i])));
  }
  return file;
}

Result<Plan> PlanStore::load(const std::string& name) const {
  fs::path file;
  if (name.empty()) {
    const auto all = list();
    if (all.empty()) {
      return make_error(Code::kNotFound,
                        "there is no plan; make one with `ambit refactor plan \"…\"`");
    }
    file = file_of(all[0]);
  } else if (name.find('/') != std::string::npos || name.ends_with(".toml")) {
    file = name;
  } else {
    file = file_of(name);
  }
  auto text = read_file(file, std::uint64_t{64} << 20);
  if (!text) {
    if (text.error().code != Code::kNotFound) return text.error();
    return make_error(Code::kNotFound,
                      "there is no plan '" + name + "'; `ambit refactor list` shows them");
  }
  return parse_plan(*text);
}

std::vector<std::string> PlanStore::list() const {
  std::vector<std::pair<fs::file_time_type, std::string>> found;
  std::error_code ec;
  for (fs::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().extension() != ".toml") continue;
    std::error_code time_error;
    found.emplace_back(it->last_write_time(time_error), it->path().stem().string());
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> out;
  for (auto& [time, id] : found) out.push_back(std::move(id));
  return out;
}

std::vector<std::string> PlanStore::verify_command() const {
  const auto text = read_file(folder_ / "verify.json", 1U << 16);
  if (!text) return {};
  const auto words = nlohmann::json::parse(*text, nullptr, false);
  if (!words.is_array()) return {};
  std::vector<std::string> out;
  for (const auto& w : words) {
    if (!w.is_string()) return {};
    out.push_back(w.get<std::string>());
  }
  return out;
}

Result<void> PlanStore::remember_verify_command(const std::vector<std::string>& words) const {
  return file_system().replace(folder_ / "verify.json", nlohmann::json(words).dump(), 0600);
}

}  // namespace ambit::daemon
