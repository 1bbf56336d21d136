"""What is shown while the workflow runs: time left, plain lines, failures, the display."""

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("snakemake")
pytest.importorskip("rich")

from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

from tests.workflow.test_plans import jobs

ROOT = Path(__file__).parents[2]
STATS = {"world_toy": 1, "train": 4, "score": 4, "all": 1, "total": 10}
BEGUN = 1000.0


@pytest.fixture
def plugin(monkeypatch):
    """The plugin, with time under control and no thread that shows things by itself."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import snakemake_logger_plugin_lzu as plugin

    clock = SimpleNamespace(now=BEGUN)
    monkeypatch.setattr(plugin, "time", SimpleNamespace(time=lambda: clock.now))
    monkeypatch.setattr(plugin, "TICK_S", 1e6)
    return SimpleNamespace(module=plugin, clock=clock)


class Workflow:
    """Says to a handler what Snakemake says."""

    def __init__(self, plugin, logs, terminal=False, dryrun=False, durations=None):
        self.clock, self.logs = plugin.clock, logs
        common = SimpleNamespace(nocolor=True, dryrun=dryrun)
        settings = plugin.module.LogHandlerSettings(durations=durations)
        self.handler = plugin.module.LogHandler(common, settings)
        self.out = io.StringIO()
        self.handler.console = Console(
            file=self.out, width=80, height=24, force_terminal=terminal, color_system=None
        )

    def say(self, event=None, message="", level=logging.INFO, **more):
        record = logging.LogRecord("snakemake", level, "", 0, message, (), None)
        record.__dict__.update(event=event, created=self.clock.now, **more)
        if event is None:
            del record.event
        self.handler.handle(record)

    def begin(self, cores=2):
        self.say(message="Building DAG of jobs...")
        self.say(LogEvent.WORKFLOW_STARTED, "Workflow has started!")
        self.say(message="Using shell: /usr/bin/bash")
        self.say(LogEvent.RESOURCES_INFO, f"Provided cores: {cores}", cores=cores)
        self.say(LogEvent.RUN_INFO, "Job stats:\ntrain  4", stats=STATS)
        self.say(message="Select jobs to execute...")

    def start(self, jobid, rule, method=None, seed=0, threads=1):
        log = self.logs / f"{jobid}.log"
        log.unlink(missing_ok=True)
        wildcards = {"task": "toy", "method": method, "variant": "1-0.5", "seed": str(seed)}
        self.say(LogEvent.JOB_STARTED, "Execute 1 jobs...", jobs=[jobid])
        self.say(
            LogEvent.JOB_INFO, jobid=jobid, rule_name=rule, threads=threads, log=[str(log)],
            wildcards=wildcards if method else {}, resources={},
        )  # fmt: skip

    def write(self, jobid, text):
        path = self.logs / f"{jobid}.log"
        path.write_text(text)
        os.utime(path, (self.clock.now, self.clock.now))

    def finish(self, jobid):
        self.say(LogEvent.JOB_FINISHED, f"Finished jobid: {jobid}", job_id=jobid)
        self.say(LogEvent.PROGRESS, "None", done=1, total=10)

    def fail(self, jobid):
        log = [str(self.logs / f"{jobid}.log")]
        message = "RuleException:\nCalledProcessError in file"
        self.say(LogEvent.ERROR, message, logging.ERROR)
        self.say(LogEvent.JOB_ERROR, f"Error, {jobid}", logging.ERROR, jobid=jobid, log=log)

    def wait(self, seconds):
        """Time goes by, looked at each second."""
        for _ in range(int(seconds)):
            self.clock.now += 1
            with self.handler.lock:
                self.handler._show(self.clock.now)

    @property
    def left(self):
        return self.handler.estimate.seconds

    @property
    def printed(self):
        return self.out.getvalue()


@pytest.fixture
def workflow(plugin, tmp_path):
    made: list[Workflow] = []

    def make(**options):
        made.append(Workflow(plugin, tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.handler.close()


def test_time_left_is_unknown_until_a_training_says(workflow):
    run = workflow()
    run.begin()
    run.start(1, "world_toy", threads=2)
    run.wait(10)
    run.finish(1)
    assert run.left is None
    run.start(2, "train", "uniform")
    run.start(3, "train", "lzu_fixed")
    run.wait(10)
    assert run.left is None
    run.write(2, "a warning\ntoy uniform 1-0.5 seed0:  10 %  loss 4.7  0.1 s/it  1.5 min left\n")
    run.wait(1)
    # four trainings of 101 s on two cores, of which 11 s are done; the scores are short
    assert run.left == pytest.approx(2 * 101 - 11, abs=15)


def test_time_left_follows_the_mean_of_what_finished_and_the_cores(workflow):
    run = workflow()
    run.begin()
    for jobid, seed in ((2, 0), (3, 1)):
        run.start(jobid, "train", "uniform", seed)
    run.wait(100)
    run.finish(2)
    run.finish(3)
    run.start(4, "train", "uniform", 2)
    run.start(5, "train", "uniform", 3)
    run.wait(50)
    # another 50 s for both; four scores, unknown and short, and the world
    assert 50 < run.left < 75
    assert 65 < run.handler.estimate.percent < 80


def test_time_left_and_percentage_do_not_jump(workflow):
    run = workflow()
    run.begin()
    run.start(2, "train", "uniform")
    run.wait(5)
    run.write(2, "toy uniform:   5 %  9.0 min left\n")
    run.wait(2)
    before, percent = run.left, run.handler.estimate.percent
    run.write(2, "toy uniform:  10 %  2.0 min left\n")
    run.wait(1)
    assert before - 0.1 * before < run.left < before
    run.write(2, "toy uniform:  10 %  60.0 min left\n")
    run.wait(60)
    assert run.left > 60 * 60
    assert run.handler.estimate.percent >= percent


def test_a_job_that_takes_all_cores_counts_alone(workflow):
    run = workflow()
    run.begin(cores=4)
    run.start(1, "world_toy", threads=4)
    run.start(2, "train", "uniform", threads=3)
    run.start(3, "train", "uniform", threads=1)
    assert [job.share for job in run.handler.estimate.jobs.values()] == [1, 1, 1 / 4]


def test_durations_are_remembered(workflow, tmp_path):
    path = tmp_path / "results" / "durations.json"
    for known in (False, True):
        run = workflow(durations=path)
        run.begin()
        run.start(2, "train", "uniform")
        run.wait(5)
        assert (run.left is not None) == known
        run.wait(35)
        run.finish(2)
        run.handler.close()
        assert json.loads(path.read_text()) == {"train toy uniform 0.5": 40.0}


def test_plain_lines_are_few_and_tell_what_runs(workflow):
    run = workflow()
    run.begin()
    run.start(2, "train", "uniform")
    run.start(3, "train", "lzu_fixed", 1)
    run.wait(60)
    run.finish(2)
    run.wait(200)
    lines = run.printed.splitlines()
    assert 3 <= len(lines) <= 20
    assert " · 1 of 10 jobs · " in lines[-1]
    assert lines[-1].endswith("min left · running: train lzu_fixed 1-0.5 seed1")
    for chatter in ("Building", "shell", "Select", "Execute", "started", "Provided", "None"):
        assert chatter not in run.printed


def test_an_hour_in_which_little_happens_fills_no_log(workflow):
    run = workflow()
    run.begin()
    run.start(2, "train", "uniform")
    run.wait(20)
    run.write(2, "toy:  1 %  6000.0 min left\n")
    run.wait(3600)
    assert len(run.printed.splitlines()) <= 8


def test_a_failure_is_told_once_with_the_end_of_its_log(workflow, tmp_path):
    run = workflow()
    run.begin()
    run.start(2, "train", "uniform")
    run.write(2, "".join(f"line {n}\n" for n in range(99)) + "lzu: the loss is nan\n")
    run.wait(10)
    run.fail(2)
    run.fail(2)
    run.say(message="Exiting because a job execution failed. Look above", level=logging.ERROR)
    run.say(LogEvent.ERROR, "WorkflowError:\nAt least one job did not complete successfully.",
            logging.ERROR)  # fmt: skip
    run.handler.close()
    log = tmp_path / "2.log"
    assert run.printed.count("FAILED: train uniform 1-0.5 seed0, after 10 s") == 1
    assert run.printed.count("lzu: the loss is nan") == 1
    assert "line 98" in run.printed
    assert "line 50" not in run.printed
    assert "Stopped: 0 of 10 jobs, 1 failed in 10 s" in run.printed
    assert run.printed.rstrip().endswith(f"failed: train uniform 1-0.5 seed0, see {log}")
    for word in ("RuleException", "Exiting", "WorkflowError"):
        assert word not in run.printed


def test_what_ctrl_c_ends_is_no_failure(workflow):
    run = workflow()
    run.begin()
    run.start(2, "train", "uniform")
    run.say(message="Terminating processes on user request, this might take some time.")
    run.fail(2)
    run.say(LogEvent.ERROR, "WorkflowError:\nAt least one job did not complete successfully.",
            logging.ERROR)  # fmt: skip
    run.handler.close()
    assert run.printed == "Interrupted: 0 of 10 jobs in 0 s\n"


def test_what_is_tried_again_is_no_failure(workflow):
    run = workflow()
    run.begin()
    run.start(2, "train", "uniform")
    run.fail(2)
    run.start(2, "train", "uniform")
    run.wait(1)
    run.finish(2)
    assert run.handler.estimate.count() == (1, 0, 10)


def test_other_errors_and_warnings_are_told(workflow):
    run = workflow()
    run.say(message="Nothing to be done (all requested files are present and up to date).")
    run.say(message="a file is missing", level=logging.WARNING)
    run.say(LogEvent.ERROR, "MissingOutputException: x", logging.ERROR)
    assert len(run.printed.splitlines()) == 3


def test_the_terminal_shows_bar_time_left_and_jobs_in_80_columns(workflow):
    run = workflow(terminal=True)
    run.begin()
    run.start(2, "train", "lzu_adaptive_no_cascade")
    run.write(2, "toy lzu 1-0.5 seed0:  66 %  iteration 2/3  loss 4.735  0.12 s/iteration  "
              "0.5 min left\n")  # fmt: skip
    run.start(3, "score", "uniform")
    run.finish(3)
    run.wait(10)
    shown = Console(file=io.StringIO(), width=80, height=24)
    shown.print(run.handler.display(run.clock.now))
    lines = [line.rstrip() for line in shown.file.getvalue().splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].endswith("about 1 min left")
    assert "1 of 10 jobs" in lines[0]
    assert lines[1].startswith("  train lzu_adaptive_no_cascade 1-0.5 seed0  66 %  0.5 min left ")
    assert lines[2] == "  done: score uniform 1-0.5 seed0 (0 s)"
    run.handler.close()
    assert run.printed.rstrip().endswith("Stopped: 1 of 10 jobs in 10 s")


def test_a_dry_run_tells_what_would_run(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "published").symlink_to(ROOT / "results" / "published")
    command = [Path(sys.executable).with_name("snakemake"), "-n", "--logger", "lzu"]
    command += ["--snakefile", ROOT / "Snakefile", "--directory", tmp_path]
    command += ["--configfile", ROOT / "config" / "smoke.yaml"]
    paths = [str(ROOT / "tools"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found = jobs(done.stdout)
    assert found["score"] == found["predict"] > found["train"] > 10
    assert done.stdout.rstrip().endswith("A dry run: nothing was started.")
    assert "Select jobs" not in done.stdout + done.stderr
