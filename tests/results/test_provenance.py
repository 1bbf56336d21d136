"""Provenance: versions, machine and commit, without torch."""

import json
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest

from lzu.results.provenance import (
    collect_provenance,
    git_state,
    machine_name,
)
from lzu.results.schema import PROVENANCE


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("a = 1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_block_follows_its_schema(repository):
    block = collect_provenance(datetime.now(UTC) - timedelta(seconds=5), None, repository)
    jsonschema.validate(block, PROVENANCE)
    assert 5 <= block["duration_s"] < 60
    assert block["peak_memory_mib"] > 10
    assert block["git_commit"] == git(repository, "rev-parse", "HEAD")
    assert block["packages"]["numpy"]


def test_start_needs_a_time_zone(repository):
    with pytest.raises(ValueError, match="time zone"):
        collect_provenance(datetime(2026, 1, 1), None, repository)


def test_start_is_told_in_utc(repository):
    started = datetime.fromisoformat("2026-01-01T05:00:00+02:00")
    block = collect_provenance(started, None, repository)
    assert block["started_utc"] == "2026-01-01T03:00:00Z"


def test_changes_make_the_tree_dirty(repository):
    assert git_state(repository) == (git(repository, "rev-parse", "HEAD"), False)
    (repository / "code.py").write_text("a = 2\n")
    assert git_state(repository)[1] is True


def test_a_suite_of_one_s_own_is_no_change_of_the_code(repository):
    (repository / "config").mkdir()
    (repository / "config" / "demo.yaml").write_text("suite: demo\n")
    git(repository, "add", "config")
    git(repository, "commit", "-q", "-m", "second")
    (repository / "config" / "mine.yaml").write_text("suite: mine\n")
    assert git_state(repository)[1] is False
    (repository / "config" / "demo.yaml").write_text("suite: changed\n")
    assert git_state(repository)[1] is True


def test_new_code_beside_a_suite_of_one_s_own_is_a_change(repository):
    (repository / "config").mkdir()
    (repository / "config" / "mine.yaml").write_text("suite: mine\n")
    (repository / "more.py").write_text("b = 1\n")
    assert git_state(repository)[1] is True


@pytest.mark.parametrize("linked", ["data", ".venv", ".venv-report", "results/demo", "logs"])
def test_a_link_in_a_folder_s_place_is_no_change(repository, linked, request):
    rules = (request.config.rootpath / ".gitignore").read_text()
    (repository / ".gitignore").write_text(rules)
    git(repository, "add", ".gitignore")
    git(repository, "commit", "-q", "-m", "rules")
    (repository / linked).parent.mkdir(exist_ok=True)
    (repository / linked).symlink_to(repository.parent)
    assert git_state(repository)[1] is False


def test_another_repositorys_commit_is_not_ours(repository):
    inner = repository / "copy"
    inner.mkdir()
    assert git_state(inner) == (None, None)


def test_a_repository_without_commits_has_none(tmp_path):
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) == (None, False)


@pytest.mark.parametrize(
    ("given", "slug"),
    [("Node_01.Cluster", "node-01-cluster"), ("h200", "h200"), ("--", "unnamed")],
)
def test_machine_name_is_a_slug(monkeypatch, given, slug):
    monkeypatch.setenv("LZU_MACHINE", given)
    assert machine_name() == slug


def test_a_machine_s_own_name_is_taken_as_it_is(monkeypatch):
    """The environment's, then the suite's, then its model's."""
    monkeypatch.setenv("LZU_MACHINE", "CPU node @ lab")
    assert machine_name("NVIDIA X") == machine_name("NVIDIA X", "suite") == "cpu-node-lab"
    monkeypatch.delenv("LZU_MACHINE")
    assert machine_name("NVIDIA X", "Our GPUs") == "our-gpus"
    assert machine_name("NVIDIA X") == "nvidia-x"


@pytest.mark.parametrize(
    ("gpu", "cpu", "cores", "name"),
    [
        (None, "AMD EPYC", 2, "amd-epyc-2-cores"),
        (
            None,
            "AMD EPYC 7763 64-Core Processor",
            16,
            "amd-epyc-7763-64-core-16-cores",
        ),
        (
            None,
            "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz",
            12,
            "intel-xeon-e5-2690-v4-12-cores",
        ),
        (None, "Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", 8, "intel-core-i7-8550u-8-cores"),
        (None, "Neoverse-N1", 4, "neoverse-n1-4-cores"),
        (None, "unknown", 1, "unknown-1-cores"),
        ("NVIDIA H100 80GB HBM3", "AMD EPYC", 16, "nvidia-h100-80gb-hbm3"),
        ("2 x NVIDIA X", "AMD EPYC", 16, "nvidia-x"),
        ("8 x NVIDIA X, NVIDIA Y 2 x", "AMD EPYC", 16, "nvidia-x-nvidia-y-2-x"),
    ],
)
def test_machine_name_is_the_class_of_the_machine(monkeypatch, gpu, cpu, cores, name):
    """Its GPUs, or its CPU and cores, and never the host: nodes of one kind share results."""
    monkeypatch.delenv("LZU_MACHINE", raising=False)
    monkeypatch.setattr("lzu.results.provenance.cpu_model", lambda: cpu)
    monkeypatch.setattr("lzu.results.provenance.usable_cores", lambda: cores)
    assert machine_name(gpu) == name


def test_a_block_does_not_tell_the_host(monkeypatch, tmp_path):
    monkeypatch.delenv("LZU_MACHINE", raising=False)
    host = "qzx-host-77"
    monkeypatch.setattr("socket.gethostname", lambda: host)
    monkeypatch.setattr("platform.node", lambda: host)
    block = collect_provenance(datetime.now(UTC), None, tmp_path)
    assert host not in json.dumps(block)
    assert socket.gethostname() == host


def test_gpu_is_told_from_nvidia_smi(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA X, 1.2'\necho 'NVIDIA X, 1.2'\necho 'NVIDIA Y, 1.2'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    block = collect_provenance(datetime.now(UTC), None, tmp_path)
    assert block["gpu"] == "2 x NVIDIA X, NVIDIA Y"
    assert block["driver"] == "1.2"


def test_without_nvidia_smi_there_is_no_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    block = collect_provenance(datetime.now(UTC), None, tmp_path)
    assert block["gpu"] is None
    assert block["driver"] is None
    assert block["git_commit"] is None


def test_versions_come_without_importing_torch(blocked_torch, constructed):
    code = (
        "import json\n"
        "from datetime import datetime, UTC\n"
        "from lzu.results.provenance import collect_provenance\n"
        "print(json.dumps(collect_provenance(datetime.now(UTC), None)))\n"
    )
    done = subprocess.run(
        blocked_torch(code), capture_output=True, text=True, check=True, cwd=constructed.repository
    )
    jsonschema.validate(json.loads(done.stdout), PROVENANCE)
