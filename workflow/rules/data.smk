if DETECTION.dataset.synthetic is not None:

    rule world:
        """The synthetic dataset, in Argoverse-HD's layout."""
        output:
            Path(DETECTION.dataset.root) / "world.json",
        log:
            f"logs/{SUITE.suite}/world.log",
        conda:
            "../../environment.yml"
        threads: 16
        resources:
            runtime="4h",
            mem="8GB",
        params:
            world=json.dumps([DETECTION.dataset.native_size, DETECTION.dataset.synthetic]),
        shell:
            "lzu world --threads {threads} 2>&1 | tee {log}"


rule prepare:
    """Check a split and write it as COCO."""
    input:
        world(),
    output:
        annotations=PATHS.annotations("{split}"),
        findings=PATHS.findings("{split}"),
    log:
        f"logs/{SUITE.suite}/prepare_{{split}}.log",
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        runtime="4h",
        mem="8GB",
    params:
        dataset=DETECTION.dataset.model_dump_json(),
    shell:
        "lzu prepare --split {wildcards.split} --threads {threads}" " 2>&1 | tee {log}"


rule split:
    """The training set in two parts by sequence, for the search of Table 6."""
    input:
        PATHS.annotations("train"),
    output:
        PATHS.annotations("search_train"),
        PATHS.annotations("search_val"),
        PATHS.search_split,
    log:
        f"logs/{SUITE.suite}/split.log",
    conda:
        "../../environment.yml"
    resources:
        mem="8GB",
    params:
        rule=DETECTION.search and [DETECTION.search.validation_share, DETECTION.search.split_seed],
    shell:
        "lzu split 2>&1 | tee {log}"


if DETECTION.model.initial_weights is not None:

    rule weights:
        """The checkpoint that all runs start from."""
        output:
            PATHS.weights(DETECTION.model.initial_weights),
        log:
            f"logs/{SUITE.suite}/weights.log",
        retries: 2
        conda:
            "../../environment.yml"
        shell:
            "lzu weights 2>&1 | tee {log}"
