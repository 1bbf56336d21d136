"""How benchmarks measure: what is counted, in which order, and what a case says."""

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from pytest_benchmark.utils import NameWrapper

from benchmarks import measure as measuring
from benchmarks.measure import (
    Measure,
    calls_per_sample,
    clock_of,
    copy_bandwidth,
    peak_memory,
    profile_of,
    sample,
    time_in_pairs,
    total_bytes,
)

CPU = torch.device("cpu")
MIB = 2**20


class Clock:
    """A time that passes only in the runs made of it, which are written down."""

    def __init__(self):
        self.now, self.ran = 0.0, []

    def __call__(self):
        return self.now

    def run(self, name, *seconds):
        """A run that takes so many seconds, the last from then on."""
        left = list(seconds)

        def call():
            self.ran.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


@pytest.fixture
def fixture_with(request):
    """pytest-benchmark's fixture with a timer; what it times is not shown after the tests."""

    def make(timer, disabled=False):
        session = request.config._benchmarksession
        options = {**session.options, "timer": NameWrapper(timer)}
        return BenchmarkFixture(
            request.node,
            add_stats=[].append,
            logger=session.logger,
            warner=request.node.warn,
            disabled=disabled,
            **options,
        )

    return make


@pytest.mark.parametrize("rounds", [4, 5])
@pytest.mark.parametrize("seconds", [0.004, 0.4], ids=["several calls", "one call"])
def test_pairs_are_side_by_side_and_their_order_alternates(fixture_with, rounds, seconds):
    clock = Clock()
    benchmark = fixture_with(clock)
    operation, baseline = clock.run("operation", seconds), clock.run("baseline", 40.0)
    paired = time_in_pairs(benchmark, operation, baseline, rounds, clock)
    calls = benchmark.stats.iterations
    assert calls == (3 if seconds == 0.004 else 1)
    assert paired == {"iterations": 1, "data": [40.0] * rounds}
    assert benchmark.stats.stats.data == pytest.approx([seconds] * rounds)
    # Every sample is of its calls and one before them that does not count.
    samples = "".join(name[0] for name in clock.ran)[4 * measuring.WARMUP - 1 :]
    one, other = "o" * (calls + 1), "bb"
    twice = one + other + other + one
    assert samples.startswith((twice * 3)[: len(one + other) * rounds])
    assert samples.count("b") == 2 * rounds


def test_a_pair_sees_the_same_state_of_a_machine_that_slows_down(fixture_with):
    clock = Clock()
    benchmark = fixture_with(clock)

    def slowing(factor):
        def run():
            clock.now += factor * (1 + clock.now / 1000)

        return run

    paired = time_in_pairs(benchmark, slowing(1.0), slowing(2.0), 12, clock)
    speedups = [b / a for a, b in zip(benchmark.stats.stats.data, paired["data"], strict=True)]
    assert speedups == pytest.approx([2.0] * 12, rel=0.01)


def test_a_case_may_have_no_baseline(fixture_with):
    clock = Clock()
    benchmark = fixture_with(clock)
    assert time_in_pairs(benchmark, clock.run("fast", 0.3), None, 3, clock) is None
    assert benchmark.stats.stats.data == pytest.approx([0.3] * 3)


def test_short_calls_are_repeated_until_the_clock_can_tell():
    clock = Clock()
    assert calls_per_sample(clock.run("fast", 0.0003), clock) == 34
    assert calls_per_sample(clock.run("slow", 40.0), clock) == 1


def test_a_sample_is_the_mean_of_its_calls_and_the_first_does_not_count():
    clock = Clock()
    assert sample(clock.run("run", 5.0, 0.002, 0.004), 2, clock) == pytest.approx(0.003)


def test_a_gpus_clock_waits_for_it(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(True))
    assert clock_of(torch.device("cuda"))() <= clock_of(CPU)()
    assert waited == [True]


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
    took = iter([0.008, 0.002, 0.004])
    monkeypatch.setattr(measuring, "COPIED_BYTES", 10**6)
    monkeypatch.setattr(measuring, "sample", lambda run, calls, clock: next(took))
    assert copy_bandwidth(CPU, rounds=3) == pytest.approx(1.0)


def test_a_case_says_what_was_measured(fixture_with):
    benchmark, given = fixture_with(clock_of(CPU)), torch.rand(1000)
    Measure(CPU, rounds=6, copy_gb_per_s=10.0)(
        benchmark,
        "double",
        lambda: given * 2,
        inputs=given,
        dtype=given.dtype,
        shapes={"vector": given.shape},
        speedup_over=("in pieces", lambda: [part * 2 for part in given.split(10)]),
        targets={"speedup": 2, "memory_per_output": 1.5, "time_ms": 1e-9},
    )
    case = benchmark.extra_info
    assert benchmark.group == case["case"] == "double"
    assert case["moved_bytes"] == 8000
    assert case["output_bytes"] == 4000
    assert 4000 <= case["peak_memory_bytes"] < 4100
    assert case["floor"] == pytest.approx(8000 / 10e9)
    assert case["shapes"] == {"vector": [1000]}
    assert (case["dtype"], case["device"], case["synchronised"]) == ("float32", "cpu", True)
    assert case["threads"] == torch.get_num_threads()
    assert case["baseline"]["name"] == "in pieces"
    assert len(benchmark.stats.stats.data) == len(case["baseline"]["data"]) == 6
    outcomes = {target["quantity"]: target["met"] for target in case["targets"]}
    assert outcomes["memory_per_output"]
    assert not outcomes["time_ms"]
    assert "aten::mul" in {part["name"] for part in case["profile"]}


@pytest.mark.parametrize("disabled", [False, True])
@pytest.mark.parametrize("gradients", [False, True])
def test_operations_that_train_are_given_gradients(fixture_with, gradients, disabled):
    benchmark, given = fixture_with(clock_of(CPU), disabled), torch.rand(10, requires_grad=True)
    wanted = []

    def run():
        output = given * 2
        wanted.append(output.requires_grad)
        return output

    sizes = {"inputs": given, "dtype": given.dtype, "shapes": {}}
    measure = Measure(CPU, rounds=1, copy_gb_per_s=10.0)
    measure(benchmark, "double", run, speedup_over=("itself", run), gradients=gradients, **sizes)
    assert set(wanted) == {gradients}
    # --benchmark-disable: once, to see that it runs.
    assert not disabled or (len(wanted), benchmark.extra_info) == (1, {})


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
