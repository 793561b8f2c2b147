// What differs between servers that call themselves OpenAI-compatible.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ambit::inference::remote {

// How a prompt reaches the model, the exact ways first. Which one a server takes is tried once,
// when the backend wakes.
enum class Way : std::uint8_t {
  kIds,      // /completions with token ids: needs the model's own tokenizer.json here
  kMarkup,   // /completions with the special tokens as text, which the server must read as such
  kInfill,   // llama.cpp's /infill: the server puts the tokens of its own model around the text
  kSuffix,   // /completions with "prompt" and "suffix"
  kChat,     // /chat/completions: for conversations only
  kNothing,  // not possible with this server
};
[[nodiscard]] std::string_view to_string(Way way);  // for people: "token ids"

struct Profile {
  std::string_view name;
  std::string_view title;        // for people
  std::string_view default_url;  // "" when it must be given
  std::span<const Way> fim;      // in the order that they are tried
  std::span<const Way> conversation;
  // The field names of POST /tokenize, "" when the server has none: used to see whether the
  // server's vocabulary is ours and whether it reads special tokens in text.
  std::string_view tokenize_text;   // the field of the text
  std::string_view tokenize_bos;    // the field that says whether BOS is added
  std::string_view tokenize_extra;  // a field that must be true, or ""
  bool adds_bos = false;            // text prompts get a BOS from the server
  bool stop_ids = false;            // takes "stop_token_ids"
  bool sampling_extras = false;     // takes "top_k" and "min_p"
  bool cache_prompt = false;        // takes "cache_prompt": true
  bool thinking_switch = false;     // takes "thinking": {"type": …}
  bool template_switch = false;     // takes "chat_template_kwargs": {"thinking": …}
  bool needs_key = false;
};

[[nodiscard]] std::span<const Profile> profiles();
[[nodiscard]] const Profile* find_profile(std::string_view name);
[[nodiscard]] std::string profile_names();  // "vllm, vllm-ascend, …"

}  // namespace ambit::inference::remote
