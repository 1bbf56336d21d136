"""Suite files: what ships is right, and what is no suite is said."""

import json

import pytest

from lzu.errors import UserError
from lzu.experiments.context import contexts
from lzu.experiments.suite import load_suite, parse_suite, suite_type
from lzu.tasks import TASKS
from tests.experiments.suites import CONFIG, changed, detection, parsed, settings_of
from tests.experiments.toy import BLOCK, TOY

SHIPPED = ("demo", "paper", "smoke", "study")


def test_these_suites_ship():
    assert sorted(path.stem for path in CONFIG.glob("*.yaml")) == sorted(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_suites_are_valid_and_plan_runs(name, tmp_path):
    suite = load_suite(CONFIG / f"{name}.yaml", TASKS)
    assert suite.suite == name
    for context in contexts(suite, TASKS, tmp_path).values():
        assert {"uniform", "lzu_fixed"} <= {run.method for run in context.main_runs}
        assert len(set(context.runs)) == len(context.runs)
        paths = [context.paths.run(run, "metrics.json") for run in context.runs]
        assert len(set(paths)) == len(paths)


def test_smoke_runs_every_method_of_every_task(tmp_path):
    found = contexts(load_suite(CONFIG / "smoke.yaml", TASKS), TASKS, tmp_path)
    assert set(found) == set(TASKS)
    for name, context in found.items():
        assert {run.method for run in context.main_runs} == set(TASKS[name].settings.offered)


@pytest.mark.parametrize("name", SHIPPED)
def test_settings_are_read_back_as_jobs_read_them(name, tmp_path):
    """From the JSON file that the workflow writes for its jobs."""
    suite = load_suite(CONFIG / f"{name}.yaml", TASKS)
    path = tmp_path / "settings.json"
    path.write_text(suite.model_dump_json())
    assert load_suite(path, TASKS) == suite


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_small_numbers_are_numbers(smoke, tmp_path, suffix):
    """In YAML 1.1 1e-08 is a text."""
    path = tmp_path / f"mine{suffix}"
    path.write_text(json.dumps(changed(smoke, "detection2d.prior.amplitude", 1e-8)))
    assert "1e-08" in path.read_text()
    assert load_suite(path, TASKS).block("detection2d").prior.amplitude == 1e-8


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_number_as_text_is_none(smoke, tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    optimizer = {"type": "SGD", "eps": "1e-8"}
    path.write_text(json.dumps(changed(smoke, "detection2d.schedule.optimizer", optimizer)))
    with pytest.raises(UserError, match=r"optimizer\.eps is the text '1e-8'; write a number"):
        load_suite(path, TASKS)


@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "not valid YAML"), ("- 1", "mapping of keys"), (None, "no such")]
)
def test_files_that_are_no_suite(tmp_path, text, said):
    path = tmp_path / "x.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        load_suite(path, TASKS)
    assert str(caught.value).startswith(str(path))


def test_a_broken_json_file_is_named(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"suite": ')
    with pytest.raises(UserError, match="not valid JSON"):
        load_suite(path, TASKS)


@pytest.mark.parametrize("name", ["mine", "a", "my_2nd_suite"])
def test_a_suite_may_have_any_name(smoke, name):
    suite = parsed(changed(smoke, "suite", name))
    assert suite.suite == name
    context = detection(changed(smoke, "suite", name))
    assert {run.suite for run in context.runs} == {name}
    assert context.paths.root.name == name


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("suite", "measured", r"suite: 'measured' is a folder of results/; choose another name"),
        ("suite", "published", r"suite: 'published' is a folder of results/"),
        ("suite", "My suite", r"suite: .*'My suite'"),
        ("suite", "2nd", r"suite: .*'2nd'"),
        ("suite", "../x", r"suite: .*'\.\./x'"),
        ("suite", "", r"suite: .*''"),
        ("suite", ..., r"suite: this key is required"),
        ("mode", "quick", r"mode: .*'quick'"),
        ("reuse", "perhaps", r"reuse: .*'perhaps'"),
        ("tracking", {}, r"tracking: there is no such key"),
    ],
)
def test_wrong_top_level_keys_are_named(smoke, path, value, said):
    with pytest.raises(UserError, match=said) as caught:
        parsed(changed(smoke, path, value))
    assert str(caught.value).startswith("mine.yaml: ")


@pytest.mark.parametrize("tasks", [{}, dict.fromkeys(TASKS)])
def test_a_suite_without_a_task_is_none(tasks):
    with pytest.raises(UserError, match="no task: give the block of one, such as detection2d"):
        parsed({"suite": "mine", **tasks})


def test_all_problems_come_at_once(smoke):
    settings = changed(changed(smoke, "detection2d.seeds", "x"), "mode", "quick")
    with pytest.raises(UserError) as caught:
        parsed(settings)
    assert "detection2d.seeds" in str(caught.value)
    assert "mode" in str(caught.value)


def test_a_task_that_the_suite_lacks_is_named(smoke):
    with pytest.raises(UserError, match="suite smoke has no task 'toy'; it has: detection2d"):
        parsed(smoke).block("toy")


def test_a_suite_has_the_tasks_that_it_names(smoke, tmp_path):
    tasks = {**TASKS, "toy": TOY}
    both = parse_suite({**smoke, "toy": BLOCK}, "x", tasks)
    assert list(contexts(both, tasks, tmp_path)) == [*TASKS, "toy"]
    alone = parse_suite({"suite": "play", "toy": BLOCK}, "x", tasks)
    assert list(contexts(alone, tasks, tmp_path)) == ["toy"]
    with pytest.raises(UserError, match="detection2d: there is no such key"):
        parse_suite(smoke, "x", {"toy": TOY})


def test_one_type_for_the_same_tasks():
    assert suite_type(TASKS) is suite_type(dict(TASKS))
    assert suite_type(TASKS) is not suite_type({"toy": TOY})


def test_settings_of_a_suite_do_not_change_in_use(smoke):
    with pytest.raises(ValueError, match="frozen"):
        parsed(smoke).suite = "other"  # type: ignore[misc]


def test_the_name_of_the_settings_file_follows_from_their_content(smoke):
    first = detection(smoke).paths.suite.settings
    assert detection(settings_of("smoke")).paths.suite.settings == first
    assert detection(changed(smoke, "reuse", True)).paths.suite.settings != first
