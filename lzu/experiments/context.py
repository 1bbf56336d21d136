"""A task within a suite: what every step is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lzu.errors import UserError
from lzu.experiments.paths import Paths, TaskPaths
from lzu.experiments.run import SEARCH, Run
from lzu.experiments.suite import Suite
from lzu.experiments.tables import Table
from lzu.experiments.task import PriorSpec, StageSpec, Task


@dataclass(frozen=True)
class Context:
    """A task with its settings, its plan and its files in one suite below `results`."""

    suite: Suite
    task: Task
    results: Path = Path("results")

    @cached_property
    def settings(self) -> Any:
        """The task's block of settings, of type `task.settings`."""
        return self.suite.block(self.task.name)

    @cached_property
    def paths(self) -> TaskPaths:
        """The task's files."""
        return TaskPaths(Paths(self.suite, self.results), self.task.name, self.task.dataset.name)

    @cached_property
    def plan(self) -> Mapping[str, list[Run]]:
        """Table's name -> its planned runs; tables without any are left out."""
        planned = self.task.runs(self.settings, self.suite.suite)
        return {name: list(dict.fromkeys(runs)) for name, runs in planned.items() if runs}

    @cached_property
    def runs(self) -> list[Run]:
        """All runs that are scored, each once.

        A run from another scale than 1 is scored with the weights of another (see `Run.trained`),
        which is among them.
        """
        return list(dict.fromkeys(run for runs in self.plan.values() for run in runs))

    @property
    def tables(self) -> list[Table]:
        """The tables that the suite fills."""
        return [table for table in self.task.tables if table.name in self.plan]

    @property
    def main_runs(self) -> list[Run]:
        """The runs of the task's first table."""
        return self.plan.get(self.task.tables[0].name, [])

    @property
    def timed_runs(self) -> list[Run]:
        """One run a method and scale of the first table: that of its first seed."""
        first: dict[tuple[str, str], Run] = {}
        for run in self.main_runs:
            first.setdefault((run.method, run.variant), run)
        return list(first.values())

    def prior_of(self, run: Run) -> PriorSpec | None:
        """The prior that a run zooms by; None if it has none."""
        return self.task.prior_of(self.settings, run)

    @cached_property
    def priors(self) -> list[PriorSpec]:
        """All priors that planned runs zoom by, each once."""
        specs = (self.prior_of(run) for run in self.runs)
        found = {(spec.split, spec.name): spec for spec in specs if spec is not None}
        return list(found.values())

    def find_prior(self, split: str, name: str) -> PriorSpec:
        """The planned prior of a split and name; UserError if there is none."""
        for spec in self.priors:
            if (spec.split, spec.name) == (split, name):
                return spec
        known = ", ".join(f"{spec.split}/{spec.name}" for spec in self.priors) or "none"
        raise UserError(f"no planned run zooms by the prior {split}/{name}; there are: {known}")

    @cached_property
    def main_prior(self) -> PriorSpec | None:
        """The prior of the first table's runs; None if none of them has one."""
        return next((spec for run in self.main_runs if (spec := self.prior_of(run))), None)

    def trains_on(self, run: Run) -> str:
        """The name of the data that a run is trained on."""
        return self.task.trains_on(self.settings, run)

    def stage_of(self, run: Run) -> StageSpec | None:
        """What is trained before a run; None if nothing is."""
        return self.task.stage_of(self.settings, run)

    @cached_property
    def stages(self) -> list[StageSpec]:
        """All that is trained before planned runs, each once."""
        specs = (self.stage_of(run) for run in self.runs)
        return list({(s.stage, s.name, s.seed): s for s in specs if s is not None}.values())

    def find_stage(self, name: str, seed: int) -> StageSpec:
        """The planned stage of a name and seed; UserError if there is none."""
        for spec in self.stages:
            if (spec.name, spec.seed) == (name, seed):
                return spec
        known = ", ".join(f"{spec.name} (seed {spec.seed})" for spec in self.stages) or "none"
        raise UserError(f"no planned run needs {name} (seed {seed}) before it; there are: {known}")

    def followed_splits(self) -> set[str]:
        """The data's splits whose frames some run follows in their order: "train", "val" or none.

        A search validates on a part of the training set.
        """
        followed = [run for run in self.runs if run.about.follows_frames]
        return {"train" if SEARCH in run.options else "val" for run in followed}

    def require(self, run: Run) -> Run:
        """`run`, if the suite plans it; UserError if not."""
        if run not in self.runs:
            raise UserError(
                f"suite {self.suite.suite} does not plan {run.path}; add its method, scale, "
                "options and seed to the suite file"
            )
        return run


def contexts(suite: Suite, tasks: Mapping[str, Task], results: Path) -> dict[str, Context]:
    """A context for each task that the suite has."""
    return {name: Context(suite, tasks[name], results) for name in suite.tasks}
