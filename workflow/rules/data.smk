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


rule split:
    """The training set in two parts by sequence, for a search."""
    input:
        ordered(ROOT / "data/{dataset}/train.json"),
        ROOT / "data/{dataset}/train.about.json",
    output:
        [
            f"{ROOT}/data/{{dataset}}/search_{part}{end}"
            for part in ("train", "val")
            for end in (".json", ".about.json")
        ],
        ROOT / "data/{dataset}/search_split.json",
    log:
        f"{LOGS}/{{dataset}}/split.log",
    conda:
        "../../environment.yml"
    resources:
        mem="8GB",
    params:
        task=task_of_data,
        rule=search_rule,
    shell:
        "lzu split --task {params.task:q} >{log:q} 2>&1"


rule prior:
    """Dataset-wide saliency of a training split."""
    input:
        lambda wildcards: prepared(context_of(wildcards), wildcards.split),
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
