#include "inference/remote/profile.h"

#include <array>

namespace ambit::inference::remote {

namespace {

constexpr std::array kRaw{Way::kIds, Way::kMarkup};
constexpr std::array kRawOrChat{Way::kIds, Way::kMarkup, Way::kChat};
constexpr std::array kLlamaFim{Way::kIds, Way::kMarkup, Way::kInfill};
constexpr std::array kRawOrSuffix{Way::kMarkup, Way::kSuffix};
constexpr std::array kTextOrChat{Way::kMarkup, Way::kChat};
constexpr std::array kSuffixOnly{Way::kSuffix};
constexpr std::array kChatOnly{Way::kChat};

Profile vllm(std::string_view name, std::string_view title) {
  Profile p;
  p.name = name;
  p.title = title;
  p.fim = kRaw;
  p.conversation = kRawOrChat;
  p.tokenize_text = "prompt";
  p.tokenize_bos = "add_special_tokens";
  p.stop_ids = p.sampling_extras = p.template_switch = true;
  return p;
}

std::array<Profile, 6> make_profiles() {
  Profile sglang = vllm("sglang", "SGLang");
  Profile llama;
  llama.name = "llamacpp";
  llama.title = "llama.cpp's server";
  llama.default_url = "http://127.0.0.1:8080";
  llama.fim = kLlamaFim;
  llama.conversation = kRawOrChat;
  llama.tokenize_text = "content";
  llama.tokenize_bos = "add_special";
  llama.tokenize_extra = "parse_special";
  llama.adds_bos = llama.sampling_extras = llama.cache_prompt = llama.template_switch = true;
  Profile ds4;
  ds4.name = "ds4";
  ds4.title = "ds4-server";
  ds4.default_url = "http://127.0.0.1:8000";
  ds4.fim = kRawOrSuffix;
  ds4.conversation = kTextOrChat;
  ds4.adds_bos = ds4.thinking_switch = true;
  Profile deepseek;
  deepseek.name = "deepseek";
  deepseek.title = "DeepSeek's API";
  deepseek.default_url = "https://api.deepseek.com/beta";
  deepseek.fim = kSuffixOnly;
  deepseek.conversation = kChatOnly;
  deepseek.thinking_switch = deepseek.needs_key = true;
  return {
      vllm("vllm", "vLLM"), vllm("vllm-ascend", "vLLM on Ascend"), sglang, llama, ds4, deepseek};
}

const std::array<Profile, 6>& table() {
  static const auto kProfiles = make_profiles();
  return kProfiles;
}

}  // namespace

std::string_view to_string(Way way) {
  switch (way) {
    case Way::kIds:
      return "token ids";
    case Way::kMarkup:
      return "text with special tokens";
    case Way::kInfill:
      return "the server's infill";
    case Way::kSuffix:
      return "prompt and suffix";
    case Way::kChat:
      return "chat";
    case Way::kNothing:
      break;
  }
  return "nothing";
}

std::span<const Profile> profiles() {
  return table();
}

const Profile* find_profile(std::string_view name) {
  for (const Profile& profile : table()) {
    if (profile.name == name) return &profile;
  }
  return nullptr;
}

std::string profile_names() {
  std::string out;
  for (const Profile& profile : table()) {
    if (!out.empty()) out += ", ";
    out += profile.name;
  }
  return out;
}

}  // namespace ambit::inference::remote
