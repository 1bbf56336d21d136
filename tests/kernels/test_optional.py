"""Triton is optional, and imported only when a kernel is used."""

import subprocess
import sys

import pytest


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("without", ["", "sys.modules['triton'] = None"])
def test_importing_the_package_does_not_import_triton(without):
    code = f"import sys\n{without}\nimport lzu.kernels; print('triton.language' in sys.modules)"
    assert run(code).strip() == "False"


def test_using_it_without_triton_says_what_to_install():
    code = """
import sys
sys.modules["triton"] = None
from lzu import kernels
for name in kernels.__all__:
    try:
        getattr(kernels, name)
    except ImportError as error:
        print(error)
"""
    from lzu import kernels

    assert run(code).splitlines() == [
        f"lzu.kernels.{name} needs triton, which is not installed: pip install triton"
        for name in kernels.__all__
    ]
