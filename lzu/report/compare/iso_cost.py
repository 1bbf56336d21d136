"""Methods against baseline models of the *same cost*, which no table of the paper shows.

A cost is a latency, or a number of operations (`KINDS`). At a method's cost the baseline is
interpolated: linearly in cost between neighbours on the Pareto front of the baseline's models (cost
against the metric's mean over runs). Run by run, and with each group of validation sequences left
out, the interpolated value is a mean of two models' with fixed weights, so differences are paired
and their intervals are made as everywhere. Beyond the front's ends nothing is known and nothing is
said.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lzu.experiments.methods import BASELINE
from lzu.experiments.run import SEARCH
from lzu.experiments.tables import Column, Row
from lzu.report import names
from lzu.report.compare.cells import RowResult, TableReport
from lzu.report.compare.contrasts import Contrast, judge
from lzu.report.compare.pareto import pareto_front
from lzu.report.compare.uncertainty import Mean, Scores, mean_over_runs, paired_scores
from lzu.results.statistics import Estimate


@dataclass(frozen=True)
class CostKind:
    """What is held equal.

    Attributes:
        name: of its files, and in a task's comparisons.
        noun, plural, unit, decimals: of the cost, in texts.
        sources: (whether published, metric) -> what the cost is called.
        less, more: of one model, and of the one at the end: "faster", "fastest".
        note: explains the sources.
    """

    name: str
    noun: str
    plural: str
    unit: str
    decimals: int
    sources: Mapping[tuple[bool, str], str]
    less: tuple[str, str]
    more: tuple[str, str]
    note: str


LATENCY = CostKind(
    name=names.ISO_LATENCY,
    noun="latency",
    plural="latencies",
    unit="ms",
    decimals=1,
    sources={
        (True, "latency_ms"): "published",
        (False, "latency_ms"): "measured",
        (False, "end_to_end_ms"): "measured e2e",
    },
    less=("faster", "fastest"),
    more=("slower", "slowest"),
    note="measured: latency by the paper's protocol, baseline plus added operations; measured e2e: "
    "from the image in memory to the final predictions.",
)
FLOPS = CostKind(
    name=names.ISO_FLOPS,
    noun="FLOPs",
    plural="FLOPs",
    unit="GMAC",
    decimals=3,
    sources={(False, "gmac"): "measured"},
    less=("lighter", "lightest"),
    more=("heavier", "heaviest"),
    note="FLOPs: in 10^9 multiply-accumulates of one image (GMAC), of the whole method: the "
    "network, and what the method adds.",
)
KINDS = (LATENCY, FLOPS)

PUBLISHED = ("published", 0)
"""Stands for the run of published values, which have none."""


@dataclass(frozen=True)
class IsoCost:
    """A method against the baseline at the method's own cost, in one metric.

    `cost` is the method's by `protocol`, a metric of the kind's sources; `value` is the method's
    and `baseline` the interpolated baseline's mean over the runs that all models have, `difference`
    their paired difference. Where there is no comparison, `baseline` and `difference` are None and
    `reason` says why. `contrast` has the verdict on a measured difference, in the table's headline
    metric alone.
    """

    row: Row
    column: Column
    published: bool
    protocol: str
    cost: float
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
    """A row's cost and its values run by run."""

    cost: float
    scores: Scores

    @property
    def mean(self) -> float:
        return mean_over_runs(self.scores).value


def compare_at_equal_cost(report: TableReport, kind: CostKind = LATENCY) -> tuple[IsoCost, ...]:
    """Every other method's row against the baseline at its cost, in every score.

    The baseline's models are those of the row's `from` scale and data. Rows that lack a value
    or a cost are left out; the table itself lists them. Verdicts are corrected for the number of
    all measured comparisons of the kind, by all its sources.
    """
    columns = [column for column in report.table.columns if column.source == "score"]
    results = []
    for row in report.rows:
        if row.row.method == BASELINE.name:
            continue
        own = [other for other in report.rows if _comparable(other.row, row.row)]
        for published, protocol in kind.sources:
            for column in columns:
                model = _model(row, column.metric, published, protocol)
                if model is None:
                    continue
                others = [_model(other, column.metric, published, protocol) for other in own]
                front = _front([m for m in others if m is not None], column.higher_is_better)
                results.append(_compared(kind, row.row, column, published, protocol, model, front))
    return _judged(results, report.headline)


def _comparable(other: Row, row: Row) -> bool:
    """Whether `other` is the baseline on the data of `row`: of its options, the split's alone is of
    the data, and the rest of the method."""
    ours = (row.task, row.from_scale, tuple(one for one in row.options if one == SEARCH))
    return other.method == BASELINE.name and ours == (other.task, other.from_scale, other.options)


def _model(row: RowResult, metric: str, published: bool, protocol: str) -> Model | None:
    value, cost = row.cells[metric], row.cells.get(protocol)
    if cost is None:
        return None
    if published:
        if value.published is None or cost.published is None:
            return None
        return Model(cost.published, Scores({PUBLISHED: value.published}))
    scores = row.scores.get(metric)
    if scores is None or cost.measured is None:
        return None
    return Model(cost.measured.value, scores)


def _front(models: Sequence[Model], higher_is_better: bool) -> list[Model]:
    """The Pareto front by rising cost, one model a cost."""
    sign = 1 if higher_is_better else -1
    places = pareto_front([m.cost for m in models], [sign * m.mean for m in models])
    return list({models[i].cost: models[i] for i in places}.values())


def _compared(
    kind: CostKind,
    row: Row,
    column: Column,
    published: bool,
    protocol: str,
    model: Model,
    front: list[Model],
) -> IsoCost:
    alone = IsoCost(row, column, published, protocol, model.cost, model.mean)
    reason = _out_of_range(kind, model.cost, front)
    if reason is not None:
        return replace(alone, reason=reason)
    at = interpolated(front, model.cost)
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


def _out_of_range(kind: CostKind, cost: float, front: list[Model]) -> str | None:
    name = BASELINE.label
    if not front:
        return f"no model of {name} with a value and a {kind.noun}"
    first, last = front[0].cost, front[-1].cost
    for outside, words, end in ((cost < first, kind.less, first), (cost > last, kind.more, last)):
        if outside:
            one, most = words
            at = f"{end:.{kind.decimals}f} {kind.unit}"
            return f"{one} than the front's {most} model of {name} ({at})"
    return None


def interpolated(front: Sequence[Model], cost: float) -> Scores | None:
    """The baseline run by run at `cost`, which lies within the front; None if the two models
    around it share no run."""
    costs = [model.cost for model in front]
    right = bisect_left(costs, cost)
    if costs[right] == cost:
        return front[right].scores
    below, above = front[right - 1], front[right]
    weight = (cost - below.cost) / (above.cost - below.cost)
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


def _judged(results: Sequence[IsoCost], headline: Column) -> tuple[IsoCost, ...]:
    own = {
        place: result.difference
        for place, result in enumerate(results)
        if result.difference and result.column == headline and not result.published
    }
    contrasts = judge(own, None, headline.higher_is_better)
    return tuple(
        replace(result, contrast=contrasts.get(place)) for place, result in enumerate(results)
    )
