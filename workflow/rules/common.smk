import functools
import json
import os
import sys
from pathlib import Path

from lzu.errors import UserError
from lzu.experiments.context import contexts
from lzu.experiments.identity import training_identity
from lzu.experiments.reading import read_settings, read_words
from lzu.experiments.run import Run, parse_variant
from lzu.experiments.suite import parse_suite
from lzu.files import write_text
from lzu.report.products import products
from lzu.results.collect import kept_files
from lzu.results.keep import kept_runs, timing_files
from lzu.tasks import TASKS
from snakemake.utils import update_config

# A suite file given with --configfile replaces the default one: merging the two would leave
# settings of the one in the other.
SUITE_FILES = list(workflow.config_settings.configfiles) or ["config/demo.yaml"]


# Jobs find `lzu` beside the Python that runs Snakemake, unless a rule's conda environment comes first.
os.environ.update(
    PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
)


def checked():
    """The suite and its tasks' contexts, or one message and no traceback.

    Suite files are read here, strictly: Snakemake's own reading takes `no` for a number, and of a key
    that stands twice the last."""
    try:
        settings = {}
        for path in SUITE_FILES:
            update_config(settings, read_settings(path))
        update_config(settings, read_words(workflow.config_settings.config))
        source = " and ".join([*map(str, SUITE_FILES), "--config"])
        suite = parse_suite(settings, source, TASKS)
        return suite, contexts(suite, TASKS, Path("results"))
    except UserError as error:
        sys.exit(f"lzu: {error}")


def missing_root(context):
    """What to say of a task whose real data is not where the suite says; None if it is there.

    Stops before planning if a world cannot be there."""
    dataset, about = context.settings.dataset, context.task.dataset
    if dataset.synthetic is not None and set(dataset.root) & set("{}"):
        sys.exit(
            f"lzu: {context.task.name}.dataset.root: {dataset.root} has braces, which Snakemake "
            "takes for wildcards in what it writes; choose a folder without"
        )
    if dataset.synthetic is not None or Path(dataset.root).is_dir():
        return None
    return (
        f"lzu: {context.task.name}.dataset.root: there is no folder {dataset.root}. For "
        f"{about.label}, {about.where}; or set the key to where they are."
    )


def stop_for(messages):
    """An input that stops what needs it, with these messages: of a rule that is not asked for,
    Snakemake does not look at it."""

    def stop(wildcards):
        print("\n".join(messages), file=sys.stderr, flush=True)
        # Nothing has been started or locked. An exception would be shown with a traceback.
        os._exit(1)

    return stop


SUITE, CONTEXTS = checked()
COMPUTE = SUITE.mode == "compute"
# Tasks whose data is not there: what to say to who asks for them. The others can run.
ABSENT = {}
if COMPUTE:
    found = {name: missing_root(context) for name, context in CONTEXTS.items()}
    ABSENT = {name: message for name, message in found.items() if message}
    if len(ABSENT) == len(CONTEXTS):
        sys.exit("\n".join(ABSENT.values()))
    others = [name for name in CONTEXTS if name not in ABSENT]
    CONTEXTS = {name: CONTEXTS[name] for name in others}
ROOT = next(iter(CONTEXTS.values())).paths.root
# As results do, logs of what is made of kept results stay apart.
LOGS = f"logs/{SUITE.suite}" if COMPUTE else f"logs/{SUITE.suite}/cached"
# The contexts of the tasks that are computed; in cached mode none is.
COMPUTED = CONTEXTS if COMPUTE else {}
BY_DATASET = {context.task.dataset.name: context for context in COMPUTED.values()}
# Runs that are kept with an equal stamp count as made, on request.
REUSED = {name: kept_runs(context) if SUITE.reuse else {} for name, context in COMPUTED.items()}
PRODUCTS = {name: products(context) for name, context in CONTEXTS.items()}
# The verbs read the settings as Snakemake resolved them, --config included, from a file named by its
# content: no later change of the suite reaches jobs that are under way. It is no input of any rule, or
# every change in it would train anew; rules list what they use of it as `params`.
SETTINGS = next(iter(CONTEXTS.values())).paths.suite.settings
os.environ.update(LZU_CONFIG=str(SETTINGS))


onstart:
    write_text(SETTINGS, SUITE.model_dump_json(indent=1))


RUN_FOLDER = ROOT / "runs/{task}/{method}/{variant}/seed{seed}"


wildcard_constraints:
    task="|".join(TASKS),
    dataset="|".join(task.dataset.name for task in TASKS.values()),
    split="|".join(dict.fromkeys(["train", "val", *(p for t in TASKS.values() for p in t.parts)])),
    method="[a-z0-9_]+",
    # of runs with options they are a folder more
    variant=r"[0-9.]+-[0-9.]+(/[a-z_]+=[a-z0-9_.+-]+(,[a-z_]+=[a-z0-9_.+-]+)*)?",
    prior="[a-z0-9_.-]+",
    seed="[0-9]+",


def context_of(wildcards):
    """The context of the task that a rule's wildcards name."""
    return COMPUTED[wildcards.task]


def run_of(wildcards):
    """The run that a rule's wildcards name."""
    given, seen, options = parse_variant(wildcards.variant)
    seed = int(wildcards.seed)
    return Run(SUITE.suite, wildcards.task, wildcards.method, given, seen, seed, options)


def run_words(run):
    """The command line's words for a run."""
    words = ["--task", run.task, "--method", run.method]
    words += ["--from", f"{run.from_scale:g}", "--to", f"{run.to_scale:g}", "--seed", str(run.seed)]
    return words + [word for name, value in run.options for word in ("--option", f"{name}={value}")]


def run_arguments(wildcards):
    """The command line's words for the run that a rule's wildcards name."""
    return run_words(run_of(wildcards))


def identity(wildcards):
    """All settings that the trained weights depend on: a change in them retrains."""
    return json.dumps(training_identity(context_of(wildcards), run_of(wildcards)), sort_keys=True)


def made_before(context, run):
    """What a run is made with beside data: the prior of its warp, and what is trained before it."""
    prior, stage = context.prior_of(run), context.stage_of(run)
    return [
        *([] if prior is None else [context.paths.prior(prior)]),
        *([] if stage is None else [context.paths.stage(stage)]),
    ]


def made_with(wildcards):
    """That of the run that a rule's wildcards name."""
    return made_before(context_of(wildcards), run_of(wildcards))


def ordered(path):
    """A large file whose age says nothing, because equal data is often rewritten.

    What it holds is known by a small file beside it, of the same job, which Snakemake compares by
    content."""
    return ancient(path)


def first(path):
    """A file that must be there before a job starts, but that it does not read: nothing, if it is.

    Not by `ancient`: of jobs below one that runs, Snakemake looks at no other reason to run."""
    return [] if Path(path).exists() else [path]


def checks(context, part):
    """The report on a raw split; the search's are parts of the training set."""
    return first(context.paths.findings("train" if part in context.task.parts else part))


def prepared(context, *splits):
    """The annotations of splits, and the small files that tell what they are."""
    paths = context.paths
    return [
        file for split in splits for file in (ordered(paths.annotations(split)), paths.about(split))
    ]


def prior_data(wildcards):
    """What a prior is made of: training data, or the saliency that was imported in its place."""
    context = context_of(wildcards)
    imported = context.paths.imported_prior(context.find_prior(wildcards.split, wildcards.prior))
    return [imported] if imported.exists() else prepared(context, wildcards.split)


def training_data(wildcards):
    """What a run trains on; where it follows frames, the videos that it will be evaluated on too."""
    context, run = context_of(wildcards), run_of(wildcards)
    split, val, paths = context.trains_on(run), run.split("val"), context.paths
    files = [*prepared(context, split), *checks(context, split)]
    if run.about.follows_frames:
        # Before a method is trained that relies on it, the order of validation frames is checked.
        files += [*first(paths.annotations(val)), *checks(context, val)]
    return files


def scored_data(wildcards):
    """What a run is scored on, likewise."""
    context, run = context_of(wildcards), run_of(wildcards)
    split = run.split("val")
    return [*prepared(context, split), *checks(context, split)]


def staged_data(wildcards):
    """What a stage is trained on."""
    context = context_of(wildcards)
    spec = context.find_stage(wildcards.name, int(wildcards.seed))
    return [*prepared(context, spec.split), *checks(context, spec.split)]


def weights_of(wildcards):
    """The checkpoint that a run evaluates: its own, or that of its method trained from 1x."""
    return context_of(wildcards).paths.run(run_of(wildcards).trained, "checkpoint.pth")


def record_of(wildcards):
    """What is known of the training of those weights."""
    return context_of(wildcards).paths.run(run_of(wildcards).trained, "train.json")


def initial_weights(wildcards):
    """The checkpoint that runs start from, if the task names one."""
    context = context_of(wildcards)
    weights = context.settings.model.initial_weights
    return [] if weights is None else [context.paths.weights(weights)]


def as_it_is(value):
    """A parameter in whose texts nothing is a wildcard."""
    return lambda wildcards: value


def world(wildcards):
    """The mark of a split of a synthetic dataset; nothing for real data."""
    dataset = BY_DATASET[wildcards.dataset].settings.dataset
    mark = f"world-{wildcards.split}.json"
    return [] if dataset.synthetic is None else [Path(dataset.root) / mark]


def world_settings(context):
    """What a split of a synthetic world follows from."""

    def settings(wildcards):
        dataset = context.settings.dataset
        return json.dumps([dataset.native_size, dataset.world_of(wildcards.split)], sort_keys=True)

    return settings


@functools.cache
def raw_state(task, split):
    """The state of a task's raw files, looked at once."""
    context = COMPUTED[task]
    return context.task.dataset.state(context.settings.dataset.root, split)


def raw_data(wildcards):
    """What a prepared split follows from: a world's settings, or the state of the raw files."""
    context = BY_DATASET[wildcards.dataset]
    dataset = context.settings.dataset
    part = wildcards.split
    own = dataset.world_of(part)
    state = raw_state(context.task.name, part) if own is None else None
    settings = [own and [dataset.native_size, own], state, *dataset.prepared_as]
    return json.dumps(settings, sort_keys=True)


def checking(wildcards):
    """All that the check of a split reads: its data, and how it is looked at."""
    context = BY_DATASET[wildcards.dataset]
    dataset = context.settings.dataset
    strict = wildcards.split in context.followed_splits()
    how = dataset.model_dump(mode="json", exclude={"synthetic"})
    return [raw_data(wildcards), json.dumps([how, strict])]


def task_of_data(wildcards):
    """The task whose data a rule's wildcards name."""
    return BY_DATASET[wildcards.dataset].task.name


def results(name):
    """The result files that a task's tables are made from: of all planned runs, or those kept."""
    context = CONTEXTS[name]
    if not COMPUTE:
        return sum(kept_files(context.paths.suite.measured, name), [])
    reused = REUSED[name]
    scores = [reused.get(run, context.paths.run(run, "metrics.json")) for run in context.runs]
    return [*scores, *timing_files(context, reused)]


def timings(name):
    """The timing file of every method and scale of a task that is measured here."""
    return [CONTEXTS[name].paths.timing(run) for run in timed(name)]


def timed(name):
    """The runs that are timed: those that are trained here."""
    return [run for run in COMPUTED[name].timed_runs if run not in REUSED[name]]


def marked(product):
    """The path of a product, marked for the report where that shows it."""
    if product.caption is None:
        return product.path
    caption = f"../report/{product.caption}.rst"
    return report(product.path, caption=caption, category=product.category)


def made_by(step, name):
    """The files that a step makes for a task."""
    return [marked(product) for product in PRODUCTS[name] if product.step == step]


def pictured(name):
    """The pictures that a task has here: those whose runs are trained here, with any file to make."""
    context, reused = COMPUTED[name], REUSED[name]
    return [
        picture
        for picture in context.task.pictures
        if picture.files(context)
        and not set((*picture.runs(context), *picture.predicted(context))) & set(reused)
    ]


def picture_inputs(name, picture):
    """What a picture is drawn from."""
    context = COMPUTED[name]
    paths = context.paths
    return [
        *prepared(context, "val", "train"),
        *([paths.prior(context.main_prior)] if picture.prior and context.main_prior else []),
        *(paths.run(run, "checkpoint.pth") for run in picture.runs(context)),
        *(paths.run(run, "predictions.json") for run in picture.predicted(context)),
    ]


def picture_settings(context, picture):
    """The settings that a picture reads; where it shows the prior, which one."""
    shown = context.main_prior if picture.prior else None
    return json.dumps([picture.params(context), shown and shown.name], sort_keys=True)


def picture_words(name, picture):
    """The command line's words for a picture: its task, or the run that it is of."""
    runs = picture.runs(COMPUTED[name]) if picture.of_run else ()
    return run_words(runs[0]) if runs else ["--task", name]


def level_errors(name):
    """The errors of downsampled inverses (Eq. 18), or those kept."""
    context = CONTEXTS[name]
    if not COMPUTE:
        return list(context.paths.kept_level_errors().values())
    shown = [path for picture in pictured(name) for path in picture.files(context)]
    return [path for path in (context.paths.level_error,) if path in shown]


def published(context):
    """The paper's numbers that a task's tables are set beside."""
    names = {table.published_file for table in context.tables} | {"eq18.csv"}
    return [context.paths.suite.published / name for name in sorted(names)]


def planned(name):
    """Which runs are meant, and in which mode: a change of scales, seeds or mode collects again."""
    return [SUITE.mode, *(str(run.path) for run in CONTEXTS[name].runs)]


def targets(name):
    """All that a suite makes of a task.

    The checks of raw data too, because nothing waits for one that is there; scores and timings,
    though the tables imply them: Snakemake does not make a missing file anew while what was made
    from it is there."""
    context = CONTEXTS[name]
    found = [p.path for p in PRODUCTS[name] if p.step in ("tables", "figures")]
    found += results(name)
    if name in COMPUTED:
        found += [context.paths.findings(part) for part in ("train", "val")]
        found += [file for picture in pictured(name) for file in picture.files(context)]
    return found


TARGETS = [file for name in CONTEXTS for file in targets(name)]
if ABSENT:
    hint = f"Without: the same command with `-- {' '.join(CONTEXTS)}` at its end."
    TARGETS.append(stop_for([*ABSENT.values(), hint]))
