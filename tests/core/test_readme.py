"""README's examples run as they stand."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


def pyramid(features: torch.Tensor) -> list[torch.Tensor]:
    return [nn.functional.avg_pool2d(features, 2**level, ceil_mode=True) for level in range(5)]


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs_and_is_short(example):
    assert len(example.splitlines()) < 30
    names = {
        "images": torch.rand(1, 3, 1200, 1920),
        "backbone": nn.Conv2d(3, 2, 3, stride=8, padding=1),
        "fpn": pyramid,
    }
    exec(compile(example, str(README), "exec"), names)


def test_there_are_examples():
    assert len(EXAMPLES) >= 2
