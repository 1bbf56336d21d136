# What lzu has to say goes to standard error; standard output has the chatter of mm* alone.


rule train:
    """Train one run; a killed one goes on from its last checkpoint."""
    input:
        initial_weights(),
        prior_of,
        frames_of,
        annotations=training_frames,
    output:
        checkpoint=RUN_FOLDER / "checkpoint.pth",
        record=RUN_FOLDER / "train.json",
    log:
        f"logs/{SUITE.suite}/train/{{method}}/{{scales}}/seed{{seed}}.log",
    benchmark:
        f"logs/{SUITE.suite}/train/{{method}}/{{scales}}/seed{{seed}}.tsv"
    # before shorter jobs, which then fill the time that the last training leaves
    priority: 1
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        runtime="5d",
        mem="32GB",
    params:
        run=run_arguments,
        identity=identity,
        processes=lambda wildcards, resources: max(1, resources.gpu),
    shell:
        "lzu train {params.run} --threads {threads}"
        " --processes {params.processes} 2>&1 >/dev/null | tee {log}"


rule predict:
    """Detect on the validation images, with weights trained from 1x."""
    input:
        prior_of,
        annotations=scored_frames,
        checkpoint=weights_of,
    output:
        RUN_FOLDER / "predictions.json",
    log:
        f"logs/{SUITE.suite}/predict/{{method}}/{{scales}}/seed{{seed}}.log",
    benchmark:
        f"logs/{SUITE.suite}/predict/{{method}}/{{scales}}/seed{{seed}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        runtime="8h",
        mem="32GB",
    params:
        run=run_arguments,
    shell:
        "lzu predict {params.run} --threads {threads} 2>&1 >/dev/null | tee {log}"


rule score:
    """COCO average precision of the predictions."""
    input:
        annotations=scored_frames,
        predictions=RUN_FOLDER / "predictions.json",
        record=record_of,
    output:
        RUN_FOLDER / "metrics.json",
    log:
        f"logs/{SUITE.suite}/score/{{method}}/{{scales}}/seed{{seed}}.log",
    conda:
        "../../environment.yml"
    resources:
        runtime="1h",
        mem="24GB",
    params:
        run=run_arguments,
    shell:
        "lzu score {params.run} 2>&1 | tee {log}"


rule time:
    """Latency of every method and scale, interleaved; all cores, so that nothing runs beside it."""
    input:
        prior_of_suite(),
        checkpoints=timed_checkpoints(),
        annotations=expand(PATHS.annotations("{split}"), split=SPLITS),
    output:
        timings(),
    log:
        f"logs/{SUITE.suite}/time.log",
    conda:
        "../../environment.yml"
    # more than there are: Snakemake scales it down to all cores
    threads: 1024
    resources:
        gpu=0,
        runtime="1h",
        mem="16GB",
    params:
        timing=DETECTION.timing.model_dump_json(),
    shell:
        "lzu time --threads {threads} 2>&1 >/dev/null | tee {log}"
