"""What is there of each planned run: made, kept, stale (and why), or missing."""

from collections import Counter
from dataclasses import dataclass

from lzu.errors import UserError
from lzu.experiments.context import Context
from lzu.experiments.run import Run
from lzu.files import read_json
from lzu.results.keep import kept_runs
from lzu.results.provenance import git_state
from lzu.results.schema import read_metrics
from lzu.results.stamps import fingerprint, stamp


@dataclass(frozen=True)
class State:
    """A run's state: "made", "kept", "stale" or "missing"; `why` says what is stale or missing.

    `other_code`: the commit that it was trained or scored with, if that is not today's.
    """

    run: Run
    state: str
    why: str = ""
    other_code: str | None = None


def states(context: Context) -> list[State]:
    """The state of every planned run of a task, in the order of the plan."""
    commit, _ = git_state()
    kept = kept_runs(context)
    return [_state(context, run, run in kept, commit) for run in context.runs]


def _state(context: Context, run: Run, kept: bool, commit: str | None) -> State:
    path = context.paths.run(run, "metrics.json")
    if not path.is_file():
        if kept:
            return State(run, "kept", "in results/measured/ with an equal stamp")
        return State(run, "missing", _missing(context, run))
    try:
        content = read_metrics(path, context.task)
        mark, data = stamp(context, run), fingerprint(context, run.split("val"))
    except UserError as error:
        return State(run, "stale", str(error))
    commits = {one["git_commit"] for one in content["provenance"].values()}
    other = next((c[:12] for c in sorted(c for c in commits if c) if c != commit), None)
    if content["stamp"] != mark:
        return State(run, "stale", "settings, data or prior have changed since", other)
    if content["dataset"]["fingerprint"] != data:
        return State(run, "stale", "the validation data has changed since", other)
    return State(run, "made", "", other)


def _missing(context: Context, run: Run) -> str:
    """The first step that has to be done."""
    record = context.paths.run(run.trained, "train.json")
    if not record.is_file():
        return "not trained"
    try:
        if read_json(record).get("stamp") != stamp(context, run):
            return "trained with other settings, data or prior"
    except UserError as error:
        return str(error)
    predicted = context.paths.run(run, "predictions.json").is_file()
    return "not scored" if predicted else "not predicted"


def print_states(context: Context) -> None:
    """Print every planned run of a task and its state, and how many there are of each."""
    found = states(context)
    print(f"{context.suite.suite}, {context.task.name}:")
    for one in found:
        why = f": {one.why}" if one.why else ""
        code = f" (code of {one.other_code})" if one.other_code else ""
        run = one.run
        print(f"  {one.state:8} {run.method} {run.variant} seed{run.seed}{why}{code}")
    counts = Counter(one.state for one in found)
    print("  " + ", ".join(f"{n} {name}" for name, n in counts.items()))
