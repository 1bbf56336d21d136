"""How a GPU is timed and its memory read, with CUDA's own functions replaced."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from lzu import module
from lzu.engine import time

pytest.importorskip("pytest_benchmark")

from benchmarks import measure

GPU = torch.device("cuda")


class Cuda:
    """The parts of `torch.cuda` that are used, which note what is asked of them."""

    def __init__(self):
        self.asked = []
        self.allocated = 100
        self.peak = 100

    def synchronize(self, device):
        self.asked.append("synchronize")

    def reset_peak_memory_stats(self, device):
        self.asked.append("reset")
        self.peak = self.allocated

    def memory_allocated(self, device):
        return self.allocated

    def max_memory_allocated(self, device):
        return self.peak

    def current_stream(self):
        return SimpleNamespace(wait_stream=lambda other: None)

    Stream = current_stream

    def stream(self, stream):
        return nullcontext()

    def graph(self, graph):
        self.asked.append("capture")
        return nullcontext()

    def CUDAGraph(self):  # noqa: N802, torch's name
        return SimpleNamespace(replay=lambda: self.asked.append("replay"))

    def is_current_stream_capturing(self):
        return "capture" in self.asked


@pytest.fixture
def cuda(monkeypatch):
    replaced = Cuda()
    for name in (name for name in dir(Cuda) if not name.startswith("_")):
        monkeypatch.setattr(torch.cuda, name, getattr(replaced, name))
    return replaced


def test_the_peak_is_what_a_call_adds_and_is_waited_for(cuda):
    def run():
        cuda.asked.append("run")
        cuda.peak = cuda.allocated + 30
        return "outputs"

    assert measure.peak_memory(run, GPU) == (30, "outputs")
    assert cuda.asked == ["synchronize", "reset", "run", "synchronize"]


def test_a_graph_replays_what_was_captured_after_a_warm_up(cuda):
    replay = measure.graphed(lambda: cuda.asked.append("run") or "outputs")
    assert cuda.asked == ["run"] * measure.WARMUP + ["capture", "run"]
    del cuda.asked[:]
    assert replay() == "outputs"
    assert cuda.asked == ["replay"]


def test_a_timing_waits_for_a_gpu_and_for_it_alone(cuda):
    time._synchronise(torch.device("cpu"))
    assert cuda.asked == []
    time._synchronise(GPU)
    assert cuda.asked == ["synchronize"]


def test_a_capture_is_asked_of_a_gpu_alone(cuda):
    assert not module._is_captured(GPU)
    cuda.asked.append("capture")
    assert module._is_captured(GPU)
    assert not module._is_captured(torch.device("cpu"))
