// Streams, events, graphs, copies and host functions of the stand-in CUDA runtime.
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "tests/cuda_emulation/devices.h"
#include "tests/cuda_emulation/streams.h"

namespace emulated {

// What is recorded between cudaStreamBeginCapture and cudaStreamEndCapture: of the stream that it
// began with, lane 0, and of those that waited for an event in it.
struct Recording {
  enum class Kind { kWork, kEvent, kWait };
  struct Step {
    std::size_t lane;
    Kind kind;
    Work work;
    bool may_be_early;
    std::size_t event;
  };
  std::vector<int> devices;  // of each lane
  std::vector<Stream*> lanes;
  std::vector<Step> steps;
  std::size_t events = 0;

  void join(Stream* s) {
    s->recording = this;
    lanes.push_back(s);
    devices.push_back(s->device());
  }
  std::size_t lane(const Stream* s) const {
    std::size_t i = 0;
    while (lanes[i] != s) ++i;
    return i;
  }
  // Whether somebody waits for the end of every other lane.
  bool joined() const {
    std::vector<const Step*> last(lanes.size());
    std::set<std::size_t> awaited;
    for (const Step& s : steps) {
      last[s.lane] = &s;
      if (s.kind == Kind::kWait) awaited.insert(s.event);
    }
    for (std::size_t i = 1; i < lanes.size(); ++i) {
      if (last[i]->kind != Kind::kEvent || !awaited.contains(last[i]->event)) return false;
    }
    return true;
  }
};

void enqueue(Stream& s, Work work, bool may_be_early) {
  if (Recording* const r = s.recording; r != nullptr) {
    r->steps.push_back({r->lane(&s), Recording::Kind::kWork, std::move(work), may_be_early, 0});
  } else {
    s.add(std::move(work), may_be_early);
  }
}

}  // namespace emulated

namespace {

using emulated::of;
using emulated::Recording;
using emulated::Stream;

struct Event {
  int device = 0;
  Stream* stream = nullptr;
  std::uint64_t at = 0;  // its items before the event
  // Recorded: the event of that number.
  Recording* recording = nullptr;
  std::size_t number = 0;
};

Recording* recording = nullptr;  // one at a time

// A recording that can be run, with streams of its own for all lanes but the first.
struct Graph {
  int device = 0;
  std::vector<Recording::Step> steps;
  std::vector<std::unique_ptr<Stream>> lanes;
  std::size_t events = 0;
};

}  // namespace

extern "C" {

void ambit_set_stream_order(int order, int lost) {
  emulated::set_order(order != 0, lost != 0);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = reinterpret_cast<cudaStream_t>(new Stream(emulated::current_device()));
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  delete of(stream);
  return cudaSuccess;
}
// A card would refuse to wait for a stream that is being recorded.
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (of(stream)->recording != nullptr) return cudaErrorStreamCaptureUnsupported;
  of(stream)->finish();
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new Event{.device = emulated::current_device()});
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete reinterpret_cast<Event*>(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Stream* const s = of(stream);
  auto& e = *reinterpret_cast<Event*>(event);
  if (e.device != s->device()) return cudaErrorInvalidResourceHandle;
  if (Recording* const r = s->recording; r != nullptr) {
    e = {e.device, nullptr, 0, r, r->events++};
    r->steps.push_back({r->lane(s), Recording::Kind::kEvent, {}, false, e.number});
  } else {
    e = {e.device, s, s->end(), nullptr, 0};
  }
  return cudaSuccess;
}
// A recorded event is for the recording alone; who waits for it is recorded from there on.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  Stream* const s = of(stream);
  const Event& e = *reinterpret_cast<Event*>(event);
  if (e.recording != nullptr) {
    if (e.recording != recording) return cudaErrorCapturedEvent;
    if (s->recording == nullptr) recording->join(s);
    recording->steps.push_back({recording->lane(s), Recording::Kind::kWait, {}, false, e.number});
    return cudaSuccess;
  }
  if (s->recording != nullptr) return cudaErrorStreamCaptureIsolation;
  if (e.stream != nullptr) s->wait_for(e.stream, e.at);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (recording != nullptr) return cudaErrorIllegalState;
  recording = new Recording;
  recording->join(of(stream));
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (recording == nullptr || recording->lanes[0] != of(stream)) return cudaErrorIllegalState;
  for (Stream* s : recording->lanes) s->recording = nullptr;
  Recording* const done = recording;
  recording = nullptr;
  if (!done->joined()) {
    delete done;
    return cudaErrorStreamCaptureUnjoined;
  }
  *graph = reinterpret_cast<cudaGraph_t>(done);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long) {
  const auto& from = *reinterpret_cast<Recording*>(graph);
  auto* const to = new Graph{from.devices[0], from.steps, {}, from.events};
  for (std::size_t i = 1; i < from.devices.size(); ++i) {
    to->lanes.push_back(std::make_unique<Stream>(from.devices[i]));
  }
  *out = reinterpret_cast<cudaGraphExec_t>(to);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<Recording*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  Stream::finish_all();
  delete reinterpret_cast<Graph*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  if (recording != nullptr) return cudaErrorIllegalState;
  const auto& g = *reinterpret_cast<Graph*>(graph);
  if (g.device != of(stream)->device()) return cudaErrorInvalidResourceHandle;
  std::vector<Event> events(g.events);
  for (const Recording::Step& step : g.steps) {
    Stream* const s = step.lane == 0 ? of(stream) : g.lanes[step.lane - 1].get();
    Event* const e = events.data() + step.event;
    if (step.kind == Recording::Kind::kWork) s->add(step.work, step.may_be_early);
    if (step.kind == Recording::Kind::kEvent) *e = {s->device(), s, s->end(), nullptr, 0};
    if (step.kind == Recording::Kind::kWait) s->wait_for(e->stream, e->at);
  }
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  const auto call = [=] {
    emulated::open_for(emulated::kHost);
    function(data);
  };
  emulated::enqueue(*of(stream), call, true);
  return cudaSuccess;
}
// From and to the program's own memory a copy is done when the call returns.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind,
                            cudaStream_t stream) {
  Stream& s = *of(stream);
  const auto copy = [=] {
    emulated::open_for(emulated::kHost);
    std::memcpy(to, from, n);
  };
  emulated::enqueue(s, copy, true);
  const bool waits = !emulated::is_allocated(to) || !emulated::is_allocated(from);
  if (waits && s.recording == nullptr) s.finish();
  return cudaSuccess;
}
cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t n,
                                cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, n, cudaMemcpyDefault, stream);
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t n, cudaStream_t stream) {
  emulated::enqueue(*of(stream), [=] {
    emulated::open_for(emulated::kHost);
    std::memset(to, value, n);
  });
  return cudaSuccess;
}

}  // extern "C"
