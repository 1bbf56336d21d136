"""Writes what the study found into README.md, between two marks, from the kept results alone.

python tools/readme.py           write it
python tools/readme.py --check   fail if README.md says something else
"""

import argparse
import sys
import tempfile
from pathlib import Path

from lzu.errors import UserError
from lzu.experiments.context import Context, contexts
from lzu.experiments.suite import load_suite
from lzu.files import write_text
from lzu.report.compare.comparison import compare
from lzu.report.tables.claims import claims
from lzu.results.collect import collect, kept_files, read_collected, write_collected
from lzu.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- study: written by tools/readme.py from results/measured/study; do not edit -->"
END = "<!-- end of study -->"


def found(context: Context) -> str:
    """The claims of a task's first table, of what is kept; nothing if nothing is."""
    metrics, timings = kept_files(context.paths.suite.measured, context.task.name)
    if not metrics:
        return ""
    table = context.task.tables[0]
    with tempfile.TemporaryDirectory() as folder:
        # through the file, as the tables are made
        path = Path(folder) / "collected.csv"
        relative = [[path.relative_to(ROOT) for path in files] for files in (metrics, timings)]
        write_collected(collect(context.task, *relative), path)
        frame = read_collected(path)
    published = context.paths.suite.published
    suite, machine = context.suite.suite, context.suite.machine
    planned = context.plan[table.name]
    report = compare(table, context.task, suite, frame, published, planned, machine)
    kept = f"{len(metrics)} of {len(context.runs)} planned runs are kept."
    return f"### {context.task.title}\n\n{kept}\n\n{claims(report)}"


def written(text: str) -> str:
    """README's text with the part between the marks made anew.

    Raises UserError if a mark is missing.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise UserError(f"README.md: the marks {BEGIN} and {END} must be there once each")
    suite = load_suite(ROOT / "config" / "study.yaml", TASKS)
    parts = [found(context) for context in contexts(suite, TASKS, ROOT / "results").values()]
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n" + "\n".join(filter(None, parts)) + f"\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    try:
        new = written(text)
    except UserError as error:
        print(f"readme: {error}", file=sys.stderr)
        return 2
    if check and new != text:
        print("README.md differs from the kept study: run python tools/readme.py", file=sys.stderr)
        return 1
    if not check:
        write_text(path, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
