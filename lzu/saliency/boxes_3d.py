"""Saliency of 3-D boxes that a camera sees: the paper's prior for nuScenes (Section 5.3, A.6)."""

from collections.abc import Sequence
from itertools import combinations, product

import torch
from torch import Tensor

from lzu.core.arguments import as_positive, require_floating
from lzu.core.lattice import Size, as_size
from lzu.core.memory import constant, has_values, refuse_tracing
from lzu.saliency.boxes import from_boxes
from lzu.saliency.checks import as_item, as_items, require_boxes_3d, result_dtype


def from_boxes_3d(
    boxes_3d: Tensor | Sequence[Tensor],
    cam2img: Tensor,
    image_size: Sequence[int],
    lattice: Sequence[int] = (27, 48),
    *,
    amplitude: float = 1.0,
    bandwidth: float = 64.0,
    near: float = 0.1,
    chunk: int = 16384,
    check: bool = True,
) -> Tensor:
    """Return `from_boxes` of what `project_boxes_3d` sees of 3-D boxes (A.6).

    The paper's nuScenes prior: all training boxes, a = 1, b = 64, 27 x 48 cells (fwhm 10). For a
    data set that comes in parts, give the visible projections to `BoxDensity.add`.

    Args:
        boxes_3d: (n, 7) for a batch of one; or a list of B such, or (B, n, 7); tensors or arrays,
            as in `from_boxes`. Frame and columns as in `project_boxes_3d`.
        cam2img: one camera for all items, (3, 3), (3, 4) or (4, 4); or one each, (B, ...).
        image_size: (H, W) in pixels, the frame of `cam2img`.
        lattice, amplitude, bandwidth, chunk: as in `from_boxes`.
        near: as in `project_boxes_3d`.
        check: look for bad boxes and cameras.

    Returns:
        Saliency (B, 1, h, w), as `from_boxes`, differentiable with respect to boxes and camera. An
        item without a visible box gets uniform saliency. On a GPU this waits for the number of
        visible boxes, whatever `check` says.

    Raises:
        TypeError, ValueError: as `project_boxes_3d` and `from_boxes`.

    >>> cam2img = torch.tensor([[1260.0, 0, 800], [0, 1260, 450], [0, 0, 1]])
    >>> boxes_3d = torch.tensor([[2.0, 1.5, 20.0, 4.5, 1.6, 1.9, 0.3]])
    >>> from_boxes_3d(boxes_3d, cam2img, image_size=(900, 1600)).shape
    torch.Size([1, 1, 27, 48])
    """
    items = as_items(boxes_3d, 7, "boxes_3d")
    size, lattice = as_size(image_size, "image_size", 1), as_size(lattice, "lattice")
    near = as_positive(near, "near")
    _require_camera(cam2img, items[0].device, len(items), "batch items of boxes")
    refuse_tracing("saliency of boxes", "their number")
    if check and has_values(items[0]):
        require_boxes_3d(items)
        _require_finite(cam2img)
    counts = [len(item) for item in items]
    if cam2img.ndim == 3:
        owners = [index for index, count in enumerate(counts) for _ in range(count)]
        cam2img = cam2img[torch.tensor(owners, dtype=torch.long, device=cam2img.device)]
    # In float64 before they are joined: half precision with integers would stay half.
    boxes = torch.cat([item.double() for item in items])
    boxes, visible = _project(boxes, cam2img, size, near, result_dtype(items))
    seen = [
        part[shown] for part, shown in zip(boxes.split(counts), visible.split(counts), strict=True)
    ]
    return from_boxes(
        seen,
        image_size,
        lattice,
        amplitude=amplitude,
        bandwidth=bandwidth,
        chunk=chunk,
        check=False,
    )


def project_boxes_3d(
    boxes_3d: Tensor,
    cam2img: Tensor,
    image_size: Sequence[int],
    *,
    near: float = 0.1,
    check: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return the rectangles around what a camera sees of 3-D boxes, and which it sees.

    Edges of a box are cut at the plane of depth `near` before they are projected, so that a box
    partly behind the camera keeps the part that is seen, rather than corners mirrored through the
    camera. The rectangle around the projection is then cut to the image.

    Args:
        boxes_3d: (n, 7): x, y, z, l, h, w, yaw in the camera's frame (metres; x right, y down, z
            forward), as mmdet3d's `CameraInstance3DBoxes`: (x, y, z) is the centre of the
            *bottom* face; l, h and w are the sizes along x, y and z at yaw 0; yaw turns about y,
            from +z towards +x.
        cam2img: (3, 3), (3, 4) or (4, 4), points (x, y, z, 1) to pixels times depth; or one for
            each box, (n, ...). A fourth row is not used.
        image_size: (H, W) in pixels, the frame of `cam2img`.
        near: least depth that is seen, in the units of the third row of `cam2img` times a point:
            metres along z for camera intrinsics.
        check: look for bad boxes and cameras (on a GPU this waits for it).

    Returns:
        (n, 4) left, top, right, bottom in pixels within [0, W] and [0, H], computed in float64 and
        given as that for float64 boxes, else as float32; and (n,) bool, whether anything of the
        rectangle lies in front of the camera and in the image. Rows that are not visible are 0.
        Differentiable with respect to boxes and camera.

    Raises:
        TypeError: boxes are no tensor or array of real numbers, or the camera is no floating
            point tensor.
        ValueError: a wrong shape; a box with a NaN, infinite, zero or negative size (its index is
            named); a camera that is not finite; tensors on several devices; or `near` is not
            positive.

    >>> cam2img = torch.tensor([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    >>> ahead = [0.0, 1, 11, 2, 2, 2, 0]  # its front face is at z = 10
    >>> behind = [0.0, 1, -11, 2, 2, 2, 0]
    >>> boxes, visible = project_boxes_3d(torch.tensor([ahead, behind]), cam2img, (100, 100))
    >>> boxes[visible], visible
    (tensor([[40., 40., 60., 60.]]), tensor([ True, False]))
    """
    item = as_item(boxes_3d, 7, "boxes_3d")
    size, near = as_size(image_size, "image_size", 1), as_positive(near, "near")
    _require_camera(cam2img, item.device, len(item), "boxes")
    if check and has_values(item):
        require_boxes_3d([item])
        _require_finite(cam2img)
    return _project(item, cam2img, size, near, result_dtype([item]))


def box_corners_3d(boxes_3d: Tensor) -> Tensor:
    """Return the corners (n, 8, 3) of boxes (n, 7) as in `project_boxes_3d`, in the same frame.

    Corner 4 a + 2 b + c lies at the low (0) or high (1) end a of l, b of h and c of w.
    """
    x, y, z = (
        boxes_3d[:, 3:6].unsqueeze(1) * _unit_corners(boxes_3d.dtype, boxes_3d.device)
    ).unbind(-1)
    cos, sin = boxes_3d[:, 6:].cos(), boxes_3d[:, 6:].sin()
    turned = torch.stack((x * cos + z * sin, y, z * cos - x * sin), dim=-1)
    return turned + boxes_3d[:, None, :3]


def _project(
    boxes_3d: Tensor, cam2img: Tensor, size: Size, near: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    # Pixels times depth: lines stay lines, whatever the depth, so edges can be cut here.
    corners = _apply_camera(cam2img.double(), box_corners_3d(boxes_3d.double()))
    start, end = _edges(corners.device)
    start, end = corners[:, start], corners[:, end]
    depth, other = start[..., 2], end[..., 2]
    crosses = (depth < near) != (other < near)
    along = (near - depth) / torch.where(crosses, other - depth, 1)
    cuts = start + along.unsqueeze(-1) * (end - start)

    points = torch.cat((corners, cuts), dim=1)
    seen = torch.cat((corners[..., 2] >= near, crosses), dim=1)
    pixels = points[..., :2] / torch.where(seen, points[..., 2], 1).unsqueeze(-1)
    left, right = _span(pixels[..., 0], seen, size[1])
    top, bottom = _span(pixels[..., 1], seen, size[0])
    boxes = torch.stack((left, top, right, bottom), dim=1).to(dtype)
    # After rounding, so that every visible box is of positive size as it is returned.
    visible = (boxes[:, 2:] > boxes[:, :2]).all(1)
    return torch.where(visible.unsqueeze(1), boxes, 0), visible


def _apply_camera(camera: Tensor, points: Tensor) -> Tensor:
    """Return (n, N, 3), pixels times depth and depth, of points (n, N, 3)."""
    turned = points @ camera[..., :3, :3].transpose(-1, -2)
    return turned + camera[..., None, :3, 3] if camera.shape[-1] == 4 else turned


def _span(values: Tensor, seen: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest (n,) of the values seen, cut to [0, side].

    Where none is seen the least is `side` and the greatest is 0.
    """
    low = torch.where(seen, values, torch.inf).amin(1)
    high = torch.where(seen, values, -torch.inf).amax(1)
    return low.clamp(0, side), high.clamp(0, side)


@constant
def _unit_corners(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (8, 3), the corners of a box of size 1 whose bottom (y = 0) is centred at 0."""
    corners = torch.tensor(list(product((0, 1), repeat=3)), dtype=torch.float64, device="cpu")
    bottom = torch.tensor([0.5, 1, 0.5], dtype=torch.float64, device="cpu")
    return (corners - bottom).to(dtype).to(device)


@constant
def _edges(device: torch.device) -> Tensor:
    """Return (2, 12), the corners at the ends of each edge: those that differ in one digit."""
    pairs = [pair for pair in combinations(range(8), 2) if (pair[0] ^ pair[1]).bit_count() == 1]
    return torch.tensor(pairs, device="cpu").T.contiguous().to(device)


def _require_camera(cam2img: Tensor, device: torch.device, count: int, of: str) -> None:
    if not isinstance(cam2img, Tensor):
        raise TypeError(
            f"cam2img must be a tensor (3, 3), (3, 4) or (4, 4), got {type(cam2img).__name__}"
        )
    require_floating(cam2img, "cam2img")
    if cam2img.ndim not in (2, 3) or cam2img.shape[-2:] not in ((3, 3), (3, 4), (4, 4)):
        raise ValueError(
            f"cam2img must be (3, 3), (3, 4) or (4, 4), or one for each; got {tuple(cam2img.shape)}"
        )
    if cam2img.ndim == 3 and len(cam2img) != count:
        raise ValueError(f"{count} {of}, but cam2img has {len(cam2img)} cameras")
    if cam2img.device != device:
        raise ValueError(f"boxes_3d are on {device}, but cam2img is on {cam2img.device}")


def _require_finite(cam2img: Tensor) -> None:
    if not bool(torch.isfinite(cam2img).all()):
        raise ValueError("cam2img has an entry that is NaN or infinite")
