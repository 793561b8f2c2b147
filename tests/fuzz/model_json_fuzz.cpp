// Any text is a config.json, a tokenizer.json and a conversation, or a clear refusal; a tokenizer
// that is accepted gives back the bytes of any text.
#include "inference/model_config.h"
#include "inference/tokenizer/chat_format.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/fuzz/plain_main.h"
#include "tests/fuzz/readers.h"

#include <fstream>
#include <iterator>

using namespace ambit;
using namespace ambit::inference;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto config = ModelConfig::parse(text); !config) fuzz::require_clear(config.error());
  if (const auto chat = render_chat(text, EffortTiers::kFirstRelease); !chat)
    fuzz::require_clear(chat.error());
  const auto tokenizer = Tokenizer::parse(text);
  if (!tokenizer) {
    fuzz::require_clear(tokenizer.error());
    return 0;
  }
  // Its own text as a sample; a vocabulary without all bytes may lose some of it.
  const std::string_view sample = text.substr(0, 512);
  const auto ids = (*tokenizer)->encode(sample);
  fuzz::require((*tokenizer)->count(sample) == ids.size(), "count agrees with encode");
  for (const TokenId id : ids) {
    fuzz::require(id >= 0 && id < (*tokenizer)->vocab_size(), "ids are of the vocabulary");
  }
  (void)(*tokenizer)->decode(ids);
  return 0;
}

std::vector<std::string> ambit::fuzz::seeds() {
  std::vector<std::string> out;
  for (const char* name : {"/tests/golden/f32-a/config.json", "/tests/golden/q-c/config.json"}) {
    std::ifstream in(std::string(AMBIT_SOURCE_DIR) + name);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  out.emplace_back(
      R"({"added_tokens":[{"id":4,"content":"<b>","special":true,"normalized":false}],"normalizer":null,)"
      R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}"},)"
      R"("behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)"
      R"("use_regex":false}]},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,)"
      R"("\u0120":3},"merges":["a b"]}})");
  out.emplace_back(
      R"({"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y","tool_calls":[{"function":)"
      R"({"name":"f","arguments":"{\"a\":1}"}}]}],"thinking_mode":"thinking"})");
  return out;
}
