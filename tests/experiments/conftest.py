from typing import Any

import pytest

from tests.experiments.suites import settings_of


@pytest.fixture
def smoke() -> dict[str, Any]:
    """The settings of the smoke suite, to change."""
    return settings_of("smoke")
