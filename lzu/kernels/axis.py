"""T and its inverse along one axis, in kernels: `lzu.core.mapping` and `lzu.core.inversion`."""

import triton
import triton.language as tl


@triton.jit
def lerp(low, high, fraction):
    """Interpolate as `torch.lerp` does, exact at fractions 0 and 1."""
    step = high - low
    return tl.where(fraction < 0.5, low + fraction * step, high - step * (1.0 - fraction))


@triton.jit
def divide(dividend, divisor, reciprocal):
    """Return quotient and remainder of integers, dividend >= 0 and divisor > 0.

    `reciprocal` is 1 / divisor, rounded. For quotients below 2**22, at a third of the instructions
    of a division of integers.
    """
    quotient = (dividend.to(tl.float32) * reciprocal).to(tl.int32)
    # Rounding is off by one at most.
    quotient -= (quotient * divisor > dividend).to(tl.int32)
    remainder = dividend - quotient * divisor
    over = remainder >= divisor
    return quotient + over.to(tl.int32), tl.where(over, remainder - divisor, remainder)


@triton.jit
def last_node_below(nodes, stride, point, last, steps: tl.constexpr):
    """Return the largest i in [0, last] whose node is at most `point`, and 0 if there is none.

    Node i is at address nodes + i * stride; `nodes`, `point` and `last` may be blocks. Bits of i
    are found from the highest down, 2**steps > last, so that all lanes take the same few steps.
    """
    found = tl.zeros_like(point).to(tl.int32)
    for step in tl.static_range(steps):
        candidate = found + (1 << (steps - 1 - step))
        at_most = tl.load(nodes + tl.minimum(candidate, last) * stride) <= point
        found = tl.where((candidate <= last) & at_most, candidate, found)
    return found


@triton.jit
def forward_grid(nodes, cell, n, size, reciprocal):
    """Return T at cell / (size - 1), as `lzu.core.mapping.forward_axis_grid`.

    `reciprocal` is 1 / (size - 1).
    """
    # In integers, so that a cell on a node is exactly on it.
    tile, remainder = divide(cell * (n - 1), size - 1, reciprocal)
    remainder = tl.where(tile > n - 2, size - 1, remainder)
    tile = tl.minimum(tile, n - 2)
    fraction = tl.div_rn(remainder.to(tl.float32), (size - 1).to(tl.float32))
    return lerp(tl.load(nodes + tile), tl.load(nodes + tile + 1), fraction)


@triton.jit
def tile_of(nodes, point, n, steps: tl.constexpr):
    """Return the tile that `point` is in, its two nodes, and the first and the last node of all."""
    tile = last_node_below(nodes, 1, point, n - 2, steps)
    first, final = tl.load(nodes), tl.load(nodes + n - 1)
    return tile, tl.load(nodes + tile), tl.load(nodes + tile + 1), first, final


@triton.jit
def inverse(point, n, tile, low, high, first, final):
    """Return T^-1 at `point`, as `lzu.core.inversion.inverse_axis`, from what `tile_of` returns.

    In two parts, because a division makes all later loads wait.
    """
    inside = tl.minimum(tl.maximum(point, first), final)
    place = tile.to(tl.float32) + tl.div_rn(inside - low, high - low)
    return tl.div_rn(place, (n - 1).to(tl.float32)) + (point - inside)
