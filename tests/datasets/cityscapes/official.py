"""How the dataset's own evaluation (cityscapesscripts) is run in tests."""

from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as evaluation  # noqa: N813


def silent_arguments(monkeypatch, folder):
    """The evaluation's settings: silent, predictions in `folder`, and without its instances, which
    fail with NumPy 2.4."""
    own = {
        "evalInstLevelScore": False, "quiet": True, "JSONOutput": False, "colorized": False,
        "bold": "", "nocol": "", "predictionPath": str(folder), "predictionWalk": None,
    }  # fmt: skip
    for name, value in own.items():
        monkeypatch.setattr(evaluation.args, name, value)
    return evaluation.args
