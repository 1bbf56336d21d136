"""Weighted compositions of saliency: fixed with adaptive, and any others."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lzu.core.arguments import as_number, as_positive
from lzu.core.lattice import as_buffer, restore_precision
from lzu.core.memory import has_values
from lzu.saliency.checks import require_saliency


def compose(*terms: tuple[Tensor, float], check: bool = True) -> Tensor:
    """Return the weighted mean of saliency maps, each scaled to sum 1 first.

    S = sum_k (a_k / sum_l a_l) S_k / |S_k|, with a_k the weight of term k and |S_k| the sum of its
    cells. So each term counts by its weight, however its map is scaled. A mixture with `uniform`
    has the floor that `magnification_bound` speaks of.

    Args:
        terms: pairs of saliency (B, 1, h, w) and weight, a number. Maps have one lattice; a batch
            of 1 serves all batch items of the others. Unlike what makes a warp, a term may be
            zero in some cells.
        check: look for bad values (on a GPU this waits for it).

    Returns:
        Saliency (B, 1, h, w) of sum 1, float64 if any term is, else float32; differentiable with
        respect to the maps.

    Raises:
        TypeError: a term is no pair, or its map no floating point tensor.
        ValueError: no terms; a weight that is not positive and finite; a map of a wrong shape, or
            of another lattice, batch or device than those before; or with a NaN, an infinity, a
            negative value, or nothing but zeros (`check`). The term is named by its index.

    >>> left, right = torch.tensor([[[[3.0, 0], [1, 0]]]]), torch.tensor([[[[0, 5.0], [0, 5]]]])
    >>> compose((left, 1), (right, 3))
    tensor([[[[0.1875, 0.3750],
              [0.0625, 0.3750]]]])
    """
    maps, weights = _as_terms(terms, check)
    whole = sum(weights)
    parts = [
        (weight / whole) * (map_ / map_.sum(dim=(2, 3), keepdim=True))
        for map_, weight in zip(maps, weights, strict=True)
    ]
    return sum(parts[1:], start=parts[0])


class Composed(nn.Module):
    """A fixed prior composed with an adaptive source; itself a source for `lzu.ZoomUnzoom`.

    Args:
        prior: fixed saliency (1, 1, h, w); a buffer, in the state dict.
        source: a callable or module that returns saliency (B, 1, h, w) on the same lattice.
        weight: of the prior, between 0 and 1; the source has 1 - weight.
        check: look for bad values in what the source returns, as in `compose`.

    Raises:
        TypeError, ValueError: as `compose`, of which the prior is term 0 and the source term 1; or
            the prior requires a gradient, which a buffer would lose.

    >>> prior = torch.rand(1, 1, 31, 51) + 0.1
    >>> def boxes_of_last_frame(boxes):
    ...     return lzu.saliency.from_boxes(boxes, (1200, 1920), (31, 51))
    >>> lens = lzu.ZoomUnzoom(Composed(prior, boxes_of_last_frame), size=(60, 96))
    >>> boxes = torch.tensor([[900.0, 600.0, 960.0, 640.0]])
    >>> zoomed, warp = lens.zoom(torch.rand(1, 3, 120, 192), boxes)
    """

    prior: Tensor

    def __init__(
        self,
        prior: Tensor,
        source: Callable[..., Tensor],
        weight: float = 0.5,
        *,
        check: bool = True,
    ) -> None:
        super().__init__()
        if not callable(source):
            raise TypeError(f"source must be callable, got {type(source).__name__}")
        weight = as_number(weight, "weight")
        if not 0 < weight < 1:
            raise ValueError(f"weight must be between 0 and 1, got {weight}")
        require_saliency(prior, "prior")
        _as_terms([(prior, weight)], check=True)
        if len(prior) != 1:
            raise ValueError(f"prior must be (1, 1, h, w), got {tuple(prior.shape)}")
        self.register_buffer("prior", as_buffer(prior, "prior"))
        self.source, self.weight, self.check = source, weight, check

    def forward(self, *inputs: Any) -> Tensor:
        """Return the composed saliency (B, 1, h, w); `inputs` go to the source."""
        terms = (self.prior, self.weight), (self.source(*inputs), 1 - self.weight)
        return compose(*terms, check=self.check)

    def extra_repr(self) -> str:
        lattice = tuple(self.prior.shape[2:])
        return f"prior of {lattice} cells, weight={self.weight:g}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Composed":
        kept = self.prior
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch gives no types here
        restore_precision(self, "prior", kept)
        return self


def _as_terms(terms: Any, check: bool) -> tuple[list[Tensor], list[float]]:
    if not terms:
        raise ValueError("compose needs at least one term (saliency, weight)")
    maps: list[Tensor] = []
    weights: list[float] = []
    for index, term in enumerate(terms):
        if not isinstance(term, (tuple, list)) or len(term) != 2:
            raise TypeError(f"term {index} must be a pair (saliency, weight), got {term!r:.80}")
        map_, weight = term
        require_saliency(map_, f"the saliency of term {index}")
        weights.append(as_positive(weight, f"the weight of term {index}"))
        if maps:
            _require_fit(map_, maps, index)
        if check and has_values(map_):
            _require_values(map_, index)
        maps.append(map_)
    wide = any(map_.dtype == torch.float64 for map_ in maps)
    return [map_.to(torch.float64 if wide else torch.float32) for map_ in maps], weights


def _require_fit(map_: Tensor, before: list[Tensor], index: int) -> None:
    lattice, first = tuple(map_.shape[2:]), tuple(before[0].shape[2:])
    if lattice != first:
        raise ValueError(f"term {index} has {lattice} cells, but term 0 has {first}")
    batch = max(len(other) for other in before)
    if len(map_) != batch and 1 not in (len(map_), batch):
        raise ValueError(f"term {index} has {len(map_)} batch items, but those before it {batch}")
    if map_.device != before[0].device:
        raise ValueError(f"term {index} is on {map_.device}, but term 0 on {before[0].device}")


def _require_values(map_: Tensor, index: int) -> None:
    cells = map_.detach().flatten(1).double()
    good = torch.isfinite(cells).all(1) & (cells >= 0).all(1) & (cells.sum(1) > 0)
    if not bool(good.all()):
        item = int((~good).nonzero()[0, 0])
        raise ValueError(
            f"the saliency of term {index} has {_problem(cells[item])} in batch item {item}"
        )


def _problem(cells: Tensor) -> str:
    if bool(cells.isnan().any()):
        return "a NaN"
    if bool(cells.isinf().any()):
        return "an infinity"
    return "a negative value" if bool((cells < 0).any()) else "nothing but zeros"
