"""A display for Snakemake: progress with the time left, the jobs that run, and failures.

    PYTHONPATH=tools snakemake --logger lzu ...

On a terminal it is rewritten in place; elsewhere a line is printed now and then. What the scheduler
says goes to Snakemake's own log in .snakemake/log alone.
"""

import json
import logging
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

from snakemake_logger_plugin_lzu.estimate import Estimate, Job

TICK_S = 1.0
# Without a terminal: a line at each step of so many percent, or if something changed, or to say
# that all is well; so a run of days fills no log.
STEP, STEP_S, CHANGE_S, SILENCE_S = 5, 5.0, 30.0, 600.0
LOG_LINES = 15
CHATTER = re.compile(
    r"Building DAG|Using (shell|workflow specific profile|profile)|Assuming unrestricted|host: |"
    r"(Conda|Singularity).*: ignored|Config file .* extended|"
    # of a failed job, which is told with its log
    r"Exiting because a job execution failed|RuleException:\nCalledProcessError"
)
FAILED = "At least one job did not complete successfully."
# Ctrl-C reaches the jobs too, whose end is no failure then.
INTERRUPTED = re.compile(r".*(on user request|Signals.SIGINT|exit status 130)", re.DOTALL)
STOPPING = "Will exit after finishing currently running jobs"


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """What can be given as --logger-lzu-..."""

    durations: Path | None = field(
        default=None,
        metadata={"help": "JSON file that remembers how long jobs took", "type": Path},
    )


class LogHandler(LogHandlerBase):
    """Shows a run of the workflow."""

    writes_to_stream = has_filter = has_formatter = True
    writes_to_file = needs_rulegraph = False

    def __post_init__(self) -> None:
        # Not to standard error, where Python and Snakemake's own start print as they like.
        self.console = Console(file=sys.stdout, no_color=self.common_settings.nocolor or None)
        self.estimate = Estimate(getattr(self.settings, "durations", None))
        self.live: Live | None = None
        self.ticker: threading.Thread | None = None
        self.stopped = threading.Event()
        self.interrupted = False
        self.news = Text()
        self.said_at, self.said_percent = 0.0, 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take what Snakemake says."""
        try:
            self._take(record)
        except Exception:
            # Otherwise the thread that hands on the records would end without a word.
            self.handleError(record)

    def _take(self, record: logging.LogRecord) -> None:
        event, message = getattr(record, "event", None), record.getMessage()
        estimate, dryrun = self.estimate, self.common_settings.dryrun
        self.interrupted |= event != LogEvent.JOB_INFO and bool(INTERRUPTED.match(message))
        if event == LogEvent.RUN_INFO and not estimate.planned:
            estimate.planned = {rule: n for rule, n in record.stats.items() if rule != "total"}
            estimate.begun = self.said_at = record.created
            if dryrun:
                self.say(f"{message.strip()}\n\nA dry run: nothing was started.")
            else:
                self._begin()
        elif event == LogEvent.RESOURCES_INFO:
            given = {f"_{name}": getattr(record, name, None) for name in ("cores", "nodes")}
            given |= dict(getattr(record, "provided_resources", {}).items())
            estimate.limits |= {k: n for k, n in given.items() if isinstance(n, int) and n > 0}
        elif event == LogEvent.JOB_INFO and not dryrun:
            estimate.start(record)
        elif event == LogEvent.JOB_FINISHED:
            job = estimate.end(record.job_id, record.created)
            if job is not None:
                took = duration(job.ended - job.started)
                self.news = Text(f"  done: {self.label(job)} ({took})", "dim")
        elif event == LogEvent.JOB_ERROR:
            job = estimate.end(record.jobid, record.created, failed=True)
            if job is not None and self.interrupted:
                del estimate.jobs[record.jobid]
            elif job is not None:
                self._failure(job, record.log or [])
        elif event in (None, LogEvent.ERROR) and not CHATTER.match(message):
            # Before a plan is known the messages are few, and some say why there will be none.
            told = not estimate.planned or record.levelno >= logging.WARNING or STOPPING in message
            # That jobs failed was told with their logs, and that it was interrupted will be.
            known = FAILED in message and (self.interrupted or estimate.count()[1])
            if told and not known:
                self.say(message, "red" if record.levelno >= logging.ERROR else "")
        if self.ticker is not None:
            self._show(time.time())

    def _begin(self) -> None:
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.start()
        self.ticker = threading.Thread(target=self._tick, daemon=True)
        self.ticker.start()

    def _tick(self) -> None:
        while not self.stopped.wait(TICK_S):
            with self.lock:
                self._show(time.time())

    def _show(self, now: float) -> None:
        """Bring what is shown up to date."""
        self.estimate.update(now)
        if self.live is not None:
            self.live.update(self.display(now), refresh=True)
            return
        since, percent = now - self.said_at, self.estimate.percent
        step = percent // STEP > self.said_percent // STEP
        changed = percent > self.said_percent
        if (step and since >= STEP_S) or (changed and since >= CHANGE_S) or since >= SILENCE_S:
            self.say(self.line(now))
            self.said_at, self.said_percent = now, percent

    def say(self, message: str, style: str = "") -> None:
        """Print lines that stay."""
        self.console.print(Text(message, style), soft_wrap=True)

    def _words(self, now: float) -> list[str]:
        done, failed, total = self.estimate.count()
        jobs = f"{done} of {total} jobs" + (f", {failed} failed" if failed else "")
        took = duration(now - self.estimate.begun)
        return [f"{self.estimate.percent} %", jobs, took, about(self.estimate.seconds)]

    def _running(self) -> list[Job]:
        return [job for job in self.estimate.jobs.values() if job.ended is None]

    def line(self, now: float) -> str:
        """The progress as one line."""
        running = self._running()
        names = ", ".join(map(self.label, running[:4]))
        more = f" and {len(running) - 4} more" if len(running) > 4 else ""
        return " · ".join([*self._words(now), *([f"running: {names}{more}"] if names else [])])

    def display(self, now: float) -> Group:
        """The progress as it stands on a terminal."""
        head = Table.grid("", "", "", "", "", padding=(0, 2, 0, 0), expand=True)
        head.columns[0].ratio = 1
        head.add_row(ProgressBar(completed=self.estimate.percent), *self._words(now))
        table = Table.grid("", "", "", padding=(0, 2, 0, 0), expand=True)
        table.columns[1].ratio, table.columns[2].justify = 1, "right"
        for column in (*head.columns, *table.columns):
            column.no_wrap, column.overflow = True, "ellipsis"
        running, rows = self._running(), max(1, self.console.height - 5)
        notes = [short(job.progress()[0], self.console.width) for job in running[:rows]]
        # Before what a job tells is cut, its name is.
        times = [duration(now - job.started) for job in running[:rows]]
        taken = max(map(len, [*notes, ""])) + max(map(len, [*times, ""])) + 4
        table.columns[0].max_width = max(20, self.console.width - taken)
        for job, note, took in zip(running, notes, times, strict=False):
            table.add_row(f"  {self.label(job)}", Text(note, "cyan"), took)
        if len(running) > rows:
            table.add_row(f"  and {len(running) - rows} more")
        self.news.truncate(self.console.width, overflow="ellipsis")
        return Group(head, table, self.news)

    def label(self, job: Job) -> str:
        """A job in words: its rule, and what it is made for."""
        several = sum(rule.startswith("collect") for rule in self.estimate.planned) > 1
        values = {k: v for k, v in job.wildcards.items() if k != "task" or several}
        return " ".join([job.rule, *(f"seed{v}" if k == "seed" else v for k, v in values.items())])

    def _failure(self, job: Job, logs: list[str]) -> None:
        self.news = Text(f"  failed: {self.label(job)}", "red")
        self.say(f"FAILED: {self.label(job)}, after {duration(job.ended - job.started)}", "red")
        for path in logs:
            try:
                lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError as error:
                lines = [f"cannot be read: {error}"]
            self.say(f"  {path} ends:", "red")
            self.say("\n".join(f"    {line}" for line in lines[-LOG_LINES:]) or "    (empty)")

    def close(self) -> None:
        """Say how it ended, once."""
        if self.ticker is not None and not self.stopped.is_set():
            self.stopped.set()
            self.ticker.join()
            if self.live is not None:
                self.live.stop()
            _, jobs, took, _ = self._words(time.time())
            done, _, total = self.estimate.count()
            how = "Done" if done == total else "Interrupted" if self.interrupted else "Stopped"
            self.say(f"{how}: {jobs} in {took}")
            for job in self.estimate.jobs.values():
                if job.failed:
                    self.say(f"  failed: {self.label(job)}, see {', '.join(job.logs)}", "red")
            if self.estimate.durations is not None and (measured := self.estimate.measured()):
                from lzu.files import write_text

                kept = json.dumps(self.estimate.remembered | measured, indent=1)
                write_text(self.estimate.durations, kept)
        super().close()


def short(line: str, width: int) -> str:
    """What fits beside a job of its line of progress."""
    parts = (r"\d+ %", *([r"loss [\d.]+"] if width >= 100 else []), r"[\d.]+ min left")
    return "  ".join(found[0] for part in parts if (found := re.search(part, line)))


def duration(seconds: float) -> str:
    """Seconds as people say it."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 3570:
        return f"{seconds / 60:.1f} min"
    return f"{round(seconds / 60) // 60} h {round(seconds / 60) % 60:02d} min"


def about(seconds: float | None) -> str:
    """The time left as people say it."""
    if seconds is None:
        return "time left unknown"
    if seconds < 45:
        return "less than 1 min left"
    rounded = f"{seconds / 60:.0f} min" if seconds < 3570 else duration(seconds)
    return f"about {rounded} left"
