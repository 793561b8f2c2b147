#include "daemon/assists/refactor/journal_entry.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <random>

#include "indexer/git/repository.h"

namespace ambit::daemon {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::array<std::pair<EntryState, const char*>, 5> kStates{
    {{EntryState::kPrepared, "prepared"},
     {EntryState::kApplying, "applying"},
     {EntryState::kApplied, "applied"},
     {EntryState::kRollingBack, "rolling back"},
     {EntryState::kRolledBack, "rolled back"}}};

std::string hash_of(std::string_view content) {
  return indexer::hash_blob(content).hex();
}

json content_json(const std::optional<std::string>& content, std::uint64_t& offset) {
  if (!content) return nullptr;
  json out{{"offset", offset}, {"size", content->size()}, {"hash", hash_of(*content)}};
  offset += content->size();
  return out;
}

Error corrupt(const std::string& id) {
  return make_error(Code::kCorrupt, "the journal entry " + id + " is damaged; it cannot be used");
}

// A path made of bytes that are not UTF-8 still has to survive JSON.
std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    std::array<char, 3> two{};
    std::snprintf(two.data(), two.size(), "%02x", static_cast<unsigned char>(c));
    out += two.data();
  }
  return out;
}
std::string from_hex(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return out;
}
json bytes_json(const std::string& bytes) {
  json text = bytes;
  try {
    static_cast<void>(text.dump());
    return text;
  } catch (const json::exception&) {
    return json{{"hex", to_hex(bytes)}};
  }
}
std::string bytes_of(const json& value) {
  return value.is_object() ? from_hex(value.at("hex").get<std::string>())
                           : value.get<std::string>();
}

}  // namespace

std::string new_entry_id(const std::string& newest) {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  const auto n = std::strftime(text.data(), text.size(), "%Y%m%d-%H%M%S", &utc);
  std::random_device random;
  std::snprintf(text.data() + n, text.size() - n, "%03d-%04x", static_cast<int>(ms),
                random() & 0xFFFFU);
  if (newest < text.data()) return text.data();
  // Two of one millisecond, or a clock that was set back: one more than the newest, digit by digit.
  auto next = newest;
  for (auto i = next.rfind('-'); i-- > 0;) {
    if (next[i] == '-') continue;
    if (next[i]++ != '9') break;
    next[i] = '0';
  }
  return next;
}

bool is_entry_id(std::string_view id) {
  return !id.empty() && id.size() < 64 &&
         id.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

std::string entry_text(const JournalEntry& e, const fs::path& root) {
  json files = json::array();
  std::uint64_t offset = 0;
  for (const auto& f : e.files) {
    json one{{"path", bytes_json(f.path)}};
    one["before"] = content_json(f.before, offset);
    one["after"] = content_json(f.after, offset);
    one["before_mode"] = f.before_mode;
    one["after_mode"] = f.after_mode;
    one["in_editor"] = f.in_editor;
    one["temporary"] = bytes_json(f.temporary);
    files.push_back(std::move(one));
  }
  json folders = json::array();
  for (const auto& d : e.folders) folders.push_back(bytes_json(d));
  const auto state = std::find_if(kStates.begin(), kStates.end(),
                                  [&](const auto& s) { return s.first == e.state; });
  const json all{{"version", 1},
                 {"id", e.id},
                 {"root", bytes_json(root.string())},
                 {"plan", e.plan},
                 {"title", bytes_json(e.title)},
                 {"undoes", e.undoes},
                 {"part", e.part},
                 {"created", e.created},
                 {"state", state->second},
                 {"files", std::move(files)},
                 {"folders", std::move(folders)}};
  return all.dump(1);
}

std::string entry_data(const JournalEntry& e) {
  std::string out;
  for (const auto& f : e.files) {
    out += f.before.value_or("");
    out += f.after.value_or("");
  }
  return out;
}

Result<JournalEntry> parse_entry(const std::string& id, const std::string& text,
                                 const std::string* data) {
  JournalEntry out;
  try {
    const auto all = json::parse(text);
    if (all.at("version") != 1) return corrupt(id);
    out.id = id;
    out.plan = all.at("plan");
    out.title = bytes_of(all.at("title"));
    out.undoes = all.at("undoes");
    out.part = all.value("part", false);
    out.created = all.at("created");
    const auto name = all.at("state").get<std::string>();
    const auto state = std::find_if(kStates.begin(), kStates.end(),
                                    [&](const auto& s) { return s.second == name; });
    if (state == kStates.end()) return corrupt(id);
    out.state = state->first;
    bool sound = true;
    const auto content = [&](const json& c) -> std::optional<std::string> {
      if (c.is_null()) return std::nullopt;
      if (data == nullptr) return std::string();
      const auto offset = c.at("offset").get<std::uint64_t>(),
                 size = c.at("size").get<std::uint64_t>();
      if (offset > data->size() || size > data->size() - offset) {
        sound = false;
        return std::nullopt;
      }
      auto bytes = data->substr(offset, size);
      sound = sound && hash_of(bytes) == c.at("hash").get<std::string>();
      return bytes;
    };
    for (const auto& f : all.at("files")) {
      JournalFile one;
      one.path = bytes_of(f.at("path"));
      one.before = content(f.at("before"));
      one.after = content(f.at("after"));
      one.before_mode = f.at("before_mode");
      one.after_mode = f.at("after_mode");
      one.in_editor = f.at("in_editor");
      one.temporary = bytes_of(f.at("temporary"));
      out.files.push_back(std::move(one));
    }
    for (const auto& d : all.at("folders")) out.folders.push_back(bytes_of(d));
    if (!sound) return corrupt(id);
  } catch (const json::exception&) {
    return corrupt(id);
  }
  return out;
}

fs::path root_of_entry(const std::string& text) {
  const auto head = json::parse(text, nullptr, false);
  if (!head.is_object() || !head.contains("root")) return {};
  try {
    return bytes_of(head["root"]);
  } catch (const json::exception&) {
    return {};
  }
}

Result<JournalLock> JournalLock::take(const fs::path& folder) {
  JournalLock out;
  out.fd_ = ::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (out.fd_ < 0) {
    return make_error(Code::kIo, "cannot open " + (folder / "lock").string());
  }
  while (::flock(out.fd_, LOCK_EX) != 0) {
    if (errno != EINTR) return make_error(Code::kIo, "cannot lock " + folder.string());
  }
  return out;
}
JournalLock::~JournalLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace ambit::daemon
