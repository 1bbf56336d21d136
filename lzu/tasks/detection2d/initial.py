"""What a detector starts from, and saying so in the results."""

from pathlib import Path

from torch import nn

from lzu.datasets.argoverse_hd.classes import CLASSES, COCO_INDICES
from lzu.engine.weights import load_whole, read_state, select_classes

COCO_CLASSES = 80
CLASSIFIERS = ("bbox_head.retina_cls", "bbox_head.conv_cls", "bbox_head.gfl_cls")


def fit_weights(model: nn.Module, path: Path) -> None:
    """Load a whole detector; a COCO classifier is cut down to Argoverse-HD's classes.

    Raises UserError if a parameter is missing or has another shape.
    """
    state = read_state(path)
    own = model.state_dict()
    for layer in CLASSIFIERS:
        bias = f"{layer}.bias"
        if bias not in own or bias not in state:
            continue
        if len(state[bias]) * len(CLASSES) == len(own[bias]) * COCO_CLASSES:
            state = select_classes(state, layer, COCO_CLASSES, COCO_INDICES)
    load_whole(model, state, path)
