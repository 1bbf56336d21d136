from tests.core.conftest import device, seed

__all__ = ["device", "seed"]
