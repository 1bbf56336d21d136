"""Readers rebuild the demo's tables and figures from what is kept, with nothing else installed."""

import subprocess
import sys

import pytest

BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "mmengine", "mmcv", "mmdet", "cv2", "snakemake"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Block())
from lzu.cli import main

sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def results(request, tmp_path):
    """A results folder with what is under version control, and nothing else."""
    for name in ("published", "measured"):
        (tmp_path / name).symlink_to(request.config.rootpath / "results" / name)
    return tmp_path


def test_tables_and_figures_rebuild_from_kept_results(request, results):
    config = request.config.rootpath / "config" / "demo.yaml"
    for verb in ("collect", "tables", "figures", "show"):
        command = [sys.executable, "-c", BLOCKED, verb, "--config", config, "--results", results]
        done = subprocess.run(
            [*map(str, command), "--mode", "cached"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    kept = sorted((results / "measured" / "demo").glob("*/runs/**/metrics.json"))
    # three seeds of uniform at two scales and of five methods at one
    assert len(kept) == 3 * (2 + 5)
    assert "3 paired seeds" in " ".join(done.stdout.split())
    assert (results / "demo" / "figures" / "figure7_detection2d.png").stat().st_size > 10_000
    for name in ("iso_latency", "size_bins"):
        assert (results / "demo" / "figures" / f"{name}.png").stat().st_size > 10_000
    text = " ".join((results / "demo" / "tables" / "iso_latency.txt").read_text().split())
    assert "0.5x LZU, fixed published 36.4 25.2 22.7 +2.5" in text
    assert "Nearest to the published" in (results / "demo" / "tables" / "eq18.txt").read_text()


def test_a_suite_with_nothing_kept_says_so(request, tmp_path):
    from lzu.cli import main

    config = request.config.rootpath / "config" / "smoke.yaml"
    arguments = ["--config", str(config), "--results", str(tmp_path), "--mode", "cached"]
    assert main(["collect", *arguments]) == 2
