// The one file that knows TOML.
#include "daemon/toml.h"

#include "daemon/config.h"
#include "daemon/support/file.h"

namespace ambit::daemon {

namespace {

using Pairs = std::vector<std::pair<std::string, SettingValue>>;

std::string at_line(const std::filesystem::path& file, const toml::source_region& where) {
  return file.string() + ":" + std::to_string(where.begin.line);
}

Result<void> flatten(const toml::table& table, const std::string& prefix,
                     const std::filesystem::path& file, Pairs& out) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      AMBIT_CHECK_OK(flatten(*inner, key + ".", file, out));
    } else if (const auto* flag = node.as_boolean()) {
      out.emplace_back(key, flag->get());
    } else if (const auto* integer = node.as_integer()) {
      out.emplace_back(key, integer->get());
    } else if (const auto* number = node.as_floating_point()) {
      out.emplace_back(key, number->get());
    } else if (const auto* text = node.as_string()) {
      out.emplace_back(key, text->get());
    } else {
      return make_error(Code::kInvalidArgument, at_line(file, node.source()) + ": " + key +
                                                    " must be text, a number or true/false");
    }
  }
  return {};
}

}  // namespace

Result<Pairs> read_toml(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    return make_error(Code::kNotFound, file.string() + " does not exist");
  }
  AMBIT_TRY(text, read_file(file, 1U << 20));
  try {
    Pairs out;
    AMBIT_CHECK_OK(flatten(toml::parse(text, file.string()), "", file, out));
    return out;
  } catch (const toml::parse_error& error) {
    return make_error(Code::kInvalidArgument,
                      at_line(file, error.source()) + ": " + std::string(error.description()));
  }
}

}  // namespace ambit::daemon
