"""Small data sets of labels with predictions of them, and what the score step is given."""

from types import SimpleNamespace

import cv2
import numpy as np

from lzu.datasets.cityscapes.classes import CLASSES, IDS, TO_TRAIN_ID
from lzu.datasets.cityscapes.layout import parse
from lzu.experiments.run import Run
from lzu.files import write_json
from lzu.tasks.segmentation.scoring.maps import pack_map

SIZE, CROP = (20, 36), (20, 24)
COLUMNS = slice(6, 30)
RUN = Run("smoke", "segmentation", "uniform", 1.0, 0.25, 0)
FOUR = ("ulm_000000_000019", "ulm_000001_000019", "bonn_000000_000019", "bonn_000000_000029")
COUNTED = np.array([i for i in IDS.values() if i >= 0 and TO_TRAIN_ID[i] != 255], np.uint8)


def write_labels(root, names, classes=COUNTED[:14]):
    """Write label images of blocks, of which unlabelled ones too; return their listing's records,
    by id."""
    rng = np.random.default_rng(0)
    records = {}
    for name in names:
        frame = parse(name)
        ids = rng.choice([0, *classes], (5, 9)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
        label = frame.label("val", "_gtFine_labelIds.png")
        path = root / label
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), ids)
        records[name] = {
            "id": name,
            "city": frame.city,
            "sequence": frame.sequence,
            "frame": frame.frame,
            "label": label,
        }
    return records


def truth_of(root, record):
    """The trainIds of the crop, read another way."""
    ids = cv2.imread(str(root / record["label"]), cv2.IMREAD_UNCHANGED)
    return TO_TRAIN_ID[ids][:, COLUMNS]


def guess(truth, seed, right=0.6):
    """A prediction that hits this share of a map's pixels."""
    rng = np.random.default_rng(seed)
    known = (truth < 19) & (rng.random(truth.shape) < right)
    return np.where(known, truth, rng.integers(0, 19, truth.shape, np.uint8))


def prediction(name, predicted, seed=0):
    """The record of an image with invented confusions beside its map."""
    rng = np.random.default_rng(seed)
    tables = {}
    for space in ("network", "warped", "intrinsic"):
        table = rng.integers(0, 3, (len(CLASSES),) * 2) + 9 * np.eye(len(CLASSES), dtype=int)
        tables[space] = table.ravel().tolist()
    return {"id": name, "map": pack_map(predicted), "confusions": tables}


def guesses(root, records):
    """Predictions of all images: no two are alike."""
    return [
        prediction(name, guess(truth_of(root, record), n), n)
        for n, (name, record) in enumerate(records.items())
    ]


def context_of(root, records, crop=CROP):
    """What of a context the score step looks at; the listing is written below `root`."""
    write_json(root / "val.json", {"info": {}, "images": list(records.values())})
    return SimpleNamespace(
        settings=SimpleNamespace(dataset=SimpleNamespace(root=str(root), crop=crop)),
        paths=SimpleNamespace(
            annotations=lambda split: root / f"{split}.json",
            run=lambda run, name: root / run.path / name,
        ),
    )
