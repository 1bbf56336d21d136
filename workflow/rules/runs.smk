# Logs have all that jobs say; of a failed job Snakemake shows the log.


rule train:
    """Train one run; a killed one goes on from its last checkpoint."""
    input:
        initial_weights,
        made_with,
        training_data,
    output:
        # Kept until they are replaced: if nothing that they depend on has changed, they stay.
        checkpoint=update(RUN_FOLDER / "checkpoint.pth"),
        record=update(RUN_FOLDER / "train.json"),
    log:
        f"{LOGS}/{{task}}/train/{{method}}/{{variant}}/seed{{seed}}.log",
    benchmark:
        f"{LOGS}/{{task}}/train/{{method}}/{{variant}}/seed{{seed}}.tsv"
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
        "lzu train {params.run:q} --threads {threads:q}"
        " --processes {params.processes:q} >{log:q} 2>&1"


rule predict:
    """Predict on the validation data, with weights trained from 1x."""
    input:
        made_with,
        scored_data,
        checkpoint=weights_of,
    output:
        update(RUN_FOLDER / "predictions.json"),
    log:
        f"{LOGS}/{{task}}/predict/{{method}}/{{variant}}/seed{{seed}}.log",
    benchmark:
        f"{LOGS}/{{task}}/predict/{{method}}/{{variant}}/seed{{seed}}.tsv"
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
        "lzu predict {params.run:q} --threads {threads:q} >{log:q} 2>&1"


rule score:
    """The task's metrics of the predictions."""
    input:
        scored_data,
        predictions=RUN_FOLDER / "predictions.json",
        record=record_of,
    output:
        RUN_FOLDER / "metrics.json",
    log:
        f"{LOGS}/{{task}}/score/{{method}}/{{variant}}/seed{{seed}}.log",
    conda:
        "../../environment.yml"
    resources:
        runtime="1h",
        mem="24GB",
    params:
        run=run_arguments,
    shell:
        "lzu score {params.run:q} >{log:q} 2>&1"


for name, context in COMPUTED.items():
    if timed(name):

        rule:
            name:
                f"time_{name}"
            # all cores, so that nothing runs beside it
            input:
                [file for run in timed(name) for file in made_before(context, run)],
                [context.paths.run(run, "checkpoint.pth") for run in timed(name)],
                prepared(context, "val"),
            output:
                timings(name),
            log:
                f"{LOGS}/{name}/time.log",
            conda:
                "../../environment.yml"
            # more than there are: Snakemake scales it down to all cores
            threads: 1024
            resources:
                gpu=0,
                runtime="1h",
                mem="16GB",
            params:
                task=name,
                timing=context.settings.timing.model_dump_json(),
            shell:
                "lzu time --task {params.task:q} --threads {threads:q} >{log:q} 2>&1"
