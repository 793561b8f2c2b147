#include "inference/remote/url.h"

#include <algorithm>
#include <charconv>

#include "inference/remote/one_line.h"

namespace ambit::inference::remote {

namespace {

Error wrong(std::string_view text, std::string_view why) {
  // The address may hold a password: only what stands before a '@' is ever hidden.
  const auto at = text.rfind('@');
  const std::string shown = one_line(at == std::string_view::npos ? text : text.substr(at + 1));
  return make_error(Code::kInvalidArgument,
                    "the server address '" + shown + "' " + std::string(why));
}

bool host_character(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '-' || c == '_' || c == ':';
}

bool path_character(unsigned char c) {
  return c > ' ' && c < 0x7F && c != '"' && c != '<' && c != '>' && c != '\\' && c != '?' &&
         c != '#';
}

}  // namespace

std::string Url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) out += ":" + std::to_string(port);
  return out;
}

std::string Url::text() const {
  return (tls ? "https://" : "http://") + authority() + path;
}

bool Url::loopback() const {
  if (host == "localhost" || host == "::1") return true;
  // Four numbers, so that 127.example.com is not taken for one.
  return host.starts_with("127.") && std::count(host.begin(), host.end(), '.') == 3 &&
         host.find_first_not_of("0123456789.") == std::string::npos;
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return wrong(text, "must begin with https:// or http://");
  }
  const auto slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    return wrong(text, "holds a user or password; put the key into `remote.api_key` instead");
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return wrong(text, "has no ']' after its IPv6 address");
    url.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
    if (!port.empty() && port[0] != ':') return wrong(text, "has something odd after ']'");
    if (!port.empty()) port.remove_prefix(1);
  } else {
    const auto colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = authority.substr(colon + 1);
      if (port.empty()) return wrong(text, "has no port after ':'");
    }
    if (url.host.find(':') != std::string::npos) return wrong(text, "has two ports");
  }
  std::transform(url.host.begin(), url.host.end(), url.host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (url.host.empty() || url.host.size() > 253 ||
      !std::all_of(url.host.begin(), url.host.end(),
                   [](char c) { return host_character(static_cast<unsigned char>(c)); })) {
    return wrong(text, "has no valid host name");
  }
  url.port = url.tls ? 443 : 80;
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc{} || end != port.data() + port.size() || url.port == 0) {
      return wrong(text, "has a port that is no number from 1 to 65535");
    }
  }
  if (path.size() > 1024 || !std::all_of(path.begin(), path.end(), [](char c) {
        return path_character(static_cast<unsigned char>(c));
      })) {
    return wrong(text, "has a path with a query, a fragment or characters that need escaping");
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  return url;
}

}  // namespace ambit::inference::remote
