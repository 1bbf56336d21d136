"""How benchmarks measure: what is counted, in which order, and what a case says."""

import pytest
import torch

from benchmarks import measure as measuring
from benchmarks.measure import (
    Measure,
    copy_bandwidth,
    peak_memory,
    profile_of,
    sample_pairs,
    total_bytes,
)

CPU = torch.device("cpu")
MIB = 2**20


@pytest.fixture
def clock(monkeypatch):
    """Instead of `sample_ms`: a run takes what it returns, and each sample is written down."""
    samples = []

    def sample(run, calls, device):
        samples.append((run.__name__, calls))
        return run()

    monkeypatch.setattr(measuring, "sample_ms", sample)
    return samples


def fast():
    return 0.3


def slow():
    return 40.0


def test_pairs_are_interleaved_and_their_order_alternates(clock):
    _, samples = sample_pairs(fast, slow, 4, CPU)
    in_rounds = [name for name, _ in clock[-8:]]
    assert in_rounds == ["fast", "slow", "slow", "fast", "fast", "slow", "slow", "fast"]
    assert samples == {"operation": [0.3] * 4, "baseline": [40.0] * 4}
    assert len(clock) == 8 + 2 * measuring.WARMUP


def test_short_calls_are_repeated_until_the_clock_can_tell(clock):
    calls, _ = sample_pairs(fast, slow, 2, CPU)
    assert calls == {"operation": 34, "baseline": 1}
    assert {pair for pair in clock[-4:]} == {("fast", 34), ("slow", 1)}


def test_a_case_may_have_no_baseline(clock):
    calls, samples = sample_pairs(fast, None, 3, CPU)
    assert samples == {"operation": [0.3] * 3, "baseline": None}
    assert calls["baseline"] is None


def test_a_sample_is_the_mean_of_its_calls_and_the_first_does_not_count(monkeypatch):
    now = [0.0]
    durations = iter([5.0, 0.002, 0.004])

    def run():
        now[0] += next(durations)

    monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])
    assert measuring.sample_ms(run, 2, CPU) == pytest.approx(3.0)


def test_peak_memory_counts_what_is_held_at_once():
    given = torch.ones(MIB, dtype=torch.uint8)

    def run():
        first = given + 1
        second = first + 1
        del first
        return second.repeat(3)

    peak, outputs = peak_memory(run, CPU)
    assert outputs.numel() == 3 * MIB
    # One temporary and the output together; scalars take a few bytes.
    assert 4 * MIB <= peak < 4 * MIB + 4096


def test_peak_memory_sees_inside_of_an_operation():
    # A sort of a strided view copies it, which no tensor of ours shows.
    given = torch.rand(64, 4096).t()
    outputs = 4096 * 64 * (4 + 8)
    peak, _ = peak_memory(lambda: torch.sort(given, dim=0), CPU)
    assert peak > outputs


def test_bytes_of_nested_outputs():
    half, double = torch.zeros(3, 4, dtype=torch.float16), torch.zeros(5, dtype=torch.float64)
    assert total_bytes({"a": [half, (double,)], "b": half}) == 24 + 40 + 24
    with pytest.raises(TypeError, match="expected tensors, got str"):
        total_bytes([half, "x"])


def test_copy_bandwidth_counts_reading_and_writing(monkeypatch):
    took = iter([8.0, 2.0, 4.0])
    monkeypatch.setattr(measuring, "COPIED_BYTES", 10**6)
    monkeypatch.setattr(measuring, "sample_ms", lambda run, calls, device: next(took))
    assert copy_bandwidth(CPU, rounds=3) == pytest.approx(1.0)


def test_a_case_says_what_was_measured():
    measure = Measure(CPU, rounds=6, copy_gb_per_s=10.0)
    given = torch.rand(1000)
    measure(
        "double",
        lambda: given * 2,
        inputs=given,
        dtype=given.dtype,
        shapes={"vector": given.shape},
        speedup_over=("in pieces", lambda: [part * 2 for part in given.split(10)]),
        targets={"speedup": 2, "memory_per_output": 1.5, "time_ms": 1e-9},
    )
    (case,) = measure.cases
    assert case["moved_bytes"] == 8000
    assert case["output_bytes"] == 4000
    assert 4000 <= case["peak_memory_bytes"] < 4100
    assert case["floor_ms"] == pytest.approx(8000 / 10e9 * 1e3)
    assert case["shapes"] == {"vector": [1000]}
    assert case["dtype"] == "float32"
    assert len(case["samples_ms"]["operation"]) == len(case["samples_ms"]["baseline"]) == 6
    outcomes = {target["quantity"]: target["met"] for target in case["targets"]}
    assert outcomes["memory_per_output"]
    assert not outcomes["time_ms"]
    assert "aten::mul" in {part["name"] for part in case["profile"]}


@pytest.mark.parametrize("gradients", [False, True])
def test_operations_that_train_are_given_gradients(gradients):
    measure, given = Measure(CPU, rounds=1, copy_gb_per_s=10.0), torch.rand(10, requires_grad=True)
    wanted = []

    def run():
        output = given * 2
        wanted.append(output.requires_grad)
        return output

    sizes = {"inputs": given, "dtype": given.dtype, "shapes": {}}
    measure("double", run, speedup_over=("itself", run), gradients=gradients, **sizes)
    assert set(wanted) == {gradients}


def test_a_profile_ranks_operators_by_the_time_they_take_themselves():
    large, small = torch.rand(400, 400), torch.rand(4)

    def run():
        small + small
        small + small
        return large @ large

    first, *others = profile_of(run, CPU)
    assert first["name"] == "aten::mm"
    assert first["share"] > 0.5
    assert ("aten::add", 2) in [(part["name"], part["calls"]) for part in others]
