"""One decoder: real files of every kind are read alike by check, training and pictures, or refused
by all of them with a name for what is wrong."""

import io
import os
import random
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from lzu.datasets.argoverse_hd.validation import validate
from lzu.datasets.images import MOST_PIXELS, ImageError, check_image, read_image
from lzu.errors import UserError

WIDTH, HEIGHT = SIZE = (64, 40)
PIXELS = cv2.resize(
    np.random.default_rng(0).integers(0, 255, (10, 16, 3), dtype=np.uint8), SIZE
)  # smooth, so that a JPEG of it is near
PICTURE = Image.fromarray(PIXELS[..., ::-1])


def encoded(form, mode="RGB", **options):
    buffer = io.BytesIO()
    PICTURE.convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def oriented(form, orientation):
    tags = Image.Exif()
    tags[0x112] = orientation
    return encoded(form, exif=tags)


def sixteen_bits(channels):
    image = PIXELS.astype(np.uint16) * 257
    return cv2.imencode(".png", image if channels == 3 else image[..., 0])[1].tobytes()


def chunk(name, content):
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def with_chunk(name, content):
    """A PNG with a chunk more, after its header."""
    data = encoded("PNG")
    return data[:33] + chunk(name, content) + data[33:]


def claiming(data, width, height):
    """A PNG or JPEG whose header says another size."""
    if data.startswith(b"\x89PNG"):
        header = struct.pack(">II", width, height) + data[24:29]
        return data[:8] + chunk(b"IHDR", header) + data[33:]
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


READ = {
    "jpeg": encoded("JPEG", quality=95),
    "progressive jpeg": encoded("JPEG", progressive=True),
    "jpeg without subsampling": encoded("JPEG", subsampling=0),
    "grey jpeg": encoded("JPEG", "L"),
    "jpeg and more behind it": encoded("JPEG") + b"\0" * 9,
    "upright jpeg": oriented("JPEG", 1),
    "jpeg of a nonsensical orientation": oriented("JPEG", 77),
    "jpeg with long metadata": encoded("JPEG", icc_profile=b"p" * 200_000),
    "png": encoded("PNG"),
    "upright png": oriented("PNG", 1),
    "grey png": encoded("PNG", "L"),
    "palette png": encoded("PNG", "P"),
    "bilevel png": encoded("PNG", "1"),
}

REFUSED = {
    **{
        f"orientation {k} {form}": (oriented(form, k), "image_orientation", f"orientation is {k}")
        for form in ("JPEG", "PNG")
        for k in range(2, 9)
    },
    "gif": (encoded("GIF"), "image_format", "is a GIF"),
    "webp": (encoded("WEBP"), "image_format", "is a WebP"),
    "bmp": (encoded("BMP"), "image_format", "is a BMP"),
    "tiff": (encoded("TIFF"), "image_format", "is a TIFF"),
    "avif": (b"\0\0\0\x1cftypavif" + b"\0" * 40, "image_format", "HEIF or AVIF"),
    "jpeg 2000": (encoded("JPEG2000"), "image_format", "JPEG 2000"),
    "cmyk jpeg": (encoded("JPEG", "CMYK"), "image_format", "4 channels"),
    "16-bit png": (sixteen_bits(3), "image_format", "16 bits"),
    "grey 16-bit png": (sixteen_bits(1), "image_format", "16 bits"),
    "png with alpha": (encoded("PNG", "RGBA"), "image_format", "transparency"),
    "grey png with alpha": (encoded("PNG", "LA"), "image_format", "transparency"),
    "png with a transparent colour": (
        encoded("PNG", transparency=(1, 2, 3)), "image_format", "transparency",
    ),
    "animated png": (
        encoded("PNG", save_all=True, append_images=[PICTURE.rotate(180)]),
        "image_format", "animation",
    ),
    "half a jpeg": (READ["jpeg"][: len(READ["jpeg"]) // 2], "image_unreadable", "cut off"),
    "jpeg without its end": (READ["jpeg"][:-2], "image_unreadable", "cut off"),
    "half a png": (READ["png"][: len(READ["png"]) // 2], "image_unreadable", "cut off"),
    "png without its end": (READ["png"][:-12], "image_unreadable", "cut off"),
    "a jpeg's first bytes": (READ["jpeg"][:30], "image_unreadable", "header is cut off"),
    "a png's first bytes": (READ["png"][:20], "image_unreadable", "header is cut off"),
    "text": (b"not found", "image_unreadable", "neither a JPEG nor a PNG"),
    "nothing": (b"", "image_unreadable", "the file is empty"),
    "jpeg of another size": (
        cv2.imencode(".jpg", PIXELS[:, ::2])[1].tobytes(), "image_size", "32 x 40 pixels",
    ),
    "jpeg of size 0": (claiming(READ["jpeg"], 0, 40), "image_unreadable", "no size"),
    "jpeg of a giant size": (claiming(READ["jpeg"], 65000, 65000), "image_size", "65000 x 65000"),
    "png of a giant size": (
        claiming(READ["png"], 2**31 - 1, 2**31 - 1), "image_size", "2147483647 x 2147483647",
    ),
}  # fmt: skip


@pytest.fixture
def place(root):
    """Puts bytes where the tiny dataset's first image is, all of which are said to be of SIZE."""
    path = sorted((root / "Argoverse-1.1/tracking/train").rglob("*.jpg"))[0]

    def put(data):
        path.write_bytes(data)
        return path

    return put


def loaded(path, size=SIZE):
    """What training, prediction and timing see of a file."""
    pytest.importorskip("mmcv")
    from lzu.models.images import LoadImage

    sample = {"img_path": str(path), "width": size[0], "height": size[1]}
    return LoadImage()(sample)["img"]


@pytest.mark.parametrize("name", READ)
def test_what_the_check_accepts_training_reads(place, name):
    path = place(READ[name])
    for decode in (False, True):
        check_image(path, SIZE, decode=decode)
    image = loaded(path)
    assert (image.shape, image.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    # OpenCV's own reading, as mmcv has it, and Pillow's
    assert np.array_equal(image, cv2.imread(str(path), cv2.IMREAD_COLOR))
    theirs = np.asarray(Image.open(path).convert("RGB"))[..., ::-1]
    assert np.abs(image.astype(int) - theirs).max() <= (0 if "png" in name else 3)
    assert np.array_equal(read_image(path), image)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_so_by_all(place, name):
    data, kind, said = REFUSED[name]
    path = place(data)
    with pytest.raises(ImageError, match=said) as error:
        check_image(path, SIZE, decode=True)
    assert error.value.kind == kind
    for read in (loaded, lambda path: read_image(path, SIZE)):
        with pytest.raises(UserError, match=said) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: ")


def test_an_image_that_a_loader_s_worker_meets_is_named_without_a_traceback(place):
    data = pytest.importorskip("torch.utils.data")
    path = place(READ["jpeg"][:-2])

    class Images(data.Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return read_image(path)

    with pytest.raises(ImageError) as error:
        next(iter(data.DataLoader(Images(), num_workers=1)))
    assert str(error.value) == f"{path}: the image cannot be read (its file is cut off)"


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("how", ["header", "decode"])
def test_a_turned_image_is_an_error_of_the_check(root, tiny_world, orientation, how):
    """With half of the orientations the size is the same, and boxes would lie elsewhere."""
    path = sorted((root / "Argoverse-1.1/tracking/train").rglob("*.jpg"))[0]
    tags = Image.Exif()
    tags[0x112] = orientation
    with Image.open(path) as image:
        image.save(path, "JPEG", exif=tags)
    [finding] = validate(root, "train", images=how).findings
    assert (finding.kind, finding.file) == ("image_orientation", str(path))
    assert f"orientation is {orientation}" in finding.message


def test_a_header_that_is_longer_than_usual_is_read(place):
    path = place(oriented("JPEG", 6).replace(b"\xff\xdb", b"\xff\xe2\xff\xff" + b"p" * 65533, 1))
    assert path.stat().st_size > 2**16
    path.write_bytes(encoded("JPEG", icc_profile=b"p" * 200_000))
    check_image(path, SIZE, decode=False)
    with pytest.raises(ImageError, match="64 x 40 pixels, but the annotations say 63 x 40"):
        check_image(path, (63, 40), decode=False)


BOMBS = {
    # said by annotations too, or with no size to compare to
    "claimed pixels, jpeg": claiming(READ["jpeg"], 65000, 65000),
    "claimed pixels, png": claiming(READ["png"], 100_000, 100_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_claimed_pixels_are_refused_before_they_are_decoded(place, name):
    path = place(BOMBS[name])
    began = time.perf_counter()
    for size in (None, (65000, 65000), (100_000, 100_000)):
        with pytest.raises(ImageError, match=rf"claims .* pixels, more than {MOST_PIXELS:,}|say"):
            read_image(path, size)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_bomb_in_a_png_s_text_is_not_inflated(place, name):
    """200 MB of zeros in 200 kB."""
    packed = zlib.compress(bytes(200_000_000), 9)
    key = b"Comment\0" + (b"\1\0\0\0" if name == b"iTXt" else b"\0")
    path = place(with_chunk(name, key + packed))
    began = time.process_time()
    check_image(path, SIZE, decode=False)
    assert np.array_equal(read_image(path, SIZE), PIXELS)
    assert time.process_time() - began < 0.2


def test_what_is_no_regular_file_is_missing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name in ("pipe", "link", "folder", "nowhere", "file/below"):
        for decode in (False, True):
            with pytest.raises(ImageError, match="the image is missing") as error:
                check_image(tmp_path / name, SIZE, decode=decode)
            assert error.value.kind == "image_missing"


def test_a_giant_file_is_not_read(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ImageError, match="is too large"):
        read_image(tmp_path / "a.jpg")


def test_links_are_followed(place, tmp_path):
    path = place(READ["jpeg"])
    (tmp_path / "link.jpg").symlink_to(path)
    assert np.array_equal(read_image(tmp_path / "link.jpg", SIZE), read_image(path))


@pytest.mark.parametrize("name", ["jpeg", "progressive jpeg", "png", "upright jpeg"])
def test_whatever_is_damaged_the_check_and_training_agree(place, name):
    """Read alike or refused alike, and never in another way than by ImageError."""
    outcomes = {True: 0, False: 0}
    for seed in range(150):
        draw = random.Random(seed)
        data = bytearray(READ[name])
        at, length = draw.randrange(len(data)), draw.randint(1, 300)
        match draw.choice(["flip", "cut", "zero", "end"]):
            case "flip":
                data[at] ^= 1 << draw.randrange(8)
            case "cut":
                del data[at : at + length]
            case "zero":
                data[at : at + length] = bytes(len(data[at : at + length]))
            case "end":
                del data[at:]
        path = place(bytes(data))
        accepted = []
        for look in (
            lambda path=path: check_image(path, SIZE, decode=True),
            lambda path=path: read_image(path, SIZE),
        ):
            try:
                look()
                accepted.append(True)
            except ImageError:
                accepted.append(False)
        assert accepted[0] == accepted[1], seed
        outcomes[accepted[0]] += 1
    assert outcomes[False] > 20
