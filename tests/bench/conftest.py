import sys
from pathlib import Path

# benchmarks/ belongs to the repository, not to the installed package.
sys.path.append(str(Path(__file__).parents[2]))
