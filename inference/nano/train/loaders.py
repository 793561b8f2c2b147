"""Processes that render training documents, and their batches on the device. Needs no PyTorch before they are forked."""

import multiprocessing
import os
import queue
import signal
import threading
import time

import numpy as np

from documents import LENGTH, Corpus, Documents
from tokenizer import Tokenizer

kChunk = 8  # rows that a loader hands over at once
kAhead = 1200  # chunks: many, since a loader is slow until it knows the text
# Share of packs that hold a copy of the lines at the hole, and of documents that are repeats: before and in the decay.
COPIES, REPEATS = (0.15, 0.10), (0.08, 0.03)


def render(corpus: Corpus, tokenizer: Tokenizer, seed: int, out, late, parent: int) -> None:
    """A loader's life: chunks of ids (uint16) and weights (uint8, tenths)."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(5)
    docs = Documents(corpus, tokenizer, LENGTH, seed)
    while os.getppid() == parent:
        docs.copies, docs.synthetic = COPIES[late.value], REPEATS[late.value]
        rows, weights = docs.batch(kChunk)
        chunk = np.array(rows, np.uint16).tobytes(), np.round(np.array(weights) * 10).astype(np.uint8).tobytes()
        while os.getppid() == parent:
            try:
                out.put(chunk, timeout=5)
                break
            except queue.Full:
                pass


class Loaders:
    """`late.value` 1: the decay's shares of copies and repeats."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, count: int, seed: int):
        context = multiprocessing.get_context("fork")
        self.chunks, self.late = context.Queue(kAhead), context.Value("i", 0)
        self.processes = [context.Process(target=render, daemon=True,
                                          args=(corpus, tokenizer, seed + i, self.chunks, self.late, os.getpid()))
                          for i in range(count)]
        for p in self.processes:
            p.start()

    def stop(self) -> None:
        for p in self.processes:
            p.kill()


class Batches:
    """Batches of `rows` sequences from the loaders, on the device. waited: seconds that `next` stood still."""

    def __init__(self, loaders: Loaders, rows: int, device: str):
        self.chunks, self.rows, self.device, self.ready, self.waited = loaders.chunks, rows, device, queue.Queue(6), 0.0
        threading.Thread(target=self.collect, daemon=True).start()

    def collect(self) -> None:
        import torch

        shape = (-1, LENGTH + 1)
        while True:
            got = [self.chunks.get() for _ in range(self.rows // kChunk)]
            ids = np.concatenate([np.frombuffer(i, np.uint16).reshape(shape) for i, _ in got]).astype(np.int64)
            weights = np.concatenate([np.frombuffer(w, np.uint8).reshape(shape) for _, w in got]).astype(np.float32) / 10
            pair = torch.from_numpy(ids), torch.from_numpy(weights)
            self.ready.put(tuple(t.pin_memory() for t in pair) if self.device == "cuda" else pair)

    def next(self):
        """ids [rows,LENGTH+1] and their weights."""
        begin = time.time()
        ids, weights = self.ready.get()
        self.waited += time.time() - begin
        return ids.to(self.device, non_blocking=True), weights.to(self.device, non_blocking=True)
