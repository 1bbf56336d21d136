"""Print benchmark files: ``python -m benchmarks FILE ...``; torch is not needed for it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lzu.errors import UserError

from .results import read_benchmarks
from .table import benchmark_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the files in turn; return 2 at the first that cannot be used, and say why."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for path in parser.parse_args(arguments).files:
        try:
            print(benchmark_table(read_benchmarks(path)) + "\n")
        except UserError as error:
            print(f"lzu: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
