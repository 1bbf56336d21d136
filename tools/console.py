"""Runs the long commands of the set-up: full output to a log file, progress to the terminal."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TERMINAL_INTERVAL_S = 0.5
PLAIN_INTERVAL_S = 15.0


class SetupError(Exception):
    """Something that a person has to mend; the message is one line and says what."""


class Progress:
    """One line of status: rewritten in place on a terminal, repeated now and then in a file."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.start = time.monotonic()
        self.terminal = sys.stdout.isatty()
        self.shown = 0.0
        self.show("", force=True)

    def show(self, status: str, force: bool = False) -> None:
        now = time.monotonic()
        interval = TERMINAL_INTERVAL_S if self.terminal else PLAIN_INTERVAL_S
        if not force and now - self.shown < interval:
            return
        self.shown = now
        text = f"{self.label} {status}".rstrip() + f"  {now - self.start:.0f} s"
        print(f"\r\x1b[2K{text}" if self.terminal else text, end="", flush=True)
        if not self.terminal:
            print(flush=True)

    def done(self) -> None:
        self.show("done", force=True)
        if self.terminal:
            print(flush=True)


def run_logged(
    command: Sequence[str],
    *,
    label: str,
    log: Path,
    status: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Runs a command; `status` is a regular expression whose first group is shown as progress.

    Raises SetupError with the command's own error lines and the log's path when it fails.
    """
    progress = Progress(label)
    pattern = re.compile(status)
    errors: list[str] = []
    count = 0
    with log.open("a") as file:
        file.write(f"\n$ {' '.join(command)}\n")
        file.flush()
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=env,
            cwd=cwd,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                file.flush()
                if found := pattern.search(line):
                    count += 1
                    progress.show(found.group(1) if found.group(1) else str(count))
                if re.match(r"\s*(ERROR:|.*\berror:)|.*No space left", line, re.IGNORECASE):
                    errors.append(line.strip())
    if process.returncode != 0:
        print(flush=True)
        reason = " | ".join(errors[:3]) or f"exit status {process.returncode}"
        raise SetupError(f"{label} failed: {reason[:600]} (full log: {log})")
    progress.done()
