"""Learned saliency in the mmdet adapter."""

import torch


def test_it_starts_as_the_uniform_detector_with_the_same_weights(build, batch):
    uniform, learned = build("uniform"), build("lzu_learned")
    own = learned.state_dict()
    for name, value in uniform.state_dict().items():
        assert torch.equal(value, own[name]), name
    images = learned.data_preprocessor(batch())["inputs"]
    with torch.no_grad():
        for a, b in zip(uniform.extract_feat(images), learned.extract_feat(images), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_the_detector_s_loss_trains_the_saliency(build, batch):
    model = build("lzu_learned").train()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    data = model.data_preprocessor(batch())
    images, samples = data["inputs"], data["data_samples"]
    network = model.resampler.lens.saliency
    before = {name: value.clone() for name, value in network.named_parameters()}
    # The last convolution starts at zero: the others feel the loss once it has moved.
    for _ in range(2):
        losses = model.loss(images, samples)
        optimiser.zero_grad()
        sum(sum(value) for value in losses.values()).backward()
        optimiser.step()
    for name, value in network.named_parameters():
        assert not torch.equal(value, before[name]), name
    assert network(images.float()).std() > 0


def test_every_image_gets_its_own_warp(build):
    model = build("lzu_learned")
    network = model.resampler.lens.saliency
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(0))
    images = torch.rand(2, 3, 160, 256, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        together = model.extract_feat(images)
        alone = model.extract_feat(images[1:])
        assert not torch.equal(network(images)[0], network(images)[1])
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[1:], b, rtol=1e-3, atol=1e-3)
