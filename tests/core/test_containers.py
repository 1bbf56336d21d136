"""Features keep the containers that a model returns them in."""

import copy
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from lzu import Warp, ZoomUnzoom
from lzu.core.lattice import content_extent

from .oracles import random_saliency

SIZE, STRIDES = (24, 40), (4, 8)


class Levels(NamedTuple):
    fine: Tensor
    coarse: Tensor


Plain = namedtuple("Plain", ["fine", "coarse"])


class Tagged(OrderedDict):
    """With an attribute of its own, and a constructor of another kind."""

    def __init__(self, tag: str, **levels: Tensor) -> None:
        super().__init__(**levels)
        self.tag = tag


class ModelOutput(OrderedDict):
    """As in the Transformers library: items are attributes, too."""

    def __setitem__(self, key: str, value: Tensor) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)


class MyList(list):
    pass


class Frozen(Mapping):
    def __init__(self, items: Mapping[str, Tensor]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> Tensor:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class Odd(Frozen):
    def __init__(self, *, fine: Tensor, coarse: Tensor) -> None:
        super().__init__({"fine": fine, "coarse": coarse})


def levels() -> tuple[Tensor, Tensor]:
    return torch.rand(1, 4, 6, 10), torch.rand(1, 4, 3, 5)


@pytest.fixture
def lens() -> ZoomUnzoom:
    return ZoomUnzoom(random_saliency(0, (7, 9)), SIZE, fwhm=5)


def expected(lens: ZoomUnzoom, given: tuple[Tensor, ...]) -> list[Tensor]:
    return [
        lens.warp().unzoom(level, extent=content_extent(SIZE, stride))
        for level, stride in zip(given, STRIDES, strict=True)
    ]


def items(fine: Tensor, coarse: Tensor) -> dict[str, Tensor]:
    return {"fine": fine, "coarse": coarse}


CONTAINERS = {
    "list": lambda *two: list(two),
    "tuple": lambda *two: two,
    "subclass of list": lambda *two: MyList(two),
    "NamedTuple": Levels,
    "namedtuple": Plain,
    "dict": items,
    "OrderedDict": lambda *two: OrderedDict(items(*two)),
    "subclass of OrderedDict": lambda *two: Tagged("kept", **items(*two)),
    "defaultdict": lambda *two: defaultdict(list, items(*two)),
    "model output": lambda *two: ModelOutput(items(*two)),
    "UserDict": lambda *two: UserDict(items(*two)),
    "mapping proxy": lambda *two: MappingProxyType(items(*two)),
    "mapping": lambda *two: Frozen(items(*two)),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_container_keeps_its_type(kind, lens):
    given = levels()
    features = CONTAINERS[kind](*given)
    got = lens.unzoom(features, lens.warp(), strides=STRIDES)
    assert type(got) is type(features)
    assert got is not features
    if isinstance(features, Mapping):
        assert list(got) == ["fine", "coarse"]
    for container, wanted in ((got, expected(lens, given)), (features, given)):
        parts = container.values() if isinstance(container, Mapping) else container
        assert all(torch.equal(*pair) for pair in zip(parts, wanted, strict=True))


def test_what_a_container_holds_besides_is_kept(lens):
    given = levels()
    wanted = expected(lens, given)

    def unzoom(kind: str):
        return lens.unzoom(CONTAINERS[kind](*given), lens.warp(), strides=STRIDES)

    assert torch.equal(unzoom("NamedTuple").coarse, wanted[1])
    assert unzoom("subclass of OrderedDict").tag == "kept"
    assert unzoom("defaultdict")["other"] == []
    assert torch.equal(unzoom("model output").fine, wanted[0])


def test_containers_in_containers_take_strides_in_their_order(lens):
    given = levels()
    features = {"auxiliary": Levels(*given), "all": [given[1], {"fine": given[0]}]}
    got = lens.unzoom(features, lens.warp(), strides=(4, 8, 8, 4))
    fine, coarse = expected(lens, given)
    assert isinstance(got["auxiliary"], Levels)
    for one, wanted in (
        (got["auxiliary"].fine, fine),
        (got["auxiliary"].coarse, coarse),
        (got["all"][0], coarse),
        (got["all"][1]["fine"], fine),
    ):
        assert torch.equal(one, wanted)
    with pytest.raises(ValueError, match="4 feature maps, but 2 strides"):
        lens.unzoom(features, lens.warp(), strides=STRIDES)


def test_any_other_sequence_becomes_a_list(lens):
    got = lens.unzoom(deque(levels()), lens.warp(), strides=STRIDES)
    assert type(got) is list


def test_what_is_no_feature_map_is_named(lens):
    fine, coarse = levels()
    with pytest.raises(TypeError, match=r"features\['all'\]\[1\] must be a tensor.*got NoneType"):
        lens.unzoom({"all": [fine, None]}, lens.warp())
    with pytest.raises(TypeError, match=r"features must be a tensor.*got str"):
        lens.unzoom("p2", lens.warp())
    odd = Odd(fine=fine, coarse=coarse)
    with pytest.raises(TypeError, match=r"a Odd, which cannot be made from a dict.*return a dict"):
        lens.unzoom(odd, lens.warp())


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 4, 3, stride=4, padding=1)
        self.coarse = nn.Conv2d(4, 4, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Levels:
        fine = self.fine(images)
        return Levels(fine, self.coarse(fine))


@pytest.mark.parametrize("compiled", [False, True])
def test_a_wrapped_model_keeps_its_named_tuple(compiled, lens):
    model = lens.wrap(Named(), strides=STRIDES)
    images = torch.rand(1, 3, 48, 80)
    run = torch.compile(model, backend="aot_eager", fullgraph=True) if compiled else model
    assert isinstance(run(images), Levels)
    torch.testing.assert_close(run(images).coarse, copy.deepcopy(model)(images)[1])


def test_unzooming_nothing_gives_nothing(lens):
    assert lens.unzoom([], lens.warp()) == []
    assert lens.unzoom({}, Warp.identity(), strides=()) == {}
