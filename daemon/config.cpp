#include "daemon/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "daemon/paths.h"

namespace ambit::daemon {

namespace {

std::string environment_name(std::string_view key) {
  std::string name = "AMBIT_";
  for (const char c : key) {
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

std::string expected(const Setting& s) {
  if (std::holds_alternative<bool>(s.fallback)) return "true or false";
  if (!s.choices.empty()) return "one of " + std::string(s.choices);
  if (std::holds_alternative<std::string>(s.fallback)) return "text";
  const bool whole = std::holds_alternative<std::int64_t>(s.fallback);
  const auto show = [&](double bound) {
    return whole ? std::to_string(static_cast<std::int64_t>(bound)) : number_text(bound);
  };
  return std::string(whole ? "a whole number" : "a number") + " from " + show(s.minimum) + " to " +
         show(s.maximum);
}

bool has_choice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const auto bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    choices = bar == std::string_view::npos ? "" : choices.substr(bar + 1);
  }
  return false;
}

// The value in the setting's own type; nullopt when it cannot be one.
std::optional<SettingValue> fit(const Setting& s, const SettingValue& value) {
  if (std::holds_alternative<std::string>(s.fallback)) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || (!s.choices.empty() && !has_choice(s.choices, *text))) return {};
    return *text;
  }
  if (std::holds_alternative<bool>(s.fallback)) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return {};
    if (*text == "true" || *text == "1" || *text == "yes") return true;
    if (*text == "false" || *text == "0" || *text == "no") return false;
    return {};
  }
  double number = 0;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    number = static_cast<double>(*integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    number = *real;
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc{} || end != text->data() + text->size()) return {};
  } else {
    return {};
  }
  if (!(number >= s.minimum && number <= s.maximum)) return {};
  if (std::holds_alternative<double>(s.fallback)) return number;
  if (number != std::floor(number)) return {};
  return static_cast<std::int64_t>(number);
}

}  // namespace

std::string to_string(const SettingValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return number_text(*number);
  return std::get<std::string>(value);
}

Config::Config() {
  for (const Setting& setting : settings_table()) {
    entries_.emplace(setting.key, Entry{setting.fallback, "default"});
  }
}

const Config::Entry& Config::entry(std::string_view key) const {
  const auto found = entries_.find(key);
  assert(found != entries_.end() && "the key is missing in config_table.cpp");
  return found->second;
}

const SettingValue& Config::value(std::string_view key) const {
  return entry(key).value;
}
const std::string& Config::origin(std::string_view key) const {
  return entry(key).origin;
}
bool Config::flag(std::string_view key) const {
  return std::get<bool>(value(key));
}
std::int64_t Config::integer(std::string_view key) const {
  return std::get<std::int64_t>(value(key));
}
double Config::number(std::string_view key) const {
  return std::get<double>(value(key));
}
const std::string& Config::text(std::string_view key) const {
  return std::get<std::string>(value(key));
}

Result<void> Config::set(std::string_view key, const SettingValue& value, std::string_view origin) {
  const Setting* setting = find_setting(key);
  if (setting == nullptr) {
    return make_error(Code::kNotFound, std::string(origin) + ": there is no setting '" +
                                           std::string(key) + "'; see `ambit config schema`");
  }
  auto fitted = fit(*setting, value);
  if (!fitted) {
    return make_error(Code::kInvalidArgument, std::string(origin) + ": " + std::string(key) +
                                                  " must be " + expected(*setting) + ", not '" +
                                                  to_string(value) + "'");
  }
  entries_.insert_or_assign(std::string(key), Entry{std::move(*fitted), std::string(origin)});
  return {};
}

Result<Config> Config::load() {
  Config config;
  const auto file = user_config_file();
  auto pairs = read_toml(file);
  if (pairs) {
    for (const auto& [key, value] : *pairs) {
      AMBIT_CHECK_OK(config.set(key, value, file.string()));
    }
  } else if (pairs.error().code != Code::kNotFound) {
    return pairs.error();
  }
  for (const Setting& setting : settings_table()) {
    const std::string name = environment_name(setting.key);
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && value[0] != 0) {
      AMBIT_CHECK_OK(config.set(setting.key, std::string(value), name));
    }
  }
  return config;
}

Config Config::with_project(const std::filesystem::path& root,
                            std::vector<std::string>& notes) const {
  Config merged = *this;
  const auto file = root / ".ambit.toml";
  auto pairs = read_toml(file);
  if (!pairs) {
    if (pairs.error().code != Code::kNotFound) notes.push_back(pairs.error().message);
    return merged;
  }
  for (const auto& [key, value] : *pairs) {
    const Setting* setting = find_setting(key);
    if (setting != nullptr && !setting->safe) {
      notes.push_back(file.string() + ": " + key +
                      " cannot be set by a repository; set it in your own configuration");
      continue;
    }
    if (auto status = merged.set(key, value, file.string()); !status) {
      notes.push_back(status.error().message);
    }
  }
  return merged;
}

Config Config::with_editor(const std::vector<std::pair<std::string, SettingValue>>& pairs,
                           std::vector<std::string>& notes) const {
  Config merged = *this;
  for (const auto& [key, value] : pairs) {
    if (auto status = merged.set(key, value, "editor"); !status) {
      notes.push_back(status.error().message);
    }
  }
  return merged;
}

std::string settings_markdown() {
  std::string out =
      "| setting | default | unit | repository may set it | meaning |\n|---|---|---|---|---|\n";
  for (const Setting& s : settings_table()) {
    std::string meaning(s.meaning);
    if (!s.choices.empty()) {
      std::string choices(s.choices);
      std::replace(choices.begin(), choices.end(), '|', '/');
      meaning += " One of " + choices + ".";
    }
    const std::string fallback = to_string(s.fallback);
    out += "| `" + std::string(s.key) + "` | " + (fallback.empty() ? "" : "`" + fallback + "`") +
           " | " + std::string(s.unit) + " | " + (s.safe ? "yes" : "no") + " | " + meaning + " |\n";
  }
  return out;
}

std::string settings_json_schema() {
  const auto quote = [](std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out + "\"";
  };
  std::string out =
      "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
      "  \"type\": \"object\",\n  \"additionalProperties\": false,\n  \"properties\": {";
  const char* separator = "\n";
  for (const Setting& s : settings_table()) {
    const bool text = std::holds_alternative<std::string>(s.fallback);
    const bool flag = std::holds_alternative<bool>(s.fallback);
    const bool whole = std::holds_alternative<std::int64_t>(s.fallback);
    out += separator + std::string("    ") + quote(s.key) + ": {\"type\": " +
           (text    ? "\"string\""
            : flag  ? "\"boolean\""
            : whole ? "\"integer\""
                    : "\"number\"");
    if (!s.choices.empty()) {
      out += ", \"enum\": [";
      std::string_view choices = s.choices;
      for (bool first = true; !choices.empty(); first = false) {
        const auto bar = choices.find('|');
        out += (first ? "" : ", ") + quote(choices.substr(0, bar));
        choices = bar == std::string_view::npos ? "" : choices.substr(bar + 1);
      }
      out += "]";
    }
    if (!text && !flag) {
      out +=
          ", \"minimum\": " + number_text(s.minimum) + ", \"maximum\": " + number_text(s.maximum);
    }
    out += ", \"default\": " + (text ? quote(to_string(s.fallback)) : to_string(s.fallback)) +
           ", \"description\": " + quote(s.meaning) + "}";
    separator = ",\n";
  }
  return out + "\n  }\n}\n";
}

}  // namespace ambit::daemon
