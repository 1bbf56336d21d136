rule prior:
    """Dataset-wide saliency of the training boxes, and its picture."""
    input:
        annotations=PATHS.annotations("train"),
    output:
        prior=PATHS.prior(DETECTION.prior),
        about=PATHS.prior_picture(DETECTION.prior).with_suffix(".json"),
        picture=report(
            PATHS.prior_picture(DETECTION.prior),
            caption="../report/prior.rst",
            category="Priors",
        ),
    log:
        f"logs/{SUITE.suite}/prior.log",
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        runtime="30m",
        mem="8GB",
    params:
        prior=DETECTION.prior.model_dump_json(),
    shell:
        "lzu prior --threads {threads} 2>&1 | tee {log}"


rule picture:
    """One frame, zoomed and unzoomed, with its warp grid; sizes and places of the boxes."""
    input:
        prior=PATHS.prior(DETECTION.prior),
        annotations=expand(PATHS.annotations("{split}"), split=SPLITS),
    output:
        report(PATHS.zoom_picture, caption="../report/zoom.rst", category="Figures"),
        report(PATHS.box_statistics, caption="../report/boxes.rst", category="Figures"),
    log:
        f"logs/{SUITE.suite}/picture.log",
    conda:
        "../../environment.yml"
    shell:
        "lzu picture 2>&1 | tee {log}"


if searched_priors():

    rule search_priors:
        """The priors of the search, of its own training part: one pass serves all amplitudes."""
        input:
            PATHS.annotations("search_train"),
        output:
            searched_priors(),
        log:
            f"logs/{SUITE.suite}/search_priors.log",
        conda:
            "../../environment.yml"
        threads: 2
        resources:
            runtime="30m",
            mem="8GB",
        params:
            prior=DETECTION.prior.model_dump_json(),
        shell:
            "lzu search-priors --threads {threads} 2>&1 | tee {log}"
