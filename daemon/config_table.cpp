// THE list of settings.
#include <array>

#include "daemon/config.h"

namespace ambit::daemon {

namespace {

using Text = std::string;
constexpr std::int64_t operator""_i(unsigned long long n) {
  return static_cast<std::int64_t>(n);
}

const std::array kSettings{
    Setting{"enabled", true, 0, 0, "", "", true,
            "Whether Ambit offers anything at all. When false no model is loaded."},
    Setting{"model", Text(), 0, 0, "", "", false,
            "The model: a folder with config.json and weights, `scripted:FILE` for tests, or "
            "`remote:KIND@URL#MODEL` for a server (KIND: vllm, vllm-ascend, sglang, llamacpp, ds4, "
            "deepseek). Empty means the model that is shipped with Ambit."},
    Setting{"completion.enabled", true, 0, 0, "", "", true, "Offer inline completions."},
    Setting{"completion.automatic", true, 0, 0, "", "", true,
            "Offer them while typing; when false only when the editor says that you asked."},
    Setting{"completion.debounce_min_ms", 0_i, 0, 2000, "", "ms", true,
            "The shortest pause in typing before the model is asked. The real pause lies between "
            "this and the next setting and follows how long the last answers took."},
    Setting{"completion.debounce_max_ms", 150_i, 0, 5000, "", "ms", true,
            "The longest such pause. Equal values give a fixed pause."},
    Setting{"completion.max_tokens", 96_i, 1, 2048, "", "tokens", true,
            "The longest completion that the model may write."},
    Setting{"completion.max_lines", 16_i, 1, 200, "", "lines", true,
            "The longest completion that is shown."},
    Setting{"completion.context_tokens", 2048_i, 0, 1000000, "", "tokens", true,
            "How much of the repository is packed in front of the current file. Cut to what the "
            "model's window holds."},
    Setting{"completion.file_tokens", 3072_i, 64, 200000, "", "tokens", true,
            "How much of the current file around the cursor is sent."},
    Setting{"completion.items", 3_i, 1, 10, "", "items", true,
            "How many alternatives are computed when you ask for a completion by hand."},
    Setting{"completion.temperature", 0.0, 0, 2, "", "", true,
            "Sampling temperature of the first item; 0 always takes the likeliest token."},
    Setting{"completion.timeout_ms", 10000_i, 100, 600000, "", "ms", true,
            "A completion that takes longer is dropped."},
    Setting{"completion.memory", Text("auto"), 0, 0, "auto|lead|draft|off", "", true,
            "What the repository's own text does: `lead` lets it answer when it is sure and help "
            "the model when it is not, `draft` only guesses ahead so that the model writes the "
            "same answer faster, `auto` is `lead` with a small model and `draft` with a large "
            "one."},
    Setting{"completion.fallback", Text("auto"), 0, 0, "auto|on|off", "", true,
            "Offer completions in the ordinary completion list as well: `auto` does so for editors "
            "without inline completion."},
    Setting{"features.navigation", false, 0, 0, "", "", true,
            "Answer symbol, definition and reference requests from the index. Off by default: a "
            "real language server runs beside us and its answers are better."},
    Setting{"index.enabled", true, 0, 0, "", "", true, "Index the repository in the background."},
    Setting{
        "index.threads", 0_i, 0, 256, "", "threads", false,
        "Threads that index; 0 takes half of the cores that the process may use, one on battery."},
    Setting{"index.max_file_bytes", 4194304_i, 1024, 1073741824, "", "bytes", true,
            "Files larger than this are listed but not parsed."},
    Setting{"watch.mode", Text("auto"), 0, 0, "auto|inotify|poll|off", "", true,
            "How changes on disk are seen: `auto` uses inotify and falls back to polling when the "
            "system's limit of watches is reached."},
    Setting{"watch.max_directories", 20000_i, 1, 1000000, "", "folders", false,
            "The most folders of one repository that are watched with inotify."},
    Setting{"watch.poll_s", 15_i, 1, 3600, "", "s", true, "How often polling looks."},
    Setting{"engine.threads", 0_i, 0, 1024, "", "threads", false,
            "Threads of the model on the CPU; 0 takes all cores."},
    Setting{"engine.device", Text("auto"), 0, 0, "auto|cpu|cuda", "", false,
            "Where the model runs; `auto` takes a GPU when one can be used."},
    Setting{"engine.cards", Text("auto"), 0, 0, "", "", false,
            "Which graphics cards the model is split over, by number, such as `0,1`; `auto` takes "
            "as few as hold it, or all of one kind."},
    Setting{"engine.host_experts", Text("card"), 0, 0, "card|cpu", "", false,
            "Who computes the experts that do not fit a GPU's memory: the card, reading them over "
            "the bus, or the CPU beside it; `ambit plan` says whether that pays here. With `cpu` "
            "answers depend on which experts those are, and only one card is used."},
    Setting{"engine.keep_alive_s", 1800_i, 0, 604800, "", "s", false,
            "An engine that nobody asked for this long is stopped and its memory freed; the next "
            "request starts it again. 0 keeps it."},
    Setting{"engine.state_bytes", 0_i, 0, 1099511627776.0, "", "bytes", false,
            "Memory for prefixes that stay warm, on the card when the model runs there. 0: what "
            "half a million tokens need, at least 1 GiB and at most a quarter of the memory."},
    Setting{"engine.state_disk_bytes", 8589934592_i, 0, 1099511627776.0, "", "bytes", false,
            "How much of the disk the saved model state may take; 0 saves nothing."},
    Setting{"remote.api_key", Text(), 0, 0, "", "", false,
            "Where the key of a remote model is: `file:PATH` (readable by you alone), `env:NAME` "
            "or `keyring` (`secret-tool store --label=ambit service ambit server HOST`)."},
    Setting{"remote.tokenizer", Text(), 0, 0, "", "", false,
            "tokenizer.json of the remote model. With it token counts are exact and ids are sent "
            "where the server takes them; without it counts are estimates on the safe side."},
    Setting{"remote.ca_file", Text(), 0, 0, "", "", false,
            "Certificates (PEM) of the authority that signed the server's, when it is your own."},
    Setting{"remote.allow_plain_http", false, 0, 0, "", "", false,
            "Allow a remote model on another host without encryption. Without it plain http is "
            "for this machine only; a key is never sent over it."},
    Setting{"remote.context_tokens", 0_i, 0, 1048576, "", "tokens", false,
            "The remote model's window; 0 takes what the server says."},
    Setting{"remote.timeout_s", 300_i, 1, 3600, "", "s", false,
            "How long a server may be silent before and within an answer."},
    Setting{"daemon.idle_exit_s", 900_i, 0, 604800, "", "s", false,
            "The daemon leaves when no editor was connected for this long; 0 keeps it."},
    Setting{"daemon.orphan_exit_s", 1_i, 1, 604800, "", "s", false,
            "The same when the last editor was killed instead of closed, so that nothing is left "
            "behind; more keeps a large model loaded over an editor's crash."},
    Setting{"log.level", Text("warning"), 0, 0, "error|warning|info|debug", "", false,
            "Log lines up to this level are written."},
    Setting{"log.file", true, 0, 0, "", "", false,
            "Also write the daemon's log to $XDG_STATE_HOME/ambit/log/daemon.log."},
    Setting{"review.enabled", true, 0, 0, "", "", true, "Offer reviews."},
    Setting{"review.on_save", false, 0, 0, "", "", true, "Review a file when it is saved."},
    Setting{"review.fail_level", Text("error"), 0, 0, "none|error|warning|info", "", true,
            "`ambit review` exits with 1 when a finding is at or above this level."},
    Setting{"review.timeout_s", 20_i, 1, 3600, "", "s", true,
            "A review that takes longer passes with a note."},
    Setting{"refactor.verify", Text(), 0, 0, "", "", false,
            "The command that checks a refactor before it is applied, for example `make test`."},
};

}  // namespace

std::span<const Setting> settings_table() {
  return kSettings;
}

const Setting* find_setting(std::string_view key) {
  for (const Setting& setting : kSettings) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

}  // namespace ambit::daemon
