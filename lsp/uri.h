// File URI <-> path. Only the schemes "file" and "untitled" are ours to serve.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ambit::lsp {

// The path of a file: URI, percent-decoded; nullopt for other schemes, for a host other than "" or
// "localhost", and for paths that hold a NUL byte.
[[nodiscard]] std::optional<std::string> path_from_uri(std::string_view uri);

// A file: URI for an absolute path; every byte outside the unreserved set and '/' is escaped.
[[nodiscard]] std::string uri_from_path(std::string_view absolute_path);

}  // namespace ambit::lsp
