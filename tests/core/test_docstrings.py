"""The examples in the core's docstrings give what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest
import torch
from torch import nn

import lzu
import lzu.core
import lzu.saliency

CORE = [
    "lzu.module",
    *(module.name for module in pkgutil.iter_modules(lzu.core.__path__, "lzu.core.")),
    *(module.name for module in pkgutil.iter_modules(lzu.saliency.__path__, "lzu.saliency.")),
]


@pytest.mark.parametrize("name", CORE)
def test_examples_hold(name):
    module = importlib.import_module(name)
    known = {"torch": torch, "nn": nn, "lzu": lzu}
    result = doctest.testmod(module, extraglobs=known, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_the_core_has_examples():
    texts = [Path(importlib.import_module(name).__file__).read_text() for name in CORE]
    assert sum(text.count(">>> ") for text in texts) > 20
