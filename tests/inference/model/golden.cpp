#include "tests/inference/model/golden.h"

#include <cstring>

#include "gtest/gtest.h"

namespace ambit::inference::golden {
namespace {

template <class T>
std::vector<T> values(const Safetensors& file, const std::string& name) {
  const Tensor* t = file.find(name);
  if (t == nullptr || t->data.size() % sizeof(T) != 0) {
    ADD_FAILURE() << name << " is not in the golden file";
    return {};
  }
  std::vector<T> v(t->data.size() / sizeof(T));
  std::memcpy(v.data(), t->data.data(), t->data.size());
  return v;
}

}  // namespace

std::optional<std::filesystem::path> file(const std::string& name) {
  for (const char* root :
       {AMBIT_SOURCE_DIR "/tests/golden/", AMBIT_SOURCE_DIR "/../shared/golden/"}) {
    std::filesystem::path p = std::string(root) + name;
    if (std::filesystem::exists(p)) return p;
  }
  return std::nullopt;
}

std::optional<std::filesystem::path> folder(const std::string& name) {
  return file(name);
}

std::optional<std::filesystem::path> trace(const std::string& name) {
  return file(name + "/trace.safetensors");
}

std::vector<float> floats(const Safetensors& f, const std::string& name) {
  return values<float>(f, name);
}
std::vector<std::int32_t> ints(const Safetensors& f, const std::string& name) {
  return values<std::int32_t>(f, name);
}
std::vector<std::uint8_t> bytes(const Safetensors& f, const std::string& name) {
  return values<std::uint8_t>(f, name);
}

}  // namespace ambit::inference::golden
