#include "inference/device/memory.h"

#include <algorithm>
#include <new>
#include <utility>

namespace ambit::inference {

using ops::cuda::LaunchError;

void Device::note(LaunchError error, const char* what) {
  if (error == LaunchError::kNone || !problem_.empty()) return;
  const char* why = error == LaunchError::kShape         ? " cannot take these shapes"
                    : error == LaunchError::kUnsupported ? " does not know this number format"
                                                         : " could not be launched";
  problem_ = std::string("the CUDA op ") + what + why;
}

void Device::copy(void* to, const void* from, std::size_t bytes) {
  if (!api_->copy(to, from, bytes, stream_) && problem_.empty()) {
    problem_ = "a copy to or from the CUDA device failed";
  }
}

void Device::copy_to(int card, void* to, const void* from, std::size_t bytes) {
  if (!api_->copy_across(to, card, from, card_, bytes, stream_)) {
    fail("a copy from one CUDA device to another failed");
  }
}

void Device::clear(void* to, std::size_t bytes) {
  if (!api_->clear(to, bytes, stream_) && problem_.empty()) {
    problem_ = "the CUDA device cannot be written";
  }
}

void Device::record(void* event) {
  if (!api_->record_event(event, stream_)) fail("the CUDA device records no event");
}

void Device::await(void* event) {
  if (!api_->await_event(event, stream_)) fail("the CUDA device waits for no event");
}

void Device::replay(void* graph) {
  if (!api_->run_graph(graph, stream_) && problem_.empty()) {
    problem_ = "a recorded step cannot be run on the CUDA device";
  }
}

bool Device::wait() {
  if (const char* why = api_->wait(stream_); why != nullptr && problem_.empty()) problem_ = why;
  if (const char* why = later_.load()) fail(why);
  return problem_.empty();
}

DeviceBuffer::DeviceBuffer(Device& device, std::size_t bytes, Place place)
    : api_(&device.api()), size_(std::max<std::size_t>(bytes, 1)), place_(place) {
  device.use();
  void* p = place == Place::kDevice ? api_->allocate(size_) : api_->allocate_host(size_);
  if (p == nullptr) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(p);
}

DeviceBuffer::~DeviceBuffer() {
  if (data_ == nullptr) return;
  if (place_ == Place::kDevice) {
    api_->release(data_);
  } else {
    api_->release_host(data_);
  }
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept {
  *this = std::move(other);
}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(api_, other.api_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(place_, other.place_);
  return *this;
}

std::byte* DeviceScratch::take_bytes(std::size_t bytes) {
  constexpr std::size_t kBlock = std::size_t{16} << 20U;
  const std::size_t n = (bytes + 255) / 256 * 256;
  while (block_ < blocks_.size() && used_ + n > blocks_[block_].size()) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) blocks_.emplace_back(*device_, std::max(n, kBlock));
  std::byte* p = blocks_[block_].data() + used_;
  used_ += n;
  return p;
}

}  // namespace ambit::inference
