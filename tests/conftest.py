"""Fixtures of more than one room: constructed result files, a tiny prepared dataset, devices."""

import sys
from pathlib import Path

# benchmarks/ and tools/ belong to the repository, not to the installed package.
ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

pytest_plugins = ["tests.constructed", "tests.prepared"]
