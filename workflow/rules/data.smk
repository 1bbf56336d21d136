for context in COMPUTED.values():
    if context.settings.dataset.synthetic is not None:

        rule:
            name:
                f"world_{context.task.name}"
            output:
                Path(context.settings.dataset.root) / "world-{split}.json",
            log:
                f"{LOGS}/{context.task.name}/world_{{split}}.log",
            wildcard_constraints:
                split="train|val",
            conda:
                "../../environment.yml"
            threads: 16
            resources:
                runtime="4h",
                mem="8GB",
            params:
                task=context.task.name,
                world=world_settings(context),
            shell:
                "lzu world --task {params.task:q} --split {wildcards.split:q}"
                " --threads {threads:q} >{log:q} 2>&1"


rule check:
    """Look at everything in a raw split that training would stumble over."""
    input:
        world,
    output:
        ROOT / "data/{dataset}/{split}.findings.json",
    log:
        f"{LOGS}/{{dataset}}/check_{{split}}.log",
    wildcard_constraints:
        split="train|val",
    # before anything is trained on it
    priority: 2
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        runtime="4h",
        mem="8GB",
    params:
        task=task_of_data,
        checking=checking,
    shell:
        "lzu check --task {params.task:q} --split {wildcards.split:q} --threads {threads:q}"
        " >{log:q} 2>&1"


rule prepare:
    """Convert a split to what training reads, and tell what it is."""
    input:
        world,
        lambda wildcards: checks(BY_DATASET[wildcards.dataset], wildcards.split),
    output:
        annotations=ROOT / "data/{dataset}/{split}.json",
        about=ROOT / "data/{dataset}/{split}.about.json",
    log:
        f"{LOGS}/{{dataset}}/prepare_{{split}}.log",
    wildcard_constraints:
        split="train|val",
    conda:
        "../../environment.yml"
    resources:
        runtime="4h",
        mem="8GB",
    params:
        task=task_of_data,
        raw=raw_data,
    shell:
        "lzu prepare --task {params.task:q} --split {wildcards.split:q} >{log:q} 2>&1"


for context in COMPUTED.values():
    if context.task.split_rule(context.settings) is not None:

        rule:
            name:
                f"split_{context.task.name}"
            input:
                ordered(context.paths.annotations("train")),
                context.paths.about("train"),
            output:
                [
                    file
                    for part in context.task.parts
                    for file in (context.paths.annotations(part), context.paths.about(part))
                ],
                context.paths.split_record(context.task.parts),
            log:
                f"{LOGS}/{context.task.dataset.name}/split.log",
            conda:
                "../../environment.yml"
            resources:
                mem="8GB",
            params:
                task=context.task.name,
                rule=json.dumps(context.task.split_rule(context.settings), sort_keys=True),
            shell:
                "lzu split --task {params.task:q} >{log:q} 2>&1"


rule prior:
    """Dataset-wide saliency of a training split."""
    input:
        prior_data,
    output:
        # its settings are in its name
        ROOT / "priors/{task}/{split}/{prior}.npz",
    log:
        f"{LOGS}/{{task}}/prior_{{split}}_{{prior}}.log",
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        runtime="30m",
        mem="8GB",
    shell:
        "lzu prior --task {wildcards.task:q} --split {wildcards.split:q} --name {wildcards.prior:q}"
        " --threads {threads:q} >{log:q} 2>&1"


rule stage:
    """What some runs need trained before them."""
    input:
        staged_data,
    output:
        # its settings are in its name
        ROOT / "stages/{task}/{stage}/{name}/seed{seed}.pth",
        ROOT / "stages/{task}/{stage}/{name}/seed{seed}.json",
    log:
        f"{LOGS}/{{task}}/{{stage}}_{{name}}_seed{{seed}}.log",
    wildcard_constraints:
        stage="[a-z_]+",
        name="[a-z0-9_.-]+",
    priority: 2
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=0,
        runtime="1d",
        mem="16GB",
    shell:
        "lzu stage --task {wildcards.task:q} --name {wildcards.name:q} --seed {wildcards.seed:q}"
        " --threads {threads:q} >{log:q} 2>&1"


for context in COMPUTED.values():
    if context.settings.model.initial_weights is not None:

        rule:
            name:
                f"weights_{context.task.name}"
            output:
                context.paths.weights(context.settings.model.initial_weights),
            log:
                f"{LOGS}/{context.task.name}/weights.log",
            retries: 2
            conda:
                "../../environment.yml"
            params:
                task=context.task.name,
            shell:
                "lzu weights --task {params.task:q} >{log:q} 2>&1"
