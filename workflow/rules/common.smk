import json
import os
import sys
from pathlib import Path

from lzu.errors import UserError
from lzu.experiments.config import has_prior, parse_suite, planned_runs
from lzu.experiments.identity import saliency_settings, training_identity
from lzu.experiments.paths import Paths
from lzu.experiments.pictured import baseline_of, pictured_cases, pictured_stream
from lzu.experiments.plan import evaluated_runs, planned_tables, search_priors
from lzu.experiments.registry import TABLES
from lzu.experiments.run import ADAPTIVE, FROM_PRIOR, METHODS, Run, parse_variant
from lzu.files import write_text
from lzu.results.collect import find_result_files

# A suite file given with --configfile replaces the default one: merging the two would leave
# settings of the one in the other.
if "detection2d" not in config:

    configfile: "config/demo.yaml"


# Jobs find `lzu` beside the Python that runs Snakemake, unless a rule's conda environment comes first.
os.environ.update(
    PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
)


def checked(settings):
    """The suite and its runs, or one message and no traceback."""
    try:
        suite = parse_suite(settings, "the suite file (--configfile, --config)")
        return suite, planned_runs(suite)
    except UserError as error:
        sys.exit(f"lzu: {error}")


def checked_root(dataset):
    """Stop before planning if real data is not where the suite says."""
    if dataset.synthetic is None and not Path(dataset.root).is_dir():
        sys.exit(
            f"lzu: detection2d.dataset.root: there is no folder {dataset.root}. Put Argoverse 1.1 "
            "tracking (argoverse.org) and the Argoverse-HD annotations (streaming perception "
            "project) there, in the layout that README describes, or set the key to where they are."
        )


SUITE, PLANNED = checked(config)
PATHS = Paths(SUITE)
DETECTION = SUITE.detection2d
RUNS = evaluated_runs(SUITE) if SUITE.mode == "compute" else []
# whether there is a prior's warp to look at
ANALYSED = SUITE.mode == "compute" and has_prior(SUITE)
SPLITS = ("train", "val")
# The verbs read the settings as Snakemake resolved them, --config included, from a file named by its
# content: no later change of the suite reaches jobs that are under way. It is no input of any rule, or
# every change in it would train anew; rules list what they use of it as `params`.
SETTINGS = PATHS.settings
os.environ.update(LZU_CONFIG=str(SETTINGS))


onstart:
    write_text(SETTINGS, SUITE.model_dump_json(indent=1))


RUN_FOLDER = PATHS.root / "runs/detection2d/{method}/{scales}/seed{seed}"


wildcard_constraints:
    split="|".join(SPLITS),
    method="|".join(METHODS),
    # of runs with options they are a folder more
    scales=r"[0-9.]+-[0-9.]+(/[a-z_]+=[^/]+)?",
    seed=r"[0-9]+",


def of_runs(name):
    """The file `name` of every run that is scored."""
    return [PATHS.run(run, name) for run in RUNS]


def timings():
    """The timing file of every method and scale of Table 1."""
    return sorted({PATHS.timing(run) for run in PLANNED})


def run_of(wildcards):
    """The run that a rule's wildcards name."""
    given, seen, options = parse_variant(wildcards.scales)
    seed = int(wildcards.seed)
    return Run(SUITE.suite, "detection2d", wildcards.method, given, seen, seed, options)


def run_words(run):
    """The command line's words for a run."""
    options = "".join(f" --option {name}={value}" for name, value in run.options)
    scales = f"--from {run.from_scale:g} --to {run.to_scale:g}"
    return f"--method {run.method} {scales} --seed {run.seed}{options}"


def run_arguments(wildcards):
    """The command line's words for the run that a rule's wildcards name."""
    return run_words(run_of(wildcards))


def identity(wildcards):
    """All settings that the trained weights depend on: a change in them retrains."""
    return json.dumps(training_identity(SUITE, run_of(wildcards)), sort_keys=True)


def prior_of_run(run):
    """The prior that a run's warp is made from, if it has one."""
    if run.method not in FROM_PRIOR:
        return []
    return [PATHS.prior(saliency_settings(DETECTION, run)[0], run.split("train"))]


def prior_of(wildcards):
    """That of the run that a rule's wildcards name."""
    return prior_of_run(run_of(wildcards))


def training_frames(wildcards):
    """The annotations that a run trains on."""
    return PATHS.annotations(run_of(wildcards).split("train"))


def scored_frames(wildcards):
    """The annotations that a run is scored on."""
    return PATHS.annotations(run_of(wildcards).split("val"))


def frames_of(wildcards):
    """The validation frames whose order is checked before a method is trained that relies on it."""
    return [scored_frames(wildcards)] if wildcards.method in ADAPTIVE else []


def weights_of(wildcards):
    """The checkpoint that a run evaluates: its own, or that of its method trained from 1x."""
    return PATHS.run(run_of(wildcards).trained, "checkpoint.pth")


def record_of(wildcards):
    """What is known of the training of those weights."""
    return PATHS.run(run_of(wildcards).trained, "train.json")


def searched_priors():
    """The priors that the search's runs zoom by, one an amplitude."""
    return [PATHS.prior(settings, "search_train") for settings in search_priors(SUITE)]


def prior_of_suite():
    """The prior, if any planned method has one."""
    return [PATHS.prior(DETECTION.prior)] if has_prior(SUITE) else []


def prior_pictures():
    """The picture of every prior in use, and of what its warp does to a frame."""
    return (
        [PATHS.prior_picture(DETECTION.prior), PATHS.zoom_picture, PATHS.box_statistics]
        if ANALYSED
        else []
    )


def level_errors():
    """The errors of downsampled inverses (Eq. 18), or those kept."""
    if SUITE.mode == "compute":
        return [PATHS.level_error] if ANALYSED else []
    return PATHS.kept_level_errors()


def initial_weights():
    """The checkpoint that runs start from, if the suite names one."""
    weights = DETECTION.model.initial_weights
    return [] if weights is None else [PATHS.weights(weights)]


def results():
    """The result files that the tables are made from: of all planned runs, or those kept."""
    return [*of_runs("metrics.json"), *timings()] if SUITE.mode == "compute" else kept()


def kept():
    """The suite's result files under version control."""
    metrics, timing = find_result_files(PATHS.results, SUITE.suite, "cached")
    return metrics + timing


def world():
    """The mark of a complete synthetic dataset; nothing for real data."""
    root = Path(DETECTION.dataset.root)
    return [] if DETECTION.dataset.synthetic is None else [root / "world.json"]


def timed_checkpoints():
    """The trained weights that are timed: of every method and scale, those of the first seed."""
    return [PATHS.run(run, "checkpoint.pth") for run in PLANNED if run.seed == DETECTION.seeds[0]]


if SUITE.mode == "compute":
    checked_root(DETECTION.dataset)

PLANNED_TABLES = planned_tables(SUITE)
PUBLISHED = [
    PATHS.results / "published" / name
    for name in (*(TABLES[table].published_file for table in PLANNED_TABLES), "eq18.csv")
]
TABLE_FILES = [
    PATHS.tables / f"{table}{end}"
    for table in PLANNED_TABLES
    for end in (".csv", ".md", ".tex", ".txt", "_paired.csv")
]
COMPARISONS = [
    *(PATHS.tables / f"iso_latency.{form}" for form in ("csv", "md", "tex", "txt")),
    PATHS.tables / "size_bins.csv",
]
EQ18 = [PATHS.tables / f"eq18.{form}" for form in ("csv", "md", "tex", "txt") if level_errors()]
FIGURES = [
    PATHS.figures / f"figure7_detection2d{view}.{form}"
    for view in ("", "_end_to_end")
    for form in ("png", "pdf", "svg")
]
COMPARISON_FIGURES = {
    name: [PATHS.figures / f"{name}.{form}" for form in ("png", "pdf", "svg")]
    for name in ("iso_latency", "size_bins")
}
SEARCH_FIGURES = [
    PATHS.figures / f"table6_search.{form}"
    for form in ("png", "pdf", "svg")
    if "table6" in PLANNED_TABLES
]
ANALYSIS_FIGURES = [
    path.with_suffix(f".{form}")
    for path in PATHS.analysis_figures.values()
    for form in ("png", "pdf", "svg")
]
# The runs whose frames are pictured, and these pictures.
CASES = pictured_cases(SUITE) if SUITE.mode == "compute" else None
STREAMED = pictured_stream(SUITE) if SUITE.mode == "compute" else None
CASE_FILES = [
    PATHS.cases_picture(run).with_suffix(f".{form}")
    for run in (CASES,)
    if run is not None
    for form in ("png", "pdf", "svg", "csv")
]
STREAM_FILES = [
    PATHS.stream(run, DETECTION.stream.sequence).with_suffix(f".{form}")
    for run in (STREAMED,)
    if run is not None
    for form in ("gif", "npz")
]
# Scores and timings too, though the tables imply them: Snakemake does not make a missing file anew
# while what was made from it is there.
TARGETS = [
    *(*COMPARISONS, *sum(COMPARISON_FIGURES.values(), [])),
    *(*TABLE_FILES, *EQ18, *FIGURES, *SEARCH_FIGURES, *prior_pictures(), *results()),
    *(level_errors() if ANALYSED else []),
    *(ANALYSIS_FIGURES if ANALYSED else []),
    *(*CASE_FILES, *STREAM_FILES),
]
