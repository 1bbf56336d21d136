import numpy as np
import pytest
import torch

from lzu import Warp


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (-0.5, "-0.5"), (float("nan"), "nan"), (float("inf"), "inf")]
)
def test_bad_saliency_is_named(value, shown):
    s = torch.rand(3, 1, 4, 5) + 0.1
    s[1, 0, 2, 3] = value
    with pytest.raises(ValueError, match=rf"batch item 1 has {shown} in cell \(row 2, column 3\)"):
        Warp.from_saliency(s)
    assert len(Warp.from_saliency(s, check=False)) == 3


def test_a_fold_is_named():
    s = torch.full((2, 1, 40, 40), 1e-38)
    s[1, 0, 20, 20] = 1e38
    with pytest.raises(ValueError, match="the warp folds: batch item 1, x axis, from node"):
        Warp.from_saliency(s, fwhm=4)


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (1, 2, 4, 5), (1, 1, 1, 4, 5)])
def test_saliency_of_a_wrong_rank(shape):
    with pytest.raises(ValueError, match=r"saliency must be \(B, 1, h, w\)"):
        Warp.from_saliency(torch.ones(shape))


def test_other_bad_saliency_and_settings():
    with pytest.raises(ValueError, match="at least 2 x 2 cells"):
        Warp.from_saliency(torch.ones(1, 1, 1, 5))
    with pytest.raises(TypeError, match=r"got torch\.int64"):
        Warp.from_saliency(torch.ones(1, 1, 4, 5, dtype=torch.int64))
    with pytest.raises(TypeError, match="got ndarray"):
        Warp.from_saliency(np.ones((1, 1, 4, 5)))
    with pytest.raises(ValueError, match="fwhm must be positive"):
        Warp.from_saliency(torch.ones(1, 1, 4, 5), fwhm=0)


@pytest.mark.parametrize("separable", [True, False])
def test_a_parameter_on_another_device_than_the_images(separable):
    learned = torch.nn.Parameter(torch.ones(1, 1, 4, 5, device="meta"))
    warp = Warp.from_saliency(learned, separable=separable, check=False)
    with pytest.raises(ValueError, match="images are on cpu, the warp is on meta"):
        warp.zoom(torch.rand(1, 3, 8, 9), (4, 4))
    images = torch.rand(1, 3, 8, 9, device="meta", requires_grad=True)
    with pytest.raises(ValueError, match="features are on meta, the warp is on cpu"):
        Warp.identity().unzoom(images)


@pytest.mark.parametrize("separable", [True, False])
def test_saliency_that_is_zero_everywhere(separable):
    with pytest.raises(ValueError, match=r"has 0 in cell \(row 0, column 0\); 20 such cells"):
        Warp.from_saliency(torch.zeros(1, 1, 4, 5), separable=separable)


def test_bad_nodes():
    good = torch.linspace(0, 1, 5)[None]
    Warp.from_nodes(good, good)
    with pytest.raises(
        ValueError, match=r"the warp folds: batch item 0, y axis, from node 2 to node 3"
    ):
        Warp.from_nodes(good, torch.tensor([[0, 0.2, 0.6, 0.6, 1]]))
    with pytest.raises(ValueError, match="ends of the nodes must be 0 and 1"):
        Warp.from_nodes(good * 0.5, good)
    Warp.from_nodes(good * 0.5, good, anti_crop=False)
    with pytest.raises(ValueError, match=r"\(B, w\) and \(B, h\), got \(1, 5\) and \(2, 5\)"):
        Warp.from_nodes(good, good.expand(2, 5))
    with pytest.raises(ValueError, match="lattice must be at least 2"):
        Warp.from_nodes(good, good[:, :1])
    with pytest.raises(TypeError, match="float32 or float64"):
        Warp.from_nodes(good, good.double())
    with pytest.raises(ValueError, match="x is on cpu, but y is on meta"):
        Warp.from_nodes(good, good.to("meta"))


def test_bad_images_sizes_and_points():
    warp = Warp.identity(batch=2)
    images = torch.rand(2, 3, 6, 8)
    with pytest.raises(ValueError, match=r"images must be \(B, C, H, W\), got \(3, 6, 8\)"):
        warp.zoom(images[0], (4, 4))
    with pytest.raises(ValueError, match=r"features must be \(B, C, H, W\)"):
        warp.unzoom(images[0])
    with pytest.raises(ValueError, match="images have 3 batch items, the warp has 2"):
        warp.zoom(images[[0, 1, 1]], (4, 4))
    with pytest.raises(ValueError, match="size must be at least 2"):
        warp.zoom(images, (1, 4))
    with pytest.raises(ValueError, match="extent must be given"):
        warp.unzoom(images[..., :1])
    with pytest.raises(ValueError, match="cannot be unzoomed to size"):
        warp.unzoom(images[..., :1], size=(6, 8), extent=(5, 0.5))
    with pytest.raises(ValueError, match="extent must be positive"):
        warp.unzoom(images, extent=(0, 3))
    with pytest.raises(ValueError, match="features are on meta, the warp is on cpu"):
        warp.unzoom(images.to("meta"))
    with pytest.raises(ValueError, match=r"points must be \(B, N, 2\), got \(5, 2\)"):
        warp.forward(torch.rand(5, 2))
    with pytest.raises(ValueError, match="points have 3 batch items, the warp has 2"):
        warp.inverse(torch.rand(3, 5, 2))
    with pytest.raises(ValueError, match="points are on meta"):
        warp.inverse(torch.rand(2, 5, 2, device="meta"))
    with pytest.raises(TypeError, match="points must be floating point"):
        warp.forward(torch.ones(2, 5, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match='frame must be "source" or "zoomed"'):
        warp.magnification((4, 4), frame="image")
