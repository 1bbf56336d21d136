"""The strides of feature maps, read off their sizes."""

from collections.abc import Sequence

from torch import Tensor

from lzu.errors import UserError

STRIDES = (1, 2, 4, 8, 16, 32, 64)


def strides_of(maps: Sequence[Tensor], size: tuple[int, int]) -> list[int]:
    """Pixels per cell of feature maps (B, C, h, w) of an input of `size` (height, width).

    A padded convolution of stride s gives ceil(side / s) cells. Of strides that give the same
    number, in an input too small to tell, the least is taken.

    Raises:
        UserError: a map is of no power of two.

    >>> import torch
    >>> strides_of([torch.zeros(1, 8, 8, 16)], (64, 128))
    [8]
    """
    return [_stride((one.shape[-2], one.shape[-1]), size) for one in maps]


def _stride(cells: tuple[int, int], size: tuple[int, int]) -> int:
    for stride in STRIDES:
        if cells == (-(-size[0] // stride), -(-size[1] // stride)):
            return stride
    raise UserError(
        f"model.backbone: a map of {cells[0]} x {cells[1]} cells of an input of {size[0]} x "
        f"{size[1]} pixels has no stride of {', '.join(map(str, STRIDES))}, so it cannot be "
        "unzoomed; use another scale or backbone"
    )
