import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lzu.tasks.segmentation.lds.network import DeformationNetwork


def test_saliency_is_of_the_images_size_positive_and_of_sum_one():
    network = DeformationNetwork((16, 8, 8))
    saliency = network(torch.randn(3, 3, 12, 20))
    assert saliency.shape == (3, 1, 12, 20)
    assert (saliency > 0).all()
    torch.testing.assert_close(saliency.sum((1, 2, 3)), torch.ones(3))


def test_the_network_of_the_paper_takes_3_1_gmac():
    with torch.device("meta"):
        network, images = DeformationNetwork(), torch.zeros(1, 3, 64, 128)
    with FlopCounterMode(display=False) as counter:
        network.eval()(images)
    assert counter.get_total_flops() / 2e9 == pytest.approx(3.1, abs=0.05)


def test_saliency_has_a_gradient_in_every_weight():
    network = DeformationNetwork((16, 8, 8))
    network(torch.randn(2, 3, 12, 12)).square().sum().backward()
    # Softmax is blind to what all logits share.
    moved = [name for name, weight in network.named_parameters() if weight.grad.abs().max() > 0]
    assert {"body.0.weight", "body.3.weight", "body.6.weight", "head.weight"} <= set(moved)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="three"):
        DeformationNetwork((16, 8))
    with pytest.raises(ValueError, match="images"):
        DeformationNetwork((16, 8, 8))(torch.zeros(1, 1, 8, 8))
