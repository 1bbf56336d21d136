"""How far a run of the workflow is and how long it will still take, from what Snakemake tells."""

import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# How long jobs take beside each other, for rules that were never seen to finish.
USUAL = defaultdict(lambda: 5.0, {"train": 100.0, "predict": 20.0, "time": 20.0, "all": 0.0})
# The time left is told from here on, and only if half of it is of rules with a known duration.
FIRST_S, KNOWN_SHARE = 3.0, 0.5
# How fast what is shown follows the estimate.
SETTLING_S = 20.0


@dataclass
class Job:
    """A job that was started; `share` is the part of the machine that it takes."""

    rule: str
    wildcards: Mapping[str, str]
    logs: list[str]
    share: float
    started: float
    ended: float | None = None
    failed: bool = False

    @property
    def group(self) -> str:
        """Jobs that take about equally long: of one rule, task, method, scale and kind of run."""
        found = re.match(r"[^-]*-([^/]*)(.*)", self.wildcards.get("variant", ""))
        if found is None:
            return self.rule
        kind = re.sub(r"=[^,]*", "", found[2])
        words = self.rule, self.wildcards.get("task"), self.wildcards.get("method"), found[1] + kind
        return " ".join(filter(None, words))

    def progress(self) -> tuple[str, float]:
        """The last line of its log that tells how far it is, or nothing; when it was written."""
        for path in self.logs:
            try:
                with open(path, "rb") as file:
                    about = os.stat(file.fileno())
                    file.seek(max(0, about.st_size - 4096))
                    lines = re.split(r"[\r\n]+", file.read().decode(errors="replace"))
            except OSError:
                continue
            if about.st_mtime >= self.started - 0.1:  # else of an earlier attempt
                return next((s for s in lines[::-1] if re.search(r"\d %", s)), ""), about.st_mtime
        return "", 0.0

    def left(self, now: float) -> float | None:
        """Seconds left, if its log says so."""
        line, at = self.progress()
        found = re.search(r"([\d.]+) min left", line)
        return max(0.0, 60 * float(found[1]) + min(0.0, at - now)) if found else None


class Estimate:
    """The jobs of a run, and the time left. Times are seconds since the epoch."""

    def __init__(self, durations: Path | None = None) -> None:
        self.durations = durations
        try:
            self.remembered = json.loads(Path(durations or "").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.remembered = {}
        self.planned: dict[str, int] = {}
        self.limits: dict[str, int] = {}
        self.jobs: dict[int, Job] = {}
        self.begun = self.at = 0.0
        self.percent = 0
        self.seconds: float | None = None

    def start(self, record: Any) -> None:
        """A job starts, or starts once more."""
        needs = {**dict(record.resources.items()), "_cores": record.threads, "_nodes": 1}
        # Of three cores a job with two leaves none that another such job could use.
        shares = [
            1 / max(1, limit // needs[name])
            for name, limit in self.limits.items()
            if isinstance(needs.get(name), int) and needs[name] > 0
        ]
        self.jobs[record.jobid] = Job(
            record.rule_name,
            record.wildcards or {},
            list(record.log or []),
            max(shares, default=1.0),
            record.created,
        )

    def end(self, jobid: int, now: float, failed: bool = False) -> Job | None:
        """A job ends; None if that is known."""
        job = self.jobs.get(jobid)
        if job is None or job.ended is not None:
            return None
        job.ended, job.failed = now, failed
        return job

    def count(self) -> tuple[int, int, int]:
        """How many jobs have succeeded, have failed for good, and there are."""
        ended = [job.failed for job in self.jobs.values() if job.ended is not None]
        return ended.count(False), ended.count(True), sum(self.planned.values())

    def measured(self) -> dict[str, float]:
        """Group -> mean duration of what has finished."""
        found = defaultdict(list)
        for job in self.jobs.values():
            if job.ended is not None and not job.failed:
                found[job.group].append(job.ended - job.started)
        return {group: round(sum(took) / len(took), 2) for group, took in found.items()}

    def update(self, now: float) -> None:
        """Estimate anew: sets `percent`, and `seconds` that are left, None for unknown."""
        running = [job for job in self.jobs.values() if job.ended is None]
        told = {id(job): left for job in running if (left := job.left(now)) is not None}
        known = {
            **self.remembered,
            **{job.group: now - job.started + told[id(job)] for job in running if id(job) in told},
            **self.measured(),
        }
        rules = defaultdict(list)
        for group, seconds in known.items():
            rules[group.split()[0]].append(seconds)
        means = {rule: sum(took) / len(took) for rule, took in rules.items()}
        usual = sum(USUAL[rule.split("_")[0]] for rule in means)
        scale = sum(means.values()) / usual if usual else 1.0

        def expected(rule: str) -> float:
            return means.get(rule, scale * USUAL[rule.split("_")[0]])

        items: list[tuple[str, float, float]] = []  # rule, seconds left, share
        for job in running:
            elapsed = now - job.started
            guess = max(known.get(job.group, expected(job.rule)) - elapsed, 0.1 * elapsed)
            items.append((job.rule, told.get(id(job), guess), job.share))
        slots = min([1000, *(self.limits[n] for n in ("_cores", "_nodes") if n in self.limits)])
        for rule, planned in self.planned.items():
            shares = [job.share for job in self.jobs.values() if job.rule == rule]
            alone = rule.startswith("time")  # so that nothing disturbs it
            share = shares[-1] if shares else 1.0 if alone else 1 / slots
            items += [(rule, expected(rule), share)] * (planned - len(shares))
        work = sum(seconds * share for _, seconds, share in items)
        sure = sum(seconds * share for rule, seconds, share in items if rule in means)
        spent = sum(((job.ended or now) - job.started) * job.share for job in self.jobs.values())
        # Never backwards, and not complete before it is.
        part = min(99, int(100 * spent / max(spent + work, 1e-9))) if items else 100
        self.percent = max(self.percent, part)
        left = max([work, *(seconds for _, seconds, _ in items)])
        if self.seconds is None:
            if now - self.begun >= FIRST_S and sure >= KNOWN_SHARE * work:
                self.seconds = left
        else:
            # It runs down with the clock and drifts to the estimate, so that it does not jump.
            shown, keep = self.seconds + self.at - now, math.exp((self.at - now) / SETTLING_S)
            self.seconds = max(0.0, left + (shown - left) * keep)
        self.at = now
