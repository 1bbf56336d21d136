"""What saliency and its settings must be, with one error for each that is not."""

from torch import Tensor


def require_saliency(saliency: Tensor) -> None:
    """Raise an error unless `saliency` is a floating point (B, 1, h, w) with h and w at least 2."""
    if not isinstance(saliency, Tensor) or not saliency.is_floating_point():
        kind = saliency.dtype if isinstance(saliency, Tensor) else type(saliency).__name__
        raise TypeError(f"saliency must be a floating point tensor, got {kind}")
    if saliency.ndim != 4 or saliency.shape[1] != 1:
        raise ValueError(f"saliency must be (B, 1, h, w), got {tuple(saliency.shape)}")
    if min(saliency.shape[2:]) < 2:
        raise ValueError(
            f"saliency must have at least 2 x 2 cells, got {tuple(saliency.shape[2:])}"
        )


def require_positive(**settings: float) -> None:
    """Raise an error that names the first setting that is not positive and finite."""
    for name, value in settings.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive and finite, got {value}")
