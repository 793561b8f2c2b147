#include "indexer/secrets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iterator>

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxSecretBytes = 16U << 10;

bool alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool upper_digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool base64(char c) {
  return alnum(c) || c == '+' || c == '/' || c == '=' || c == '-' || c == '_';
}
bool token(char c) {
  return alnum(c) || c == '_' || c == '-';
}

double entropy(std::string_view s) {
  std::array<int, 256> n{};
  for (const char c : s) ++n[static_cast<unsigned char>(c)];
  double out = 0;
  for (const int k : n) {
    if (k == 0) continue;
    const double p = static_cast<double>(k) / static_cast<double>(s.size());
    out -= p * std::log2(p);
  }
  return out;
}

// Tokens with a fixed prefix: how many bytes of which kind follow, and how mixed they must be.
struct Prefixed {
  std::string_view prefix, kind;
  bool (*allowed)(char);
  std::size_t least, most;  // bytes after the prefix
  double entropy;           // bits a byte
};
constexpr Prefixed kPrefixed[] = {
    {"AKIA", "aws-access-key", upper_digit, 16, 16, 2.5},
    {"ASIA", "aws-access-key", upper_digit, 16, 16, 2.5},
    {"ghp_", "github-token", alnum, 36, 36, 3.5},
    {"gho_", "github-token", alnum, 36, 36, 3.5},
    {"ghu_", "github-token", alnum, 36, 36, 3.5},
    {"ghs_", "github-token", alnum, 36, 36, 3.5},
    {"ghr_", "github-token", alnum, 36, 76, 3.5},
    {"github_pat_", "github-token", token, 60, 100, 3.5},
    {"glpat-", "gitlab-token", token, 20, 40, 3.0},
    {"xoxb-", "slack-token", token, 20, 120, 2.5},
    {"xoxp-", "slack-token", token, 20, 120, 2.5},
    {"xoxa-", "slack-token", token, 20, 120, 2.5},
    {"xapp-", "slack-token", token, 20, 160, 2.5},
    {"sk_live_", "stripe-key", alnum, 24, 120, 3.5},
    {"rk_live_", "stripe-key", alnum, 24, 120, 3.5},
    {"sk-ant-", "api-key", token, 40, 160, 3.5},
    {"sk-proj-", "api-key", token, 40, 200, 3.5},
    {"sk-", "api-key", alnum, 32, 64, 3.8},
    {"AIza", "google-api-key", token, 35, 35, 3.5},
    {"ya29.", "google-oauth-token", token, 40, 400, 3.5},
    {"npm_", "npm-token", alnum, 36, 36, 3.5},
    {"pypi-AgEIcHlwaS5vcmc", "pypi-token", token, 50, 300, 3.5},
    {"hf_", "huggingface-token", alnum, 34, 40, 3.5},
    {"SG.", "sendgrid-key", [](char c) { return token(c) || c == '.'; }, 60, 80, 3.5},
    {"dop_v1_", "digitalocean-token", hex, 64, 64, 3.0},
    {"shpat_", "shopify-token", hex, 32, 32, 3.0},
    {"AGE-SECRET-KEY-1", "age-key", upper_digit, 58, 58, 3.5},
    {"hvs.", "vault-token", token, 24, 200, 3.5},
    {"dapi", "databricks-token", hex, 32, 34, 3.0},
    {"PMAK-", "postman-key", token, 59, 59, 3.0},
    {"lin_api_", "linear-key", alnum, 40, 40, 3.5},
    {"eyJ", "jwt", [](char c) { return token(c) || c == '.'; }, 60, 4000, 3.5},
};

bool repeats(std::string_view s) {  // xxxx, 0000, abcabc, 1234…: examples, not secrets
  if (s.empty()) return true;
  std::size_t same = 0, steps = 0;
  for (std::size_t i = 1; i < s.size(); ++i) {
    same += s[i] == s[i - 1] ? 1 : 0;
    steps += s[i] == s[i - 1] + 1 ? 1 : 0;
  }
  return same * 2 > s.size() || steps * 2 > s.size();
}

bool contains_word(std::string_view s, std::initializer_list<std::string_view> words) {
  std::string low(s);
  for (auto& c : low) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::any_of(words.begin(), words.end(),
                     [&](auto w) { return low.find(w) != std::string::npos; });
}

bool an_example(std::string_view s) {
  return repeats(s) ||
         contains_word(s, {"example", "xxxxx", "changeme", "your", "placeholder", "dummy", "sample",
                           "<secret", "redacted", "notasecret", "foobar"});
}

// name = "value", name: value, NAME=value: the name must say password or the like.
bool secret_name(std::string_view name) {
  return contains_word(name, {"passwd", "password", "secret", "api_key", "apikey", "api-key",
                              "access_key", "accesskey", "auth_token", "authtoken", "access_token",
                              "accesstoken", "private_key", "client_secret", "bearer"});
}

void add_assignment(std::string_view text, std::size_t at, std::vector<Secret>& out) {
  // text[at] is '=' or ':'.
  auto name_end = at;
  while (name_end > 0 &&
         (text[name_end - 1] == ' ' || text[name_end - 1] == '"' || text[name_end - 1] == '\''))
    --name_end;
  auto name_begin = name_end;
  while (name_begin > 0 && token(text[name_begin - 1]) && name_end - name_begin < 64) --name_begin;
  if (name_begin == name_end || !secret_name(text.substr(name_begin, name_end - name_begin)))
    return;
  auto begin = at + 1;
  while (begin < text.size() && (text[begin] == ' ' || text[begin] == '\t')) ++begin;
  if (begin >= text.size()) return;
  const char quote = text[begin];
  const bool quoted = quote == '"' || quote == '\'';
  if (!quoted) {
    // Without quotes only environment files: NAME=value at the start of a line.
    const auto name = text.substr(name_begin, name_end - name_begin);
    if (text[at] != '=' || begin != at + 1 ||
        std::any_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; }) ||
        (name_begin > 0 && text[name_begin - 1] != '\n' && text[name_begin - 1] != ' ')) {
      return;
    }
  } else {
    ++begin;
  }
  auto end = begin;
  while (
      end < text.size() && end - begin < 256 && text[end] != '\n' &&
      (quoted ? text[end] != quote : (text[end] != ' ' && text[end] != '\r' && text[end] != '#'))) {
    ++end;
  }
  if (quoted && (end >= text.size() || text[end] != quote)) return;
  const auto value = text.substr(begin, end - begin);
  if (value.size() < 12 || value.find_first_of(" $<{(%") != std::string_view::npos ||
      an_example(value))
    return;
  bool digit = false, letter = false;
  for (const char c : value) {
    digit = digit || (c >= '0' && c <= '9');
    letter = letter || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }
  if (!digit || !letter || entropy(value) < 3.2) return;
  out.push_back({"password", {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)}});
}

void add_private_key(std::string_view text, std::size_t at, std::vector<Secret>& out) {
  // -----BEGIN … PRIVATE KEY----- to its END line.
  const auto line_end = std::min(text.find('\n', at), text.size());
  const auto head = text.substr(at, std::min<std::size_t>(line_end - at, 80));
  if (head.find("PRIVATE KEY") == std::string_view::npos) return;
  const auto after = text.find("-----", at + 11);
  if (after == std::string_view::npos) return;
  const auto tail = text.find("-----END", after);
  if (tail == std::string_view::npos || tail - at > kMaxSecretBytes) return;
  const auto begin = after + 5;
  const auto body = text.substr(begin, tail - begin);
  if (body.find_first_of("(){};<>") != std::string_view::npos) return;  // code that speaks of keys
  if (std::count_if(body.begin(), body.end(), [](char c) { return base64(c); }) < 64) return;
  out.push_back(
      {"private-key", {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(tail)}});
}

void add_url(std::string_view text, std::size_t at, std::vector<Secret>& out) {
  // scheme://user:password@host
  auto end = at + 3;
  while (end < text.size() && end - at < 256 && text[end] > ' ' && text[end] != '/' &&
         text[end] != '"' && text[end] != '\'' && text[end] != '@') {
    ++end;
  }
  if (end >= text.size() || text[end] != '@') return;
  const auto colon = text.find(':', at + 3);
  if (colon == std::string_view::npos || colon >= end) return;
  const auto value = text.substr(colon + 1, end - colon - 1);
  if (value.size() < 6 || value.find_first_of("$<{%*") != std::string_view::npos ||
      an_example(value) || entropy(value) < 2.5) {
    return;
  }
  // `se?cret` tries out what a parser does.
  std::string plain;
  std::copy_if(value.begin(), value.end(), std::back_inserter(plain), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
  if (contains_word(plain, {"password", "passwd", "secret", "pass"})) return;
  out.push_back(
      {"url-password", {static_cast<std::uint32_t>(colon + 1), static_cast<std::uint32_t>(end)}});
}

}  // namespace

std::vector<Secret> find_secrets(std::string_view text) {
  std::vector<Secret> found;
  // Which bytes can begin something at all.
  static const auto kFirst = [] {
    std::array<bool, 256> t{};
    for (const auto& p : kPrefixed) t[static_cast<unsigned char>(p.prefix[0])] = true;
    t[static_cast<unsigned char>('=')] = t[static_cast<unsigned char>(':')] =
        t[static_cast<unsigned char>('-')] = true;
    return t;
  }();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!kFirst[static_cast<unsigned char>(c)]) continue;
    if (c == '=' || c == ':') {
      if (c == ':' && text.substr(i, 3) == "://") add_url(text, i, found);
      add_assignment(text, i, found);
      continue;
    }
    if (c == '-') {
      if (text.substr(i, 11) == "-----BEGIN ") add_private_key(text, i, found);
      continue;
    }
    if (i > 0 && (alnum(text[i - 1]) || text[i - 1] == '_')) continue;
    for (const auto& p : kPrefixed) {
      if (!text.substr(i).starts_with(p.prefix)) continue;
      auto end = i + p.prefix.size();
      while (end < text.size() && end - i - p.prefix.size() <= p.most && p.allowed(text[end]))
        ++end;
      const auto n = end - i - p.prefix.size();
      const auto body = text.substr(i + p.prefix.size(), n);
      if (n < p.least || n > p.most || entropy(body) < p.entropy || an_example(body)) continue;
      if (p.kind == "jwt" && std::count(body.begin(), body.end(), '.') != 2) continue;
      found.push_back({p.kind, {static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(end)}});
      break;
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.span.begin < b.span.begin; });
  std::vector<Secret> out;
  for (const auto& s : found) {
    if (out.empty() || s.span.begin >= out.back().span.end) {
      out.push_back(s);
    } else if (s.span.end > out.back().span.end) {
      out.back().span.end = s.span.end;  // one inside the other: the larger
    }
  }
  return out;
}

std::string secret_placeholder(const Secret& secret, std::string_view text) {
  std::uint32_t h = 2166136261U;  // FNV-1a
  for (const char c : text.substr(secret.span.begin, secret.span.size())) {
    h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  char digits[16];
  std::snprintf(digits, sizeof digits, "%08x", h);
  return "<secret:" + std::string(secret.kind) + ":" + digits + ">";
}

std::string redact_secrets(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  for (const auto& s : find_secrets(text)) {
    out += text.substr(at, s.span.begin - at);
    out += secret_placeholder(s, text);
    const auto secret = text.substr(s.span.begin, s.span.size());
    out.append(static_cast<std::size_t>(std::count(secret.begin(), secret.end(), '\n')), '\n');
    at = s.span.end;
  }
  out += text.substr(at);
  return out;
}

bool is_secret_path(std::string_view path) {
  const auto slash = path.rfind('/');
  const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (name == ".env" ||
      (name.starts_with(".env.") && !name.ends_with(".example") && !name.ends_with(".sample") &&
       !name.ends_with(".template") && !name.ends_with(".dist"))) {
    return true;
  }
  for (const std::string_view end :
       {".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".gpg", ".tfstate"}) {
    if (name.size() > end.size() && name.ends_with(end)) return true;
  }
  for (const std::string_view whole :
       {"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc", "_netrc", ".pgpass", ".htpasswd",
        ".git-credentials", ".npmrc", ".pypirc", "credentials", ".dockercfg"}) {
    if (name == whole) return true;
  }
  return false;
}

}  // namespace ambit::indexer
