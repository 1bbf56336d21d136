"""Preparing does not keep what it has written: time and memory of tables of thousands of samples.

`large` by itself does so at nuScenes' own size, 34,149 samples.
"""

import pytest
from nuscenes.utils import splits

from tests.datasets.nuscenes.large import measured, write_large

SAMPLES = 3000
MOST_MIB = 60
"""Above what Python and the devkit's list of splits take; 34,149 samples may take 2 GiB."""


@pytest.mark.slow
def test_thousands_of_samples_take_little_memory(tmp_path):
    write_large(tmp_path, SAMPLES, boxes=35, rows=77, scenes=list(splits.train[:75]))
    found = measured(tmp_path, "train", tmp_path / "list.json")
    print(f"\n{found}")
    assert (found["samples"], found["boxes"] > 70_000) == (SAMPLES, True)
    assert found["peak_mib"] - found["imports_mib"] < MOST_MIB
