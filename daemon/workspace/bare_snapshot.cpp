#include "daemon/workspace/bare_snapshot.h"

namespace ambit::daemon {

namespace {

using namespace indexer;

class BareSnapshot : public Snapshot {
 public:
  explicit BareSnapshot(Buffers buffers) : buffers_(std::move(buffers)) {}
  [[nodiscard]] std::shared_ptr<const Snapshot> with_buffers(const Buffers& b) const override {
    return std::make_shared<BareSnapshot>(b);
  }
  [[nodiscard]] std::string tree_name() const override { return {}; }
  [[nodiscard]] std::vector<FileInfo> files() const override {
    std::vector<FileInfo> out;
    for (const auto& [path, text] : buffers_) {
      out.emplace_back();
      out.back().path = path;
      out.back().bytes = text->size();
    }
    return out;
  }
  [[nodiscard]] std::optional<FileInfo> file(std::string_view path) const override {
    for (auto& info : files()) {
      if (info.path == path) return info;
    }
    return std::nullopt;
  }
  [[nodiscard]] Result<std::string> text(std::string_view path) const override {
    const auto found = buffers_.find(std::string(path));
    if (found != buffers_.end()) return *found->second;
    return make_error(Code::kNotFound, std::string(path) + " is not indexed yet");
  }
  [[nodiscard]] std::vector<Symbol> symbols_in(std::string_view) const override { return {}; }
  [[nodiscard]] std::vector<Reference> references_in(std::string_view) const override { return {}; }
  [[nodiscard]] std::vector<Symbol> definitions(std::string_view, std::size_t) const override {
    return {};
  }
  [[nodiscard]] std::vector<Reference> references(std::string_view, std::size_t) const override {
    return {};
  }
  [[nodiscard]] std::vector<ResolvedDefinition> resolve(std::string_view,
                                                        std::uint32_t) const override {
    return {};
  }
  [[nodiscard]] std::vector<Symbol> find_symbols(std::string_view, std::size_t) const override {
    return {};
  }
  [[nodiscard]] Result<std::vector<TextMatch>> search(std::string_view, bool, std::size_t,
                                                      std::stop_token) const override {
    return std::vector<TextMatch>{};
  }

 private:
  const Buffers buffers_;
};

}  // namespace

std::shared_ptr<const indexer::Snapshot> bare_snapshot() {
  return std::make_shared<BareSnapshot>(Buffers{});
}

}  // namespace ambit::daemon
