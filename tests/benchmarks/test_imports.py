"""Every file of cases can be imported, those that only a GPU runs too."""

import importlib

import pytest

MODULES = ("test_backprojection", "test_gpu", "test_inverse", "test_training", "test_warp")


@pytest.mark.parametrize("name", MODULES)
def test_a_file_of_cases_can_be_imported(name):
    pytest.importorskip("triton")
    importlib.import_module(f"benchmarks.{name}")
