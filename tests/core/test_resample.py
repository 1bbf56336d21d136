import pytest
import torch

from lzu.core.resample import sample


def identity_grid(height: int, width: int) -> torch.Tensor:
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    return torch.stack((x, y), dim=-1)[None]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_and_memory_format_are_kept(dtype, layout, device):
    images = torch.rand(2, 3, 5, 7).to(device, dtype).contiguous(memory_format=layout)
    sampled = sample(images, identity_grid(5, 7).to(device))
    assert sampled.dtype == dtype
    assert sampled.is_contiguous(memory_format=layout)
    torch.testing.assert_close(sampled, images)


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float16, 11), (torch.bfloat16, 8)])
def test_half_precision_is_rounded_once(dtype, digits):
    images = torch.rand(1, 4, 64, 1500).to(dtype)
    # At a width of 1500 a half-precision coordinate would be off by half a pixel and more.
    grid = (torch.rand(1, 20, 20, 2) * 2 - 1).clamp(0.9, 1)
    exact = sample(images.double(), grid.double())
    error = (sample(images, grid).double() - exact).abs().max()
    assert error < 2.0**-digits


def test_one_image_for_many_warps_and_one_warp_for_many_images():
    images, grids = torch.rand(3, 2, 5, 7), torch.rand(3, 4, 6, 2) * 2 - 1
    one_warp, one_image = sample(images, grids[:1]), sample(images[:1], grids)
    for i in range(3):
        torch.testing.assert_close(one_warp[i], sample(images[i : i + 1], grids[:1])[0])
        torch.testing.assert_close(one_image[i], sample(images[:1], grids[i : i + 1])[0])


def test_errors():
    grid = identity_grid(4, 4)
    with pytest.raises(ValueError, match=r"images must be \(B, C, H, W\), got \(3, 4, 4\)"):
        sample(torch.rand(3, 4, 4), grid)
    with pytest.raises(TypeError, match=r"images must be floating point or uint8, got torch.int16"):
        sample(torch.zeros(1, 3, 4, 4, dtype=torch.int16), grid)
    with pytest.raises(TypeError, match=r"features must be a tensor.*got list"):
        sample([1], grid, name="features")
    with pytest.raises(ValueError, match="images have 3 batch items, the warp has 2"):
        sample(torch.rand(3, 1, 4, 4), grid.expand(2, -1, -1, -1))
    with pytest.raises(ValueError, match="images are on meta, the warp is on cpu"):
        sample(torch.rand(1, 1, 4, 4, device="meta"), grid)
