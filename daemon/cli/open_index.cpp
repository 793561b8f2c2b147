#include "daemon/cli/open_index.h"

#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "daemon/paths.h"
#include "daemon/support/machine.h"
#include "lsp/uri.h"

namespace ambit::daemon {

std::filesystem::path index_directory() {
  return cache_directory() / "index";
}

Result<OpenIndex> open_index(const std::string& root, const Config& config, std::stop_token stop) {
  indexer::IndexOptions options;
  options.cache_directory = index_directory();
  options.threads = background_threads(config.integer("index.threads"));
  options.max_file_bytes = static_cast<std::uint64_t>(config.integer("index.max_file_bytes"));
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  bool shown = false;
  if (terminal) {
    options.on_progress = [&shown](const indexer::IndexProgress& p) {
      shown = true;
      std::fprintf(stderr, "\r\033[Kindexing %llu of %llu",
                   static_cast<unsigned long long>(p.files_done),
                   static_cast<unsigned long long>(p.files_total));
    };
  }
  OpenIndex out;
  const auto folder = std::filesystem::absolute(root.empty() ? "." : root).lexically_normal();
  AMBIT_TRY(index, indexer::RepoIndex::open(folder, std::move(options)));
  out.index = std::move(index);
  auto report = out.index->update(stop);
  if (shown) std::fputs("\r\033[K", stderr);
  if (!report) return report.error();
  out.report = std::move(*report);
  return out;
}

Result<FilePosition> parse_position(const std::string& text) {
  const auto bad = [] {
    return make_error(Code::kInvalidArgument,
                      "give FILE:LINE:COL, both numbers starting at 1 (src/main.c:12:5)");
  };
  const auto column_at = text.rfind(':');
  if (column_at == std::string::npos || column_at == 0) return bad();
  const auto line_at = text.rfind(':', column_at - 1);
  if (line_at == std::string::npos || line_at == 0) return bad();
  FilePosition out;
  const auto number = [](std::string_view word, std::uint32_t& value) {
    const auto* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, value);
    return error == std::errc{} && stop == end && value > 0;
  };
  const std::string_view all = text;
  if (!number(all.substr(line_at + 1, column_at - line_at - 1), out.line) ||
      !number(all.substr(column_at + 1), out.column)) {
    return bad();
  }
  out.file = std::filesystem::absolute(text.substr(0, line_at)).lexically_normal();
  return out;
}

Result<std::string> path_in(const std::filesystem::path& root, const std::filesystem::path& file) {
  std::error_code ignored;
  const auto folder = std::filesystem::weakly_canonical(root, ignored);
  const auto full = std::filesystem::absolute(file).lexically_normal();
  // The file itself may be a link: it is named, not followed.
  const auto real = std::filesystem::weakly_canonical(full.parent_path(), ignored);
  const auto relative = (real / full.filename()).lexically_relative(folder).generic_string();
  if (relative.empty() || relative == "." || relative == ".." || relative.starts_with("../")) {
    return make_error(Code::kInvalidArgument,
                      file.string() + " is not inside the repository " + folder.string());
  }
  return relative;
}

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Gives every "path" that is not UTF-8 a "path_escaped" beside it.
void keep_bytes_of_paths(nlohmann::json& value) {
  for (auto& inner : value) {
    if (inner.is_structured()) keep_bytes_of_paths(inner);
  }
  if (!value.is_object() || !value.contains("path") || !value["path"].is_string()) return;
  using nlohmann::json;
  const auto& path = value["path"].get_ref<const std::string&>();
  if (json::parse(json(path).dump(-1, ' ', false, json::error_handler_t::ignore)) == path) return;
  value["path_escaped"] = lsp::uri_from_path("/" + path).substr(std::strlen("file:///"));
}

}  // namespace

void print_json(const nlohmann::json& value, bool pretty) {
  const auto dump = [&](const nlohmann::json& of) {
    return of.dump(pretty ? 2 : -1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  auto text = dump(value);
  if (text.find(kReplacement) != std::string::npos) {
    auto kept = value;
    keep_bytes_of_paths(kept);
    text = dump(kept);
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

}  // namespace ambit::daemon
