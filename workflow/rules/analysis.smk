rule analysis:
    """Eq. 18, and Figures 2, 3, 5 and 10: the suite's prior and a frame, in the library's hands."""
    input:
        prior=PATHS.prior(DETECTION.prior),
        annotations=PATHS.annotations("val"),
    output:
        PATHS.level_error,
        report(
            PATHS.analysis_figures["figure2_attraction"],
            caption="../report/figure2.rst",
            category="Analysis",
        ),
        report(
            PATHS.analysis_figures["figure3_variants"],
            caption="../report/figure3.rst",
            category="Analysis",
        ),
        report(
            PATHS.analysis_figures["figure5_axis_inverse"],
            caption="../report/figure5.rst",
            category="Analysis",
        ),
        report(
            PATHS.analysis_figures["figure10_lattices"],
            caption="../report/figure10.rst",
            category="Analysis",
        ),
        [path for path in ANALYSIS_FIGURES if path.suffix != ".png"],
    log:
        f"logs/{SUITE.suite}/analysis.log",
    conda:
        "../../environment.yml"
    resources:
        runtime="30m",
        mem="8GB",
    params:
        # the kernel's width too, which the prior's file does not know
        prior=DETECTION.prior.model_dump_json(),
    shell:
        "lzu analysis --threads {threads} 2>&1 | tee {log}"
