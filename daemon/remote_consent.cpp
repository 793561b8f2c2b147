#include "daemon/remote_consent.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/paths.h"
#include "daemon/support/file.h"

namespace ambit::daemon {

namespace {

constexpr std::uint64_t kMaxFile = 1U << 20;

std::filesystem::path real_path(const std::filesystem::path& root) {
  std::error_code error;
  auto out = std::filesystem::canonical(root, error);
  return error ? std::filesystem::absolute(root, error).lexically_normal() : out;
}

Result<void> save(const std::vector<Consent>& all) {
  std::string text;
  for (const Consent& consent : all) text += consent.server + "\t" + consent.root.string() + "\n";
  AMBIT_CHECK_OK(file_system().make_private_directory(consent_file().parent_path()));
  return file_system().replace(consent_file(), text, 0600);
}

bool same(const Consent& consent, const std::string& server, const std::filesystem::path& root) {
  return consent.server == server && consent.root == root;
}

}  // namespace

std::filesystem::path consent_file() {
  return user_config_file().parent_path() / "remote-allowed";
}

Result<std::vector<Consent>> consents() {
  std::vector<Consent> out;
  const auto file = consent_file();
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return out;
  if ((info.st_uid != ::getuid() && info.st_uid != 0) || (info.st_mode & 022) != 0) {
    return make_error(Code::kPermission,
                      file.string() + " may be written by others: chmod 600 " + file.string());
  }
  AMBIT_TRY(text, read_file(file, kMaxFile));
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = text.substr(at, end - at);
    at = end + 1;
    const auto tab = line.find('\t');
    if (tab == std::string::npos || tab == 0 || tab + 1 >= line.size()) continue;
    if (line[tab + 1] != '/') continue;
    out.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return out;
}

Result<void> allow_remote(const std::string& server, const std::filesystem::path& root) {
  AMBIT_TRY(all, consents());
  const auto path = real_path(root);
  if (path.string().find_first_of("\n\t") != std::string::npos) {
    return make_error(Code::kUnsupported, "a folder with a line break or tab in its name");
  }
  for (const Consent& consent : all) {
    if (same(consent, server, path)) return {};
  }
  all.push_back({server, path});
  return save(all);
}

Result<bool> deny_remote(const std::string& server, const std::filesystem::path& root) {
  AMBIT_TRY(all, consents());
  const auto path = real_path(root);
  const auto gone = std::remove_if(
      all.begin(), all.end(), [&](const Consent& consent) { return same(consent, server, path); });
  if (gone == all.end()) return false;
  all.erase(gone, all.end());
  AMBIT_CHECK_OK(save(all));
  return true;
}

Result<void> check_consent(const std::string& server, const std::string& root) {
  if (root.empty()) {
    return make_error(Code::kPermission,
                      "this file is in no repository, so it is not sent to " + server);
  }
  AMBIT_TRY(all, consents());
  const auto path = real_path(root);
  for (const Consent& consent : all) {
    if (same(consent, server, path)) return {};
  }
  return make_error(Code::kPermission, "this repository is not sent to " + server +
                                           " before you agree: ambit remote allow " +
                                           path.string());
}

}  // namespace ambit::daemon
