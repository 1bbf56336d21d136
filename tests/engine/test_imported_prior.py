"""A saliency map of others in the place of a prior: read, kept, told of and warped by."""

import hashlib
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import lzu
from lzu.engine.prior import draw_prior, import_prior, make_prior
from lzu.errors import UserError
from lzu.results.prior import load_prior, provenance_of
from lzu.results.stamps import trained_on
from tests.prepared import copied
from tests.prepared import lzu as lzu_verb


def official(lattice=(31, 51), seed=0):
    """A map as the official release's: a tensor (1, 1, h, w), float32, sum 1."""
    values = torch.rand(1, 1, *lattice, generator=torch.Generator().manual_seed(seed)) + 0.1
    return values / values.sum()


def test_the_verb_takes_a_pickle_and_runs_zoom_by_it(context, config, tmp_path):
    saliency = official()
    file = tmp_path / "saliency.pkl"
    file.write_bytes(pickle.dumps(saliency))
    context = copied(context, tmp_path / "results")
    before = load_prior(context.paths.prior(context.main_prior))
    [run, *_] = [run for run in context.runs if run.method == "lzu_fixed"]
    hash_before = trained_on(context, run)["saliency"]
    given = ("--config", config, "--results", context.results)
    done = lzu_verb("prior", *given, "--import", file)
    assert str(context.paths.imported_prior(context.main_prior)) in done.stdout

    path = context.paths.prior(context.main_prior)
    prior = load_prior(path, context.settings.dataset.native_size)
    np.testing.assert_allclose(prior.saliency, saliency.numpy(), rtol=1e-6)
    assert prior.source == {
        "imported": "saliency.pkl",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    assert prior.parameters == before.parameters
    assert provenance_of(path)["git_commit"] is not None
    assert trained_on(context, run)["saliency"] not in (hash_before, None)

    # the rule's own call keeps it, and without it the data's prior comes back
    lzu_verb("prior", *given)
    assert load_prior(path).digest == prior.digest
    context.paths.imported_prior(context.main_prior).unlink()
    lzu_verb("prior", *given)
    assert load_prior(path).digest == before.digest
    assert load_prior(path).source == before.source


def test_the_warp_of_a_pickle_is_that_of_its_map(context, tmp_path):
    saliency = official()
    file = tmp_path / "saliency.pkl"
    file.write_bytes(pickle.dumps(saliency.numpy()))
    context = copied(context, tmp_path / "results")
    prior = import_prior(context, context.main_prior, file)
    expected = lzu.Warp.from_saliency(saliency, fwhm=22)
    found = lzu.Warp.from_saliency(torch.from_numpy(prior.saliency), fwhm=22)
    torch.testing.assert_close((found.x, found.y), (expected.x, expected.y))


def test_its_picture_names_its_file(context, tmp_path):
    file = tmp_path / "saliency.npy"
    np.save(file, official()[0, 0].numpy())
    context = copied(context, tmp_path / "results")
    prior = import_prior(context, context.main_prior, file)
    draw_prior(prior, 22, tmp_path / "prior.png")
    about = json.loads((tmp_path / "prior.json").read_text())
    assert about["source"]["imported"] == "saliency.npy"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((31, 51), None),
        ((1, 31, 51), None),
        ((1, 1, 31, 51), None),
        ((31, 51, 1), "no one map|31x51"),
        ((2, 31, 51), "no one map of h x w cells"),
        ((31 * 51,), "no one map of h x w cells"),
        ((27, 48), r"a map of 27x48 cells, but the suite's prior has 31x51: set prior\.lattice"),
        ((51, 31), "a map of 51x31 cells"),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
def test_the_map_has_the_prior_s_lattice(context, tmp_path, shape, said, dtype):
    file = tmp_path / "map.npy"
    values = np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(dtype)
    np.save(file, values)
    context = replace(context, results=tmp_path / "results")
    if said is None:
        prior = import_prior(context, context.main_prior, file)
        assert prior.saliency.shape == (1, 1, 31, 51)
        assert prior.saliency.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
        expected = values.astype(np.float64).reshape(31, 51)
        np.testing.assert_allclose(prior.saliency[0, 0], expected / expected.sum(), rtol=1e-6)
    else:
        with pytest.raises(UserError, match=said):
            import_prior(context, context.main_prior, file)
        assert not context.results.exists()


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, 1e-300])
def test_a_cell_that_is_not_positive_is_named(context, tmp_path, value):
    values = np.ones((31, 51))
    values[3, 4] = value
    np.save(tmp_path / "map.npy", values)
    context = replace(context, results=tmp_path / "results")
    said = "counts as 0" if value == 1e-300 else r"cell \(3, 4\) is .*above 0 in every cell"
    with pytest.raises(UserError, match=rf"map\.npy: .*{said}"):
        import_prior(context, context.main_prior, tmp_path / "map.npy")


def test_large_numbers_are_no_overflow(context, tmp_path):
    np.save(tmp_path / "map.npy", np.full((31, 51), 1e308))
    context = replace(context, results=tmp_path / "results")
    prior = import_prior(context, context.main_prior, tmp_path / "map.npy")
    np.testing.assert_allclose(prior.saliency, 1 / (31 * 51), rtol=1e-6)


def test_a_prior_that_was_imported_for_another_lattice_is_refused(context, tmp_path):
    np.save(tmp_path / "map.npy", np.ones((31, 51)))
    context = replace(context, results=tmp_path / "results")
    import_prior(context, context.main_prior, tmp_path / "map.npy")
    other = context.main_prior.settings.model_copy(update={"lattice": (21, 33)})
    with pytest.raises(UserError, match="a map of 31x51 cells, but the suite's prior has 21x33"):
        make_prior(context, replace(context.main_prior, settings=other))


def test_a_pickle_that_calls_is_one_message(config, tmp_path):
    file = tmp_path / "saliency.pkl"
    file.write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    given = ("--config", config, "--results", tmp_path / "results")
    done = lzu_verb("prior", *given, "--import", file, check=False)
    assert done.returncode == 2
    assert "refused, because it names 'posix.system'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()
