"""Maps as texts, and texts that are no maps."""

import base64

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lzu.errors import UserError
from lzu.tasks.segmentation.scoring.maps import pack_map, unpack_map

SIZE = (6, 9)
MAP = np.arange(54, dtype=np.uint8).reshape(SIZE) % 19


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 18))
)
def test_a_map_comes_back_as_it_was(train_ids):
    text = pack_map(train_ids)
    assert text.isascii()
    found = unpack_map(text, train_ids.shape, "x")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, train_ids)


def test_a_view_is_packed_as_what_it_shows():
    np.testing.assert_array_equal(unpack_map(pack_map(MAP[1:4, ::2]), (3, 5), "x"), MAP[1:4, ::2])


def png(image, *parameters):
    return base64.b64encode(cv2.imencode(".png", image, parameters)[1].tobytes()).decode()


def flipped(text, at):
    content = bytearray(base64.b64decode(text))
    content[at] ^= 0x55
    return base64.b64encode(content).decode()


WHOLE = pack_map(MAP)
CASES = {
    "no text": (None, "no PNG of one channel of 8 bits in base64, or a damaged one"),
    "empty": ("", "or a damaged one"),
    "not base64": (WHOLE[:20] + "*" + WHOLE[20:], "or a damaged one"),
    "not ASCII": ("ä" + WHOLE, "or a damaged one"),
    "cut off": (base64.b64encode(base64.b64decode(WHOLE)[:-30]).decode(), "or a damaged one"),
    "header alone": (base64.b64encode(base64.b64decode(WHOLE)[:30]).decode(), "or a damaged one"),
    "a byte changed": (flipped(WHOLE, 50), "or a damaged one"),
    "colour": (png(np.zeros((*SIZE, 3), np.uint8)), "no PNG of one channel of 8 bits"),
    "16 bits": (png(np.zeros(SIZE, np.uint16)), "no PNG of one channel of 8 bits"),
    "1 bit": (png(np.zeros(SIZE, np.uint8), cv2.IMWRITE_PNG_BILEVEL, 1), "no PNG of one channel"),
    "a JPEG": (
        base64.b64encode(cv2.imencode(".jpg", MAP)[1].tobytes()).decode(),
        "no PNG of one channel of 8 bits",
    ),
    "turned": (pack_map(MAP.T.copy()), "6 x 9 pixels, not 9 x 6"),
    "ignored pixels": (png(np.full(SIZE, 255, np.uint8)), "255 is no trainId from 0 to 18"),
    "ids": (png(np.full(SIZE, 19, np.uint8)), "19 is no trainId from 0 to 18"),
}


@pytest.mark.parametrize(("text", "said"), CASES.values(), ids=CASES)
def test_a_text_that_is_no_map_is_one_error_with_its_mend(text, said):
    with pytest.raises(UserError) as caught:
        unpack_map(text, SIZE, "predictions.json: image ulm_000003_000019")
    message = str(caught.value)
    assert message.startswith("predictions.json: image ulm_000003_000019: map: ")
    assert said in message
    assert message.endswith("; predict again")


@pytest.mark.parametrize(
    "train_ids",
    [MAP.astype(np.int64), MAP[None], MAP[:0], MAP + 1, np.full(SIZE, 255, np.uint8)],
    ids=["type", "rank", "empty", "value", "ignore"],
)
def test_what_is_no_map_is_not_packed(train_ids):
    with pytest.raises(ValueError, match=r"a map must be|no trainId"):
        pack_map(train_ids)
