"""What reaches the shell is words, whatever the names of targets, settings and folders hold."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("snakemake")

from lzu.tasks import TASKS
from tests.workflow.finished import finish_settings, snakemake

FOLDER = """it's "a" $(touch x) `touch x`;touch x& *\\"""
HOSTILE = f"{FOLDER}{{split}}"
PLACEHOLDER = re.compile(r"(?<!{){([^{}]+)}(?!})")
STUB = """lzu() {{ printf '%s\\0' "$@" >{said}; }}; {command}"""


def rules(root):
    """Rule file -> its text."""
    return {path.name: path.read_text() for path in (root / "workflow").rglob("*.smk")}


def plan(root, folder, suite, *arguments):
    """Dry-run the workflow in a folder; its exit status, and all that it prints."""
    words = ["-n", "--snakefile", root / "Snakefile", "--configfile", suite]
    words += ["--workflow-profile", root / "profiles" / "default", *arguments]
    return snakemake(words, folder)


def shells(root):
    """(rule file, text of the strings) of each `shell:` of the workflow."""
    for name, text in rules(root).items():
        for block in re.finditer(r"^( +)shell:\n((?:\1 +.*\n)+)", text, re.MULTILINE):
            yield name, block[2]


def test_everything_in_a_shell_command_is_quoted(request):
    root = request.config.rootpath
    found = list(shells(root))
    assert len(found) == "".join(rules(root).values()).count("    shell:") > 10
    for name, text in found:
        for placeholder in PLACEHOLDER.findall(text):
            assert placeholder.endswith(":q"), (name, placeholder)
        # nothing is put together before Snakemake quotes it
        assert not re.search(r'\bf"|%\s|\.format\(', text), name


@pytest.fixture(scope="module")
def hostile(request, tmp_path_factory):
    """The smoke suite, finished in a folder and with settings of such names."""
    root = request.config.rootpath
    settings = yaml.safe_load((root / "config" / "smoke.yaml").read_text())
    task = settings["detection2d"]
    settings["machine"] = HOSTILE
    task["dataset"]["root"] = FOLDER
    task["stream"] = {"sequence": f"../{HOSTILE}/"}
    task["model"]["initial_weights"] = {"source": HOSTILE, "sha256": "0" * 64}
    return finish_settings(root, tmp_path_factory.mktemp("shell") / FOLDER, settings)


def words(command, folder):
    """The words that `lzu` is given by a command in a folder."""
    said = folder / "said"
    (folder / "logs").mkdir(exist_ok=True)
    log = re.search(r">(\S+) 2>&1$", command)
    assert log, command
    (folder / log[1]).parent.mkdir(parents=True, exist_ok=True)
    text = STUB.format(said=said, command=command.replace(log[0], ""))
    subprocess.run(["bash", "-c", text], cwd=folder, check=True)
    return said.read_text().split("\0")[:-1]


def test_settings_and_folders_are_words_to_the_shell(hostile, tmp_path):
    verbs = {"world", "check", "prepare", "split", "prior", "weights", "train", "predict", "score"}
    verbs |= {"time", "collect", "tables", "figures", "stream", "cases", "draw-prior", "picture"}
    # of jobs alike, one
    commands = {re.sub(r"\d", "", text): text for text in hostile.commands}
    given = [words(command, tmp_path) for command in commands.values()]
    assert {verb for verb, *_ in given} == verbs | {"analysis", "stage", "accuracy-map"}
    for verb, *options in given:
        named = dict(zip(options[::2], options[1::2], strict=True))
        assert named["--task"] in TASKS, verb
        assert all(re.fullmatch(r"[\w.=+-]+", word) for word in options), verb
    assert {path.name for path in tmp_path.iterdir()} == {"logs", "said"}
    assert not list(hostile.folder.rglob("x"))


def test_files_stay_below_their_folders(hostile):
    root = hostile.folder / "results" / "smoke" / "streams"
    assert len(list(root.rglob("*.npz"))) == 1
    assert not list((hostile.folder / "results").glob("*.npz"))
    assert (hostile.folder / FOLDER / "world-train.json").exists()


@pytest.mark.parametrize(
    "variant",
    [
        "1-0.5/a=$(touch${IFS}x)",
        "1-0.5/a=1;touch x",
        "1-0.5/a='",
        "1-0.5 touch",
        "../../../x",
    ],
)
def test_a_target_s_name_is_a_run_s_or_none(request, tmp_path, variant):
    """Snakemake itself plans whatever fits its wildcards."""
    root = request.config.rootpath
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "published").symlink_to(root / "results" / "published")
    target = f"results/smoke/runs/detection2d/uniform/{variant}/seed0/metrics.json"
    status, text = plan(root, tmp_path, root / "config" / "smoke.yaml", "--", target)
    assert status != 0
    assert "MissingRuleException" in text


def test_a_root_of_which_snakemake_would_fill_in_parts_is_refused(request, tmp_path):
    root = request.config.rootpath
    settings = yaml.safe_load((root / "config" / "smoke.yaml").read_text())
    settings["detection2d"]["dataset"]["root"] = "{split}"
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump(settings))
    status, text = plan(root, tmp_path, path)
    assert status != 0
    assert "lzu: detection2d.dataset.root: {split} has braces" in text
    assert "Traceback" not in text


def test_a_suite_file_runs_no_code(request, tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_text("suite: !!python/object/apply:os.system ['touch x']\n")
    status, _ = plan(request.config.rootpath, tmp_path, path)
    assert status != 0
    verb = [sys.executable, "-m", "lzu.cli", "list", "--config", str(path)]
    own = subprocess.run(verb, capture_output=True, text=True, cwd=tmp_path)
    assert own.returncode == 2
    assert "not valid YAML" in own.stderr
    assert {found.name for found in Path(tmp_path).iterdir()} <= {"suite.yaml", ".snakemake"}
