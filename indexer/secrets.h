// Finds credentials in text and puts placeholders in their place, before any text goes into a
// prompt. Typed patterns with checksum or entropy gates: a finding names its kind. No network, no
// list of words from the user's machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "indexer/types.h"

namespace ambit::indexer {

struct Secret {
  std::string_view kind;  // "aws-access-key", "github-token", "private-key", …; static storage
  ByteSpan span;          // of the secret itself, without the name or quotes around it
};

// In order, without overlap. Linear in the text.
[[nodiscard]] std::vector<Secret> find_secrets(std::string_view text);

// "<secret:KIND:HASH>": HASH is 8 hex digits of the secret's hash, so equal secrets get equal
// placeholders and the text around stays readable and stable for the prefix cache.
[[nodiscard]] std::string secret_placeholder(const Secret& secret, std::string_view text);

// The text with every secret replaced; a secret of several lines leaves its line breaks behind, so
// that line numbers stay. Returns the text itself when there is none.
[[nodiscard]] std::string redact_secrets(std::string_view text);

// Files whose content is secret by name: .env, .env.local (not .env.example), *.pem, *.key, id_rsa,
// .npmrc, .netrc, .pgpass, credentials, *.kdbx, …
[[nodiscard]] bool is_secret_path(std::string_view path);

}  // namespace ambit::indexer
