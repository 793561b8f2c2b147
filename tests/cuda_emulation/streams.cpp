// Streams, events, graphs, copies and host functions of the stand-in CUDA runtime.
#include "tests/cuda_emulation/streams.h"

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <vector>

namespace {

using ptx::Work;

bool early = false;
bool waits_lost = false;

struct Recording;

struct Stream {
  std::deque<Work> work;
  std::uint64_t queued = 0, done = 0;
  Recording* recording = nullptr;

  void add(Work w, bool may_be_early = false) {
    work.push_back(std::move(w));
    ++queued;
    if (early && may_be_early) run(queued);
  }
  // Work may run other streams, and those this one up to where it is.
  void run(std::uint64_t end) {
    while (done < end) {
      const Work w = std::move(work.front());
      work.pop_front();
      w();
      ++done;
    }
  }
};

std::set<Stream*>& streams() {
  static auto& all = *new std::set<Stream*>;  // memory is freed until the very end
  return all;
}

Stream* of(cudaStream_t stream) {
  static Stream standard;
  if (stream != nullptr) return reinterpret_cast<Stream*>(stream);
  streams().insert(&standard);
  return &standard;
}

struct Event {
  Stream* stream = nullptr;
  std::uint64_t at = 0;  // its work before the event
  // Recorded: the event of that number.
  Recording* recording = nullptr;
  std::size_t number = 0;
};

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
  std::vector<Stream*> lanes;
  std::vector<Step> steps;
  std::size_t events = 0;

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
Recording* recording = nullptr;

// A recording that can be run, with streams of its own for all lanes but the first.
struct Graph {
  std::vector<Recording::Step> steps;
  std::vector<std::unique_ptr<Stream>> lanes;
  std::size_t events = 0;
};

}  // namespace

namespace ptx {

void enqueue(cudaStream_t stream, Work work, bool may_be_early) {
  Stream* const s = of(stream);
  if (Recording* const r = s->recording; r != nullptr) {
    r->steps.push_back({r->lane(s), Recording::Kind::kWork, std::move(work), may_be_early, 0});
  } else {
    s->add(std::move(work), may_be_early);
  }
}

bool is_recorded(cudaStream_t stream) {
  return of(stream)->recording != nullptr;
}

void drain(cudaStream_t stream) {
  Stream* const s = of(stream);
  s->run(s->queued);
}

void drain() {
  for (Stream* s : streams()) s->run(s->queued);
}

}  // namespace ptx

extern "C" {

void ambit_set_stream_order(int order, int lost) {
  early = order != 0;
  waits_lost = lost != 0;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  auto* const s = new Stream;
  streams().insert(s);
  *stream = reinterpret_cast<cudaStream_t>(s);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  ptx::drain(stream);
  streams().erase(of(stream));
  delete of(stream);
  return cudaSuccess;
}
// A card would refuse to wait for a stream that is being recorded.
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (ptx::is_recorded(stream)) return cudaErrorStreamCaptureUnsupported;
  ptx::drain(stream);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new Event);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete reinterpret_cast<Event*>(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Stream* const s = of(stream);
  auto& e = *reinterpret_cast<Event*>(event);
  if (Recording* const r = s->recording; r != nullptr) {
    e = {nullptr, 0, r, r->events++};
    r->steps.push_back({r->lane(s), Recording::Kind::kEvent, {}, false, e.number});
  } else {
    e = {s, s->queued, nullptr, 0};
  }
  return cudaSuccess;
}
// A recorded event is for the recording alone; who waits for it is recorded from there on.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  Stream* const s = of(stream);
  const Event e = *reinterpret_cast<Event*>(event);
  if (e.recording != nullptr) {
    if (e.recording != recording) return cudaErrorCapturedEvent;
    if (s->recording == nullptr) {
      s->recording = recording;
      recording->lanes.push_back(s);
    }
    recording->steps.push_back({recording->lane(s), Recording::Kind::kWait, {}, false, e.number});
    return cudaSuccess;
  }
  if (s->recording != nullptr) return cudaErrorStreamCaptureIsolation;
  if (waits_lost) return cudaSuccess;
  if (e.stream != nullptr) s->add([e] { e.stream->run(e.at); });
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (recording != nullptr) return cudaErrorIllegalState;
  recording = new Recording;
  recording->lanes.push_back(of(stream));
  of(stream)->recording = recording;
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
  auto* const to = new Graph{from.steps, {}, from.events};
  for (std::size_t i = 1; i < from.lanes.size(); ++i) {
    to->lanes.push_back(std::make_unique<Stream>());
  }
  *out = reinterpret_cast<cudaGraphExec_t>(to);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<Recording*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  ptx::drain();
  delete reinterpret_cast<Graph*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  if (recording != nullptr) return cudaErrorIllegalState;
  const auto& g = *reinterpret_cast<Graph*>(graph);
  std::vector<Event> events(g.events);
  for (const Recording::Step& step : g.steps) {
    Stream* const s = step.lane == 0 ? of(stream) : g.lanes[step.lane - 1].get();
    switch (step.kind) {
      case Recording::Kind::kWork:
        s->add(step.work, step.may_be_early);
        break;
      case Recording::Kind::kEvent:
        events[step.event] = {s, s->queued, nullptr, 0};
        break;
      case Recording::Kind::kWait:
        if (waits_lost) break;
        s->add([e = events[step.event]] { e.stream->run(e.at); });
        break;
    }
  }
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  ptx::enqueue(
      stream, [=] { function(data); }, true);
  return cudaSuccess;
}
// From and to the program's own memory a copy is done when the call returns.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind,
                            cudaStream_t stream) {
  ptx::enqueue(
      stream, [=] { std::memcpy(to, from, n); }, true);
  const bool waits = !ptx::is_pinned_or_device(to) || !ptx::is_pinned_or_device(from);
  if (waits && !ptx::is_recorded(stream)) ptx::drain(stream);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t n, cudaStream_t stream) {
  ptx::enqueue(stream, [=] { std::memset(to, value, n); });
  return cudaSuccess;
}

}  // extern "C"
