# Pictures of single frames, for which a trained model and the validation images are needed.


if CASES is not None:

    rule cases:
        """Figure 6: the images where LZU gains and loses most against uniform."""
        input:
            predictions=[PATHS.run(run, "predictions.json") for run in (CASES, baseline_of(CASES))],
            checkpoint=PATHS.run(CASES, "checkpoint.pth"),
            annotations=expand(PATHS.annotations("{split}"), split=SPLITS),
            prior=prior_of_run(CASES),
        output:
            report(CASE_FILES[0], caption="../report/figure6.rst", category="Figures"),
            CASE_FILES[1:],
        log:
            f"logs/{SUITE.suite}/cases.log",
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            gpu=0,
            runtime="30m",
            mem="16GB",
        params:
            run=run_words(CASES),
        shell:
            "lzu cases {params.run} --threads {threads} 2>&1 >/dev/null | tee {log}"


if STREAMED is not None:

    rule stream:
        """One video under an adaptive method's warp: its saliency, and an animated picture."""
        input:
            checkpoint=PATHS.run(STREAMED, "checkpoint.pth"),
            annotations=expand(PATHS.annotations("{split}"), split=SPLITS),
        output:
            report(STREAM_FILES[0], caption="../report/stream.rst", category="Figures"),
            STREAM_FILES[1:],
        log:
            f"logs/{SUITE.suite}/stream.log",
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            gpu=0,
            runtime="30m",
            mem="16GB",
        params:
            run=run_words(STREAMED),
            stream=DETECTION.stream.model_dump_json(),
        shell:
            "lzu stream {params.run} --threads {threads} 2>&1 >/dev/null | tee {log}"
