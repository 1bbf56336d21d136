"""What a task is: facts that load without torch, and the names of the functions of its steps."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lzu.errors import UserError
from lzu.experiments.run import Run
from lzu.experiments.settings import TaskSettings
from lzu.experiments.tables import Table

if TYPE_CHECKING:
    from lzu.experiments.context import Context

Schema = Mapping[str, Any]
Files = Mapping[Path, str | None]


@dataclass(frozen=True)
class DatasetFacts:
    """The data that a task is on.

    Attributes:
        name: of its folder and in result files; `label` in texts.
        where: where to get it, and in which layout, for the message that it is missing.
        state: a cheap summary of the raw files of (root, split), without reading them: it changes
            when they do.
    """

    name: str
    label: str
    where: str
    state: Callable[[str, str], Any]


@dataclass(frozen=True)
class PriorSpec:
    """A fixed prior: `name` (a file's stem, from which no other prior's differs), the `split` that
    it is made of, and the settings that it is made with."""

    name: str
    split: str
    settings: Any


@dataclass(frozen=True)
class StageSpec:
    """A model that runs need trained before them: by the step `stage`, on `split`, with a `seed`.

    `name` is a file's stem, from which no other's of the stage differs, and `settings` are those
    that it is made with.
    """

    stage: str
    name: str
    split: str
    seed: int
    settings: Any


@dataclass(frozen=True)
class Picture:
    """A picture of frames, made by a step of its own.

    Attributes:
        name: of the step (`lzu NAME`).
        category: in the report.
        files: context -> file -> its caption's name in workflow/report/ (None: the report does not
            show it); empty: the suite has no such picture.
        runs: context -> the runs whose trained weights it needs.
        predicted: context -> those whose predictions it needs.
        params: context -> the settings that it reads.
        prior: whether it shows the task's prior.
        of_run: whether it is drawn of the first of its `runs`, if it has any; else of the task.
    """

    name: str
    category: str
    files: "Callable[[Context], Files]"
    runs: "Callable[[Context], tuple[Run, ...]]" = lambda context: ()
    predicted: "Callable[[Context], tuple[Run, ...]]" = lambda context: ()
    params: "Callable[[Context], Any]" = lambda context: None
    prior: bool = False
    of_run: bool = True


@dataclass(frozen=True)
class Unit:
    """A unit in which the edges of bins are given.

    Attributes:
        name: in tables.
        key: of the bins in result files, among the task's extras; `lower`: of their lower edges.
        label: on a figure's axis, whose edges are `factor` times those of the files.
        sign: ends the names of its metrics ("AP[0,8)/H"), so that units are told apart.
    """

    name: str
    key: str
    lower: str
    label: str
    sign: str = ""
    factor: float = 1


@dataclass(frozen=True)
class Bins:
    """A comparison beyond the paper: a metric by bins of some quantity.

    In result files each bin has a value under `metric` (null where nothing is counted) and a number
    under `count`; the last bin is open.

    Attributes:
        name: of its files, and of its caption in workflow/report/.
        metric: in result files; `label` in figures.
        count: what is counted, as "boxes".
        quantity: in texts; `axis` on a figure's axis, before the unit.
        units: those that results may have; of several the last one is drawn.
    """

    name: str
    metric: str
    label: str
    count: str
    quantity: str
    axis: str
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Task:
    """The facts of a task. What it does is in the functions that `steps` names (torch, mm*).

    Attributes:
        name: in settings, paths and result files; `title` in texts.
        settings: the type of its block in a suite file.
        dataset: the data.
        tables: the paper's tables that it fills.
        runs: (settings, suite) -> table's name -> the runs that the suite plans for it. Those of
            the first table are timed, too.
        metrics: JSON schema of the `metrics` block of its result files.
        extras: key -> JSON schema of what else its result files may have.
        check_extras: content of a result file -> what does not fit together in them, or None.
        scale_label: how a scale is written in its tables.
        prior_of: (settings, run) -> the prior that the run zooms by; None if it has none.
        identity: (settings, run) -> what else than the shared settings its weights depend on.
        not_trained: keys of its block that bear on no weights, beside the shared ones.
        parts: names of the two parts of the training set that its step `split` makes, what a model
            is trained on and what it is then looked at on; empty: it splits nothing.
        split_rule: settings -> what the split follows from; None: these settings ask for none.
        trains_on: (settings, run) -> the name of the data that it is trained on.
        stage_of: (settings, run) -> what is trained before it, by a step of its own; None: nothing.
        scope: the mm* package whose registries it uses.
        pictures: those of frames.
        comparisons: names of the comparisons beyond the paper that its first table is shown in
            ("iso_latency", "iso_flops"; see lzu.report).
        bins: of the comparisons of that table by bins.
        named: key among its extras -> the score that each name in it has; in tables "SCORE_NAME".
        steps: step -> `module:function`, imported when it is called for.
    """

    name: str
    title: str
    settings: type[TaskSettings]
    dataset: DatasetFacts
    tables: tuple[Table, ...]
    runs: Callable[[Any, str], Mapping[str, list[Run]]]
    metrics: Schema
    prior_of: Callable[[Any, Run], PriorSpec | None]
    steps: Mapping[str, str]
    scope: str
    extras: Mapping[str, Schema] = field(default_factory=dict)
    check_extras: Callable[[dict[str, Any]], str | None] = lambda value: None
    scale_label: Callable[[float], str] = "{:g}x".format
    identity: Callable[[Any, Run], dict[str, Any]] = lambda settings, run: {}
    not_trained: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    split_rule: Callable[[Any], Any] = lambda settings: None
    trains_on: Callable[[Any, Run], str] = lambda settings, run: run.split("train")
    stage_of: Callable[[Any, Run], StageSpec | None] = lambda settings, run: None
    pictures: tuple[Picture, ...] = ()
    comparisons: tuple[str, ...] = ("iso_latency",)
    bins: tuple[Bins, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)

    def step(self, name: str) -> Callable[..., Any]:
        """Import the function of a step; UserError if the task has no such step."""
        if name not in self.steps:
            raise UserError(f"{self.name} has no step {name!r}; it has: {', '.join(self.steps)}")
        module, _, function = self.steps[name].partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return found
