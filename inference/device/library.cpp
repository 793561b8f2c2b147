#include "inference/device/library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace ambit::inference {
namespace {

namespace fs = std::filesystem;
constexpr const char* kName = "libambit_cuda.so";

std::vector<std::string> candidates() {
  if (const char* named = std::getenv("AMBIT_CUDA_LIBRARY"); named != nullptr && *named != 0) {
    return {named};
  }
  std::vector<std::string> out;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    for (const fs::path& folder :
         {program.parent_path(), program.parent_path().parent_path() / "lib" / "ambit"}) {
      if (fs::exists(folder / kName, error)) out.push_back((folder / kName).string());
    }
  }
  out.emplace_back(kName);
  return out;
}

}  // namespace

Result<DeviceLibrary> open_device_library() {
  void* handle = nullptr;
  std::string problem;
  for (const std::string& path : candidates()) {
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) break;
    problem = dlerror();
  }
  if (handle == nullptr) {
    return make_error(Code::kUnavailable,
                      "the CUDA backend is not here (" + problem +
                          "); build it with `cmake --preset cuda`, or set engine.device = \"cpu\"");
  }
  auto* get = reinterpret_cast<decltype(&ambit_cuda_api)>(dlsym(handle, ops::cuda::kApiSymbol));
  DeviceLibrary out;
  out.handle = handle;
  out.api = get == nullptr ? nullptr : get();
  if (out.api == nullptr || out.api->version != ops::cuda::kApiVersion ||
      out.api->bytes != sizeof(ops::cuda::Api)) {
    dlclose(handle);
    return make_error(Code::kUnavailable, std::string(kName) +
                                              " is of another build than this program; build and "
                                              "install both together");
  }
  int count = 0;
  std::string why;
  if (const char* none = out.api->count(&count)) why = none;
  for (int card = 0; card < count; ++card) {
    ops::cuda::DeviceInfo info{};
    if (const char* no = out.api->open(card, &info)) {
      if (why.empty()) why = no;
    } else {
      out.cards.push_back(info);
    }
  }
  if (out.cards.empty() || !out.api->use(out.cards[0].card)) {
    dlclose(handle);
    return make_error(Code::kUnavailable,
                      why + "; check `nvidia-smi`, or set engine.device = \"cpu\"");
  }
  return out;
}

}  // namespace ambit::inference
