"""Checkpoints from elsewhere: over https alone, bounded, whole, known by all of their digest."""

import hashlib
import http.server
import io
import shutil
import ssl
import subprocess
import threading
import urllib.request
from types import SimpleNamespace

import pytest
import torch
import yaml
from pydantic import ValidationError

from lzu.engine import weights as subject
from lzu.engine.weights import BACKBONES, fetch, fetch_backbones
from lzu.errors import UserError
from lzu.experiments.settings import Weights

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def fetched(source, target, digest=DIGEST):
    fetch(Weights(source=str(source), sha256=digest), target)
    return target.read_bytes()


@pytest.fixture
def target(tmp_path):
    """Where a checkpoint is to be; at the end of a refusal nothing is in its folder."""
    return tmp_path / "weights" / "target.pth"


@pytest.fixture
def refused(target):
    def refuse(source, said, digest=DIGEST):
        with pytest.raises(UserError, match=said) as error:
            fetched(source, target, digest)
        assert str(source) in str(error.value)
        assert str(error.value).startswith("model.initial_weights.")
        assert list(target.parent.iterdir()) == []

    return refuse


@pytest.fixture
def given(tmp_path):
    path = tmp_path / "given.pth"
    path.write_bytes(CONTENT)
    return path


def test_a_path_is_copied(given, target):
    assert fetched(given, target) == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["target.pth"]


@pytest.mark.parametrize("source", [
    "http://example.org/a.pth", "ftp://example.org/a.pth", "file:///etc/hostname",
    "data://text/plain,x", "HTTPS://example.org/a.pth", "s3://bucket/a.pth", "torchvision://resnet50",
])  # fmt: skip
def test_other_schemes_are_refused_before_anything_is_opened(refused, source, monkeypatch):
    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("opened"))
    refused(source, "neither a path nor https")


def test_another_file_is_refused(given, refused):
    refused(given, f"has {DIGEST}, not {'0' * 64}", "0" * 64)
    almost = DIGEST[:-1] + ("0" if DIGEST[-1] != "0" else "1")
    refused(given, f"not {almost}", almost)


@pytest.mark.parametrize("digits", [8, 16, 63])
def test_the_first_digits_of_a_digest_are_too_few(given, target, digits):
    with pytest.raises(ValidationError, match="64"):
        Weights(source=str(given), sha256=DIGEST[:digits])
    unchecked = Weights.model_construct(source=str(given), sha256=DIGEST[:digits])
    with pytest.raises(UserError, match=f"sha256: .* has {digits} of 64 digits"):
        fetch(unchecked, target)
    assert not target.exists()


@pytest.mark.parametrize("source", ["/dev/zero", "."])
def test_what_is_no_file_is_refused(refused, source):
    refused(source, "it is no file")


def test_a_path_that_is_too_large_is_refused(given, refused, monkeypatch):
    monkeypatch.setattr(subject, "MOST_BYTES", len(CONTENT) - 1)
    refused(given, "more than 6,999 bytes")


@pytest.fixture
def served(tmp_path, monkeypatch):
    """An https server on this machine whose answers a test chooses; its address."""
    if shutil.which("openssl") is None:
        pytest.skip("makes a certificate by openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    answer = SimpleNamespace

    def say(function):
        nonlocal answer
        answer = function
        return f"https://localhost:{server.server_address[1]}/a.pth"

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield say
    server.shutdown()
    server.server_close()


def replies(content=CONTENT, length=7000, status=200, **headers):
    def answer(request):
        request.send_response(status)
        for name, value in {"Content-Length": length, **headers}.items():
            if value is not None:
                request.send_header(name.replace("_", "-"), str(value))
        request.end_headers()
        request.wfile.write(content)

    return answer


def test_an_https_url_is_copied(served, target):
    assert fetched(served(replies()), target) == CONTENT


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (replies(length=2**40), "more than 2,147,483,648 bytes"),
        (replies(b"", length=0, status=404), "404"),
        (replies(CONTENT[:99], length=99), "not " + DIGEST),
        (replies(b"", length=0, status=302, Location="http://localhost/a"), "redirects to http:"),
        (replies(b"", length=0, status=302, Location="file:///etc/passwd"), "url 'file:"),
        (replies(b"", length=0, status=302, Location="ftp://localhost/a"), "redirects to ftp:"),
    ],
)
def test_what_a_server_says_is_not_trusted(served, refused, answer, said):
    refused(served(answer), said)


def test_a_certificate_of_nobody_is_refused(served, refused, monkeypatch, tmp_path):
    address = served(replies())
    (tmp_path / "none.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    refused(address, "CERTIFICATE_VERIFY_FAILED")


def test_a_server_that_hides_its_size_is_cut_off(served, refused, monkeypatch):
    monkeypatch.setattr(subject, "MOST_BYTES", 5000)
    refused(served(replies(length=None)), "more than 5,000 bytes")


def test_a_silent_server_is_given_up(served, refused, monkeypatch):
    monkeypatch.setattr(subject, "SILENCE_S", 0.2)
    waits = threading.Event()
    refused(served(lambda request: waits.wait(5)), "timed out")
    waits.set()


def test_a_slow_server_is_given_up(refused, monkeypatch):
    """One that brings a byte now and then is never silent."""
    clock = iter(range(0, 10**6, 50))
    monkeypatch.setattr(subject, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    slow = io.BytesIO(bytes(10**5))
    slow.read1 = lambda _: slow.read(1)
    slow.headers = {}
    opener = SimpleNamespace(open=lambda *_, **__: slow)
    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: opener)
    refused("https://example.org/a.pth", "not done after 3600 s")


@pytest.fixture
def backbone(tmp_path):
    """A checkpoint of a backbone, and its digest."""
    path = tmp_path / "backbone.pth"
    torch.save({"state_dict": {"conv1.weight": torch.ones(2)}}, path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def with_init(**init):
    block = {"type": "Pretrained", **init}
    return {"backbone": {"type": "ResNet", "init_cfg": [block]}, "neck": {"in_channels": (1, 2)}}


def test_an_init_cfg_loads_a_checked_copy(backbone, tmp_path):
    path, digest = backbone
    model = with_init(checkpoint=str(path), sha256=digest, prefix="backbone.")
    found = fetch_backbones(model, tmp_path / "copies")
    copy = tmp_path / "copies" / f"{digest}.pth"
    init = {"type": "Pretrained", "checkpoint": str(copy), "prefix": "backbone."}
    assert found["backbone"]["init_cfg"] == [init]
    assert copy.read_bytes() == path.read_bytes()
    path.unlink()
    again = with_init(checkpoint=str(path), sha256=digest)
    assert fetch_backbones(again, tmp_path / "copies") is again


@pytest.mark.parametrize("source", [
    "http://example.org/a.pth", "https://example.org/a.pth", "torchvision://resnet18",
    "open-mmlab://detectron2/resnet50_caffe", "/somewhere/a.pth",
])  # fmt: skip
def test_an_init_cfg_of_an_unknown_digest_is_refused(tmp_path, source):
    with pytest.raises(UserError, match="give all 64 digits") as error:
        fetch_backbones(with_init(checkpoint=source), tmp_path)
    assert source in str(error.value)
    with pytest.raises(UserError, match=r"init_cfg: \{type: Pretrained"):
        fetch_backbones({"backbone": {"pretrained": source}}, tmp_path)


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "g" * 64, "../" + "0" * 61, 7])
def test_an_init_cfg_s_digest_that_is_none_is_said(backbone, tmp_path, digest):
    model = with_init(checkpoint=str(backbone[0]), sha256=digest)
    with pytest.raises(UserError, match=r"init_cfg\.sha256: .* is not of 64 hexadecimal digits"):
        fetch_backbones(model, tmp_path / "copies")
    assert not (tmp_path / "copies").exists()


def test_an_init_cfg_is_not_another_file_and_no_code(backbone, tmp_path):
    path, digest = backbone
    with pytest.raises(UserError, match=f"init_cfg.sha256: .* has {digest}, not"):
        fetch_backbones(with_init(checkpoint=str(path), sha256="0" * 64), tmp_path / "copies")
    torch.save({"state_dict": print}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UserError, match="read safely"):
        fetch_backbones(with_init(checkpoint=str(path), sha256=digest), tmp_path / "copies")


def test_the_shipped_config_s_backbone_is_known(tmp_path, monkeypatch, backbone):
    """By a digest whose first digits are those in torchvision's file name."""
    known = BACKBONES["torchvision://resnet50"]
    assert known.source.endswith(f"-{known.sha256[:8]}.pth")
    path, digest = backbone
    own = Weights(source=str(path), sha256=digest)
    monkeypatch.setitem(subject.BACKBONES, "torchvision://resnet50", own)
    found = fetch_backbones(with_init(checkpoint="torchvision://resnet50"), tmp_path / "copies")
    assert found["backbone"]["init_cfg"][0]["checkpoint"] == str(tmp_path / f"copies/{digest}.pth")


def test_the_paper_s_checkpoint_is_known_by_all_of_its_digest(request):
    suite = yaml.safe_load((request.config.rootpath / "config/paper.yaml").read_text())
    given = suite["detection2d"]["model"]["initial_weights"]
    assert len(given["sha256"]) == 64
    assert given["source"].startswith("https://")
    assert given["source"].endswith(f"-{given['sha256'][:8]}.pth")
