"""Methods against uniform models of the *same latency*, which no table of the paper shows.

At a method's latency the uniform model is interpolated: linearly in latency between neighbours on
the Pareto front of the uniform models (latency against the metric's mean over seeds). Seed by seed
the interpolated value is a mean of two uniform models' with fixed weights, so differences
are paired by seed as everywhere. Beyond the front's ends nothing is known and nothing is said.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from lzu.experiments.registry import BASELINE, Column, TableRow
from lzu.report.compare.comparison import RowResult, TableReport
from lzu.report.compare.pareto import pareto_front
from lzu.report.compare.statistics import Estimate, mean_interval, verdict

# Which published or measured latencies are compared at: (published, metric).
PROTOCOLS = ((True, "latency_ms"), (False, "latency_ms"), (False, "end_to_end_ms"))
PUBLISHED = -1
"""Stands for the seed of published values, which have none."""


@dataclass(frozen=True)
class IsoLatency:
    """A method against uniform at the method's own latency, in one metric.

    `latency_ms` is the method's by `protocol` ("latency_ms": baseline plus added operations;
    "end_to_end_ms"); `value` is the method's and `uniform` the interpolated uniform models' mean
    over the seeds that all of them have, `difference` their paired difference. Where there is no
    comparison, `uniform` and `difference` are None and `reason` says why.
    """

    row: TableRow
    column: Column
    published: bool
    protocol: str
    latency_ms: float
    value: float
    uniform: float | None
    difference: Estimate | None
    reason: str | None

    @property
    def verdict(self) -> str | None:
        """Of the measured difference: "win", "loss" or "undecided"; None without one."""
        if self.published or self.difference is None:
            return None
        return verdict(self.difference, self.column.higher_is_better)


@dataclass(frozen=True)
class _Model:
    """A row's latency and its values by seed."""

    latency_ms: float
    by_seed: dict[int, float]

    @property
    def mean(self) -> float:
        return sum(self.by_seed.values()) / len(self.by_seed)


def compare_at_equal_latency(report: TableReport) -> tuple[IsoLatency, ...]:
    """Every non-uniform row against the uniform models of its latency, in every score.

    Uniform models are those of the row's task, `from` scale and options. Rows that lack a value or
    a latency are left out; the table itself lists them.
    """
    columns = [column for column in report.table.columns if column.source == "score"]
    results = []
    for row in report.rows:
        if row.row.method == BASELINE:
            continue
        uniform = [other for other in report.rows if _comparable(other.row, row.row)]
        for published, protocol in PROTOCOLS:
            for column in columns:
                model = _model(row, column.metric, published, protocol)
                if model is None:
                    continue
                others = [_model(other, column.metric, published, protocol) for other in uniform]
                front = _front([m for m in others if m is not None], column.higher_is_better)
                results.append(_compared(row.row, column, published, protocol, model, front))
    return tuple(results)


def _comparable(other: TableRow, row: TableRow) -> bool:
    same = (other.task, other.from_scale, other.options) == (row.task, row.from_scale, row.options)
    return same and other.method == BASELINE


def _model(row: RowResult, metric: str, published: bool, protocol: str) -> _Model | None:
    value, latency = row.cells[metric], row.cells.get(protocol)
    if latency is None:
        return None
    if published:
        if value.published is None or latency.published is None:
            return None
        return _Model(latency.published, {PUBLISHED: value.published})
    by_seed = row.by_seed.get(metric)
    if not by_seed or latency.measured is None:
        return None
    return _Model(latency.measured.value, by_seed)


def _front(models: Sequence[_Model], higher_is_better: bool) -> list[_Model]:
    """The Pareto front by rising latency, one model a latency."""
    sign = 1 if higher_is_better else -1
    places = pareto_front([m.latency_ms for m in models], [sign * m.mean for m in models])
    return list({models[i].latency_ms: models[i] for i in places}.values())


def _compared(
    row: TableRow,
    column: Column,
    published: bool,
    protocol: str,
    model: _Model,
    front: list[_Model],
) -> IsoLatency:
    difference, reason = None, _out_of_range(model.latency_ms, front)
    value, uniform = model.mean, None
    if reason is None:
        at = interpolated(front, model.latency_ms)
        shared = sorted(at.keys() & model.by_seed.keys())
        if shared:
            difference = mean_interval([model.by_seed[seed] - at[seed] for seed in shared])
            value = sum(model.by_seed[seed] for seed in shared) / len(shared)
            uniform = sum(at[seed] for seed in shared) / len(shared)
        else:
            reason = "no seed in common with the uniform models"
    return IsoLatency(
        *(row, column, published, protocol, model.latency_ms, value, uniform, difference, reason)
    )


def _out_of_range(latency_ms: float, front: list[_Model]) -> str | None:
    if not front:
        return "no uniform model with a value and a latency"
    first, last = front[0].latency_ms, front[-1].latency_ms
    if latency_ms < first:
        return f"faster than the front's fastest uniform model ({first:.1f} ms)"
    if latency_ms > last:
        return f"slower than the front's slowest uniform model ({last:.1f} ms)"
    return None


def interpolated(front: Sequence[_Model], latency_ms: float) -> dict[int, float]:
    """The uniform value of each seed at `latency_ms`, which lies within the front."""
    latencies = [model.latency_ms for model in front]
    right = bisect_left(latencies, latency_ms)
    if latencies[right] == latency_ms:
        return front[right].by_seed
    below, above = front[right - 1], front[right]
    weight = (latency_ms - below.latency_ms) / (above.latency_ms - below.latency_ms)
    return {
        seed: (1 - weight) * below.by_seed[seed] + weight * above.by_seed[seed]
        for seed in below.by_seed.keys() & above.by_seed.keys()
    }
