"""Methods against baseline models of the *same latency*, which no table of the paper shows.

At a method's latency the baseline is interpolated: linearly in latency between neighbours on the
Pareto front of the baseline's models (latency against the metric's mean over runs). Run by run, and
with each group of validation sequences left out, the interpolated value is a mean of two models'
with fixed weights, so differences are paired and their intervals are made as everywhere. Beyond the
front's ends nothing is known and nothing is said.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lzu.experiments.methods import BASELINE
from lzu.experiments.run import SEARCH
from lzu.experiments.tables import Column, Row
from lzu.report.compare.cells import RowResult, TableReport
from lzu.report.compare.contrasts import Contrast, judge
from lzu.report.compare.pareto import pareto_front
from lzu.report.compare.uncertainty import Mean, Scores, mean_over_runs, paired_scores
from lzu.results.statistics import Estimate

# Which published or measured latencies are compared at: (published, metric).
PROTOCOLS = ((True, "latency_ms"), (False, "latency_ms"), (False, "end_to_end_ms"))
PUBLISHED = ("published", 0)
"""Stands for the run of published values, which have none."""


@dataclass(frozen=True)
class IsoLatency:
    """A method against the baseline at the method's own latency, in one metric.

    `latency_ms` is the method's by `protocol` ("latency_ms": baseline plus added operations;
    "end_to_end_ms"); `value` is the method's and `baseline` the interpolated baseline's mean over
    the runs that all models have, `difference` their paired difference. Where there is no
    comparison, `baseline` and `difference` are None and `reason` says why. `contrast` has the
    verdict on a measured difference, in the table's headline metric alone.
    """

    row: Row
    column: Column
    published: bool
    protocol: str
    latency_ms: float
    value: float
    baseline: float | None = None
    difference: Mean | None = None
    reason: str | None = None
    contrast: Contrast | None = None

    @property
    def estimate(self) -> Estimate | None:
        """The difference with its interval; published ones have none."""
        return None if self.difference is None else self.difference.estimate()


@dataclass(frozen=True)
class Model:
    """A row's latency and its values run by run."""

    latency_ms: float
    scores: Scores

    @property
    def mean(self) -> float:
        return mean_over_runs(self.scores).value


def compare_at_equal_latency(report: TableReport) -> tuple[IsoLatency, ...]:
    """Every other method's row against the baseline at its latency, in every score.

    The baseline's models are those of the row's `from` scale and data. Rows that lack a value
    or a latency are left out; the table itself lists them. Verdicts are corrected for the number of
    all measured comparisons, by both latencies.
    """
    columns = [column for column in report.table.columns if column.source == "score"]
    results = []
    for row in report.rows:
        if row.row.method == BASELINE.name:
            continue
        own = [other for other in report.rows if _comparable(other.row, row.row)]
        for published, protocol in PROTOCOLS:
            for column in columns:
                model = _model(row, column.metric, published, protocol)
                if model is None:
                    continue
                others = [_model(other, column.metric, published, protocol) for other in own]
                front = _front([m for m in others if m is not None], column.higher_is_better)
                results.append(_compared(row.row, column, published, protocol, model, front))
    return _judged(results, report.headline)


def _comparable(other: Row, row: Row) -> bool:
    """Whether `other` is the baseline on the data of `row`: of its options, the split's alone is of
    the data, and the rest of the method."""
    ours = (row.task, row.from_scale, tuple(one for one in row.options if one == SEARCH))
    return other.method == BASELINE.name and ours == (other.task, other.from_scale, other.options)


def _model(row: RowResult, metric: str, published: bool, protocol: str) -> Model | None:
    value, latency = row.cells[metric], row.cells.get(protocol)
    if latency is None:
        return None
    if published:
        if value.published is None or latency.published is None:
            return None
        return Model(latency.published, Scores({PUBLISHED: value.published}))
    scores = row.scores.get(metric)
    if scores is None or latency.measured is None:
        return None
    return Model(latency.measured.value, scores)


def _front(models: Sequence[Model], higher_is_better: bool) -> list[Model]:
    """The Pareto front by rising latency, one model a latency."""
    sign = 1 if higher_is_better else -1
    places = pareto_front([m.latency_ms for m in models], [sign * m.mean for m in models])
    return list({models[i].latency_ms: models[i] for i in places}.values())


def _compared(
    row: Row, column: Column, published: bool, protocol: str, model: Model, front: list[Model]
) -> IsoLatency:
    alone = IsoLatency(row, column, published, protocol, model.latency_ms, model.mean)
    reason = _out_of_range(model.latency_ms, front)
    if reason is not None:
        return replace(alone, reason=reason)
    at = interpolated(front, model.latency_ms)
    difference = None if at is None else paired_scores(model.scores, at)
    if at is None or difference is None:
        return replace(alone, reason=f"no run in common with the models of {BASELINE.label}")
    shared = difference.values.keys()
    return replace(
        alone,
        value=_mean(model.scores, shared),
        baseline=_mean(at, shared),
        difference=mean_over_runs(difference),
    )


def _mean(scores: Scores, runs: object) -> float:
    values = [scores.values[run] for run in scores.values if run in runs]
    return sum(values) / len(values)


def _out_of_range(latency_ms: float, front: list[Model]) -> str | None:
    name = BASELINE.label
    if not front:
        return f"no model of {name} with a value and a latency"
    first, last = front[0].latency_ms, front[-1].latency_ms
    if latency_ms < first:
        return f"faster than the front's fastest model of {name} ({first:.1f} ms)"
    if latency_ms > last:
        return f"slower than the front's slowest model of {name} ({last:.1f} ms)"
    return None


def interpolated(front: Sequence[Model], latency_ms: float) -> Scores | None:
    """The baseline run by run at `latency_ms`, which lies within the front; None if the two models
    around it share no run."""
    latencies = [model.latency_ms for model in front]
    right = bisect_left(latencies, latency_ms)
    if latencies[right] == latency_ms:
        return front[right].scores
    below, above = front[right - 1], front[right]
    weight = (latency_ms - below.latency_ms) / (above.latency_ms - below.latency_ms)
    return _mixed(below.scores, above.scores, weight)


def _mixed(below: Scores, above: Scores, weight: float) -> Scores | None:
    """(1 - weight) * below + weight * above, of the runs that both have."""

    def mix(a: float, b: float) -> float:
        return (1 - weight) * a + weight * b

    values = {
        run: mix(below.values[run], above.values[run])
        for run in below.values.keys() & above.values.keys()
    }
    left_out = {
        run: tuple(map(mix, below.left_out[run], above.left_out[run]))
        for run in below.left_out.keys() & above.left_out.keys()
    }
    return Scores(values, left_out) if values else None


def _judged(results: Sequence[IsoLatency], headline: Column) -> tuple[IsoLatency, ...]:
    own = {
        place: result.difference
        for place, result in enumerate(results)
        if result.difference and result.column == headline and not result.published
    }
    contrasts = judge(own, None, headline.higher_is_better)
    return tuple(
        replace(result, contrast=contrasts.get(place)) for place, result in enumerate(results)
    )
