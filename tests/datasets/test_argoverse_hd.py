"""Breaks a tiny dataset in each way that the validator must find; reads it with others' tools."""

import contextlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lzu.datasets.argoverse_hd.classes import CLASSES
from lzu.datasets.argoverse_hd.coco import check_split, fingerprint, prepare, to_coco
from lzu.datasets.argoverse_hd.reader import load
from lzu.datasets.argoverse_hd.validation import validate
from lzu.datasets.marks import MARKERS, SEALS
from lzu.errors import UserError


def first_image(root: Path) -> tuple[Path, int]:
    data = json.loads((root / "Argoverse-HD/annotations/train.json").read_text())
    image = data["images"][0]
    folder = root / "Argoverse-1.1/tracking" / data["seq_dirs"][image["sid"]]
    return folder / image["name"], image["id"]


def only(report, kind):
    """The findings of `kind`, after making sure that there are no others."""
    assert set(report.counts) == {kind}, report.text()
    return [f for f in report.findings if f.kind == kind]


def test_the_synthetic_dataset_is_clean(written):
    for split in ("train", "val"):
        report = validate(written, split)
        assert report.findings == ()
        assert report.images == (6 if split == "train" else 3)
        assert report.annotations > 10
        assert "nothing wrong" in report.text()


def test_layout_is_that_of_argoverse_hd(written, tiny_world):
    data = json.loads((written / "Argoverse-HD/annotations/train.json").read_text())
    assert set(data) == {
        "categories", "images", "annotations", "sequences", "seq_dirs", "coco_subset",
        "coco_mapping",
    }  # fmt: skip
    assert [c["name"] for c in data["categories"]] == list(CLASSES)
    assert [c["id"] for c in data["categories"]] == list(range(8))
    assert all(set(i) == {"id", "sid", "fid", "name", "width", "height"} for i in data["images"])
    assert [(i["sid"], i["fid"]) for i in data["images"]] == [
        (s, f) for s in (0, 1) for f in range(3)
    ]
    keys = {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "track"}
    assert all(set(a) == keys for a in data["annotations"])
    assert len(data["coco_mapping"]) == 80
    assert data["coco_mapping"].count(80) == 72
    assert [data["coco_mapping"][k] for k in data["coco_subset"]] == list(range(8))
    for image in data["images"]:
        path = written / "Argoverse-1.1/tracking" / data["seq_dirs"][image["sid"]] / image["name"]
        assert cv2.imread(str(path)).shape == (*tiny_world.image_size, 3)


def test_tracks_belong_to_one_sequence_and_class_and_persist(written):
    data = json.loads((written / "Argoverse-HD/annotations/train.json").read_text())
    sid = {image["id"]: image["sid"] for image in data["images"]}
    seen: dict[int, set] = {}
    frames: dict[int, set] = {}
    for record in data["annotations"]:
        seen.setdefault(record["track"], set()).add(
            (sid[record["image_id"]], record["category_id"])
        )
        assert record["image_id"] not in frames.setdefault(record["track"], set())
        frames[record["track"]].add(record["image_id"])
    assert all(len(kinds) == 1 for kinds in seen.values())
    assert max(len(images) for images in frames.values()) == 3


@pytest.mark.parametrize("exists", [False, True])
def test_no_dataset_says_where_to_get_it(tmp_path, exists):
    root = tmp_path / "argoverse"
    if exists:
        root.mkdir()
    with pytest.raises(UserError) as caught:
        validate(root, "train")
    message = str(caught.value)
    assert str(root / "Argoverse-HD/annotations/train.json") in message
    assert "is empty" in message if exists else "does not exist" in message
    assert "argoverse.org" in message
    assert "mengtial/proj/streaming" in message


def test_missing_annotation_file(root):
    with pytest.raises(UserError, match=r"test\.json.*streaming"):
        validate(root, "test")


def test_truncated_json_gives_line_and_column(root):
    path = root / "Argoverse-HD/annotations/train.json"
    text = path.read_text()
    path.write_text("{\n" + text[1 : len(text) // 2])
    with pytest.raises(UserError, match=r"train\.json is not valid JSON at line 2, column \d+"):
        validate(root, "train")


def test_json_that_is_something_else(root):
    path = root / "Argoverse-HD/annotations/train.json"
    path.write_text("[1, 2]")
    with pytest.raises(UserError, match="holds a list"):
        validate(root, "train")
    path.write_text('{"images": []}')
    with pytest.raises(UserError, match=r"no list 'categories', 'annotations', 'seq_dirs'"):
        validate(root, "train")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not text"):
        validate(root, "train")


def test_missing_key_and_wrong_type(root, edit):
    def change(data):
        del data["images"][1]["fid"]
        data["annotations"][2]["bbox"] = [1, 2, "3", 4]

    path = edit(change)
    report = validate(root, "train")
    assert report.counts == {"missing_key": 1, "bad_value": 1}
    missing, wrong = report.findings
    assert str(missing) == f"{path}, id 1: images[1] has no key 'fid'"
    assert wrong.id == 2
    assert "'bbox' is [1, 2, '3', 4], not four numbers" in wrong.message


def test_missing_image(root):
    path, image = first_image(root)
    path.unlink()
    for how in ("decode", "header", "none"):
        [finding] = only(validate(root, "train", images=how), "image_missing")
        assert (finding.file, finding.id) == (str(path), image)


def test_image_folder_missing(root):
    (root / "Argoverse-1.1").rename(root / "elsewhere")
    [finding] = only(validate(root, "train"), "image_missing")
    assert "argoverse.org" in finding.message


def test_truncated_image_is_found_by_decoding(root):
    path, image = first_image(root)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert validate(root, "train", images="header").findings == ()
    [finding] = only(validate(root, "train", images="decode", jobs=2), "image_unreadable")
    assert (finding.file, finding.id) == (str(path), image)
    assert "cannot be read" in finding.message


def test_image_that_is_no_image(root):
    path, image = first_image(root)
    path.write_text("not found")
    [finding] = only(validate(root, "train", images="header"), "image_unreadable")
    assert finding.id == image


def test_wrong_image_size(root):
    path, image = first_image(root)
    cv2.imwrite(str(path), np.zeros((100, 160, 3), np.uint8))
    [finding] = only(validate(root, "train"), "image_size")
    assert (finding.file, finding.id) == (str(path), image)
    assert "160 x 100 pixels, but the annotations say 320 x 200" in finding.message


@pytest.mark.parametrize(
    ("box", "kind", "severity", "text"),
    [
        ([400, 10, 20, 20], "box_outside", "error", "leaves the image of 320 x 200 by 100 pixels"),
        ([10, 150, 20, 90], "box_outside", "error", "by 40 pixels"),
        ([-30, 10, 10, 10], "box_outside", "error", "by 30 pixels"),
        ([10, 10, 0, 5], "box_size", "error", "has no positive size"),
        ([10, 10, 5, -5], "box_size", "error", "has no positive size"),
        ([10, 10, float("nan"), 5], "box_size", "error", "is not finite"),
        ([-1.5, 10, 20, 20], "box_clipped", "warning", "by 1.5 pixels; it is clipped"),
    ],
)
def test_bad_boxes(root, edit, box, kind, severity, text):
    path = edit(lambda data: data["annotations"][4].update(bbox=box))
    [finding] = only(validate(root, "train"), kind)
    assert (finding.severity, finding.file, finding.id) == (severity, str(path), 4)
    assert text in finding.message


def test_unknown_classes(root, edit):
    def change(data):
        data["annotations"][3]["category_id"] = 12
        data["categories"][1]["name"] = "unicycle"

    edit(change)
    findings = only(validate(root, "train"), "unknown_class")
    assert [f.id for f in findings] == [1, 3]
    assert "'unicycle' with id 1; expected 'bicycle'" in findings[0].message
    assert "unknown class 12" in findings[1].message


def test_duplicate_ids(root, edit):
    def change(data):
        data["annotations"][5]["id"] = 0
        data["images"][2]["id"] = 1

    edit(change)
    report = validate(root, "train")
    found = {f.kind: f for f in report.findings}
    assert found["duplicate_annotation_id"].id == 0
    assert "annotations[5]" in found["duplicate_annotation_id"].message
    assert found["duplicate_image_id"].id == 1
    # The boxes of the image whose id is gone hang in the air.
    assert found["unknown_image"].message == "box of image 2, which is not listed"


def test_unknown_sequence(root, edit):
    edit(lambda data: data["images"][0].update(sid=9, fid=100))
    report = validate(root, "train")
    assert [f.id for f in report.findings if f.kind == "unknown_sequence"] == [0]


def test_repeated_and_missing_frames(root, edit):
    edit(lambda data: data["images"][1].update(fid=2))
    report = validate(root, "train")
    assert report.counts == {"repeated_frame": 1, "missing_frame": 1}
    repeated, missing = report.findings
    assert (repeated.severity, missing.severity) == ("error", "warning")
    assert "frame 2 of sequence 0 is repeated (also image 1)" in repeated.message
    assert missing.message == "sequence 0 lacks 1 of frames 0 to 2: 1"
    assert {f.severity for f in validate(root, "train", order="error").findings} == {"error"}


def test_frames_out_of_the_order_of_time(root, edit):
    """Renumbered backwards; the file names keep their time stamps."""
    edit(lambda data: [i.update(fid=5 - i["fid"]) for i in data["images"] if i["sid"] == 0])
    report = validate(root, "train")
    assert report.counts == {"late_start": 1, "frame_order": 1}
    assert {f.severity for f in report.findings} == {"warning"}
    wrong = next(f for f in report.findings if f.kind == "frame_order")
    assert wrong.message.startswith("sequence 0: frame 4 (ring_front_center_")
    with pytest.raises(UserError, match="is not later than frame 3"):
        validate(root, "train", order="error").raise_if_errors("findings.json")


def test_report_is_capped_in_print_and_full_in_json(root, edit, tmp_path):
    edit(lambda data: [a.update(bbox=[0, 0, 0, 0]) for a in data["annotations"][:20]])
    listed = tmp_path / "report.json"
    with pytest.raises(UserError) as caught:
        check_split(root, "train", listed)
    message = str(caught.value)
    assert message.count("has no positive size") == 5
    assert "and 15 more" in message
    assert str(listed) in message
    full = json.loads(listed.read_text())
    assert len(full["findings"]) == 20
    assert full["counts"] == {"box_size": 20}


def test_annotations_with_errors_are_not_prepared(root, edit, tmp_path):
    path = edit(lambda data: [a.update(bbox=[0, 0, 0, 0]) for a in data["annotations"][:20]])
    with pytest.raises(UserError) as caught:
        prepare(root, "train", tmp_path / "train.json", tmp_path / "train.about.json")
    message = str(caught.value)
    assert message.count("has no positive size") == 5
    assert "and 15 more" in message
    assert str(path) in message
    assert not (tmp_path / "train.json").exists()
    assert not (tmp_path / "train.about.json").exists()


def test_a_check_writes_its_report_and_looks_as_it_is_told(root, tmp_path):
    listed = tmp_path / "findings" / "train.json"
    report = check_split(root, "train", listed)
    assert (report.errors, report.images) == ((), 6)
    assert json.loads(listed.read_text()) == json.loads(json.dumps(report.to_dict()))
    path, _ = first_image(root)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert check_split(root, "train", listed, images="header").findings == ()
    with pytest.raises(UserError, match="cannot be read"):
        check_split(root, "train", listed, jobs=2)
    assert json.loads(listed.read_text())["counts"] == {"image_unreadable": 1}
    with pytest.raises(UserError, match="the suite's native_size says 1920 x 1200"):
        check_split(root, "train", listed, images="none", image_size=(1200, 1920))


def test_a_check_tells_the_order_of_frames(root, edit, tmp_path):
    edit(lambda data: data["images"][1].update(fid=7))
    listed = tmp_path / "findings.json"
    assert check_split(root, "train", listed).counts == {"missing_frame": 1, "frame_order": 1}
    with pytest.raises(UserError, match="sequence 0 lacks"):
        check_split(root, "train", listed, order="error")


def test_preparing_opens_no_image(root, tmp_path, monkeypatch):
    """The check has; but a missing one is found all the same."""
    monkeypatch.setattr("PIL.Image.open", lambda *_: pytest.fail("opened an image"))
    prepare(root, "train", tmp_path / "train.json", tmp_path / "train.about.json")
    path, _ = first_image(root)
    path.unlink()
    with pytest.raises(UserError, match="the image is missing"):
        prepare(root, "train", tmp_path / "again.json", tmp_path / "again.about.json")


def prepared_bytes(root, folder, split="train"):
    """The annotation file and the small file beside it, as they are written."""
    out, about = folder / f"{split}.json", folder / f"{split}.about.json"
    prepare(root, split, out, about)
    return out.read_bytes(), about.read_bytes()


def test_equal_data_gives_equal_files_wherever_it_lies(root, written, tmp_path):
    first = prepared_bytes(written, tmp_path / "one")
    assert prepared_bytes(root, tmp_path / "two") == first
    assert prepared_bytes(root, tmp_path / "two") == first
    link = tmp_path / "link"
    link.symlink_to(written)
    assert prepared_bytes(link, tmp_path / "three") == first
    assert str(written).encode() not in b"".join(first)
    assert prepared_bytes(root, tmp_path / "two", "val") != first


def test_the_small_file_is_what_the_annotations_say_of_themselves(written, tmp_path):
    content, about = map(json.loads, prepared_bytes(written, tmp_path))
    assert about == content["info"]
    assert set(about) == {
        "dataset", "split", "source", "images", "annotations", "clipped_boxes", "dropped_boxes",
        "crowd_boxes", "subpixel_boxes", "fingerprint", "annotations_sha256", "images_sha256",
    }  # fmt: skip
    assert about["annotations"] == len(content["annotations"])
    assert about["fingerprint"] == fingerprint(load(written, "train"))["fingerprint"]


def test_tolerated_boxes_are_left_out_and_counted(root, edit, tmp_path):
    def change(data):
        data["annotations"][0]["bbox"] = [0, 0, 0, 0]
        data["annotations"][1]["bbox"] = [-1.0, 5, 21, 10]

    edit(change)
    out = tmp_path / "train.json"
    report = check_split(root, "train", tmp_path / "r.json", tolerate=("box_size",))
    assert report.errors == ()
    assert report.counts == {"box_size": 1, "box_clipped": 1}
    prepare(root, "train", out, tmp_path / "about.json", tolerate=("box_size",))
    coco = json.loads(out.read_text())
    assert (coco["info"]["dropped_boxes"], coco["info"]["clipped_boxes"]) == (1, 1)
    assert coco["annotations"][0]["bbox"] == [0, 5, 20.0, 10]


def test_bad_arguments(written):
    with pytest.raises(ValueError, match="images must be one of"):
        validate(written, "train", images="look")
    with pytest.raises(ValueError, match="order must be"):
        validate(written, "train", order="ignore")
    with pytest.raises(ValueError, match=r"only .* can be tolerated"):
        validate(written, "train", tolerate=("image_missing",))


def test_pycocotools_reads_and_scores_the_result(written, tmp_path):
    coco_api = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    out = tmp_path / "train.json"
    prepare(written, "train", out, tmp_path / "about.json")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_api.COCO(str(out))
        perfect = [
            {
                "image_id": a["image_id"],
                "category_id": a["category_id"],
                "bbox": a["bbox"],
                "score": 0.9,
            }
            for a in truth.dataset["annotations"]
        ]
        scored = evaluation.COCOeval(truth, truth.loadRes(perfect), "bbox")
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    # Any box whose id is 0 would count as missed.
    assert scored.stats[0] == pytest.approx(1.0)
    for image in truth.dataset["images"]:
        assert (written / image["file_name"]).is_file()
        assert {"sid", "fid", "name"} <= set(image)
    source = load(written, "train").data["annotations"]
    kept = truth.dataset["annotations"]
    assert [a["track"] for a in kept] == [a["track"] for a in source]
    np.testing.assert_allclose([a["bbox"] for a in kept], [a["bbox"] for a in source], atol=0.02)


def test_info_tells_where_the_data_come_from(root, tmp_path):
    def info(name):
        prepare(root, "val", tmp_path / f"{name}.json", tmp_path / f"{name}.about.json")
        return json.loads((tmp_path / f"{name}.about.json").read_text())

    first = info("a")
    assert first["source"] == "synthetic"
    assert first["dataset"] == "argoverse_hd"
    assert first["images"] == 3
    assert info("again") == first
    for name in (*MARKERS.values(), *SEALS.values()):
        (root / name).unlink()
    assert info("b")["source"] == "real"
    assert info("b")["fingerprint"] == first["fingerprint"]

    path = next((root / "Argoverse-1.1/tracking/val").rglob("*.jpg"))
    path.write_bytes(path.read_bytes() + b"\0")
    changed = info("c")
    assert changed["images_sha256"] != first["images_sha256"]
    assert changed["annotations_sha256"] == first["annotations_sha256"]
    assert changed["fingerprint"] != first["fingerprint"]


def test_conversion_keeps_the_loaded_data_untouched(written):
    dataset = load(written, "val")
    before = json.dumps(dataset.data)
    to_coco(dataset)
    fingerprint(dataset)
    assert json.dumps(dataset.data) == before


def test_images_of_another_size_than_the_suite_expects(root):
    report = validate(root, "train", "header", image_size=(1200, 1920))
    found = [finding for finding in report.findings if finding.kind == "other_image_size"]
    assert len(found) == report.images
    assert "320 x 200, and the suite's native_size says 1920 x 1200" in found[0].message
    assert not validate(root, "train", "header", image_size=(200, 320)).findings
