"""Integer division by way of float32."""

import pytest
import torch

triton = pytest.importorskip("triton")
tl = pytest.importorskip("triton.language")
axis = pytest.importorskip("lzu.kernels.axis")


@triton.jit
def _divide_kernel(dividends, divisors, reciprocals, quotients, remainders, block: tl.constexpr):
    from_start = tl.program_id(0) * block + tl.arange(0, block)
    quotient, remainder = axis.divide(
        tl.load(dividends + from_start),
        tl.load(divisors + from_start),
        tl.load(reciprocals + from_start),
    )
    tl.store(quotients + from_start, quotient)
    tl.store(remainders + from_start, remainder)


def test_division_is_exact(device):
    block = 1024
    divisor = torch.randint(1, 1 << 12, (16 * block,))
    divisor[:block] = 1
    quotient = torch.randint(0, 1 << 19, (16 * block,))
    # Next to a multiple is where rounding could go wrong.
    dividend = (divisor * quotient + torch.tensor([-1, 0, 1, 7]).repeat(4 * block)).clamp(min=0)
    dividend = dividend.clamp(max=(1 << 31) - (1 << 13))
    given = [
        dividend.int().to(device),
        divisor.int().to(device),
        (1 / divisor.double()).float().to(device),
    ]
    results = [torch.full_like(given[0], -1) for _ in range(2)]
    _divide_kernel[(16,)](*given, *results, block=block)
    assert torch.equal(results[0].cpu().long(), dividend // divisor)
    assert torch.equal(results[1].cpu().long(), dividend % divisor)
