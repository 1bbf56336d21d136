"""What a detector starts from, and saying so in the results."""

from pathlib import Path

from torch import nn

from lzu.datasets.argoverse_hd.classes import CLASSES, COCO_INDICES
from lzu.engine.weights import read_state, select_classes
from lzu.errors import UserError

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
    wrong = [
        f"{name} {tuple(state[name].shape) if name in state else 'missing'}"
        for name, value in own.items()
        if not name.startswith(("resampler.", "data_preprocessor."))
        and (name not in state or state[name].shape != value.shape)
    ]
    if wrong:
        raise UserError(
            f"{path}: does not fit the model: {', '.join(wrong[:3])}"
            + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
            + "; give the checkpoint of this architecture"
        )
    # A resampler's saliency is the run's own, whatever the detector was trained with before.
    used = {k: v for k, v in state.items() if k in own and not k.startswith("resampler.")}
    model.load_state_dict(used, strict=False)
