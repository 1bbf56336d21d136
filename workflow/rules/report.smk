rule collect:
    """All results of the suite in one long table."""
    input:
        results(),
    output:
        PATHS.collected,
    log:
        f"logs/{SUITE.suite}/collect.log",
    conda:
        "../../environment.yml"
    params:
        # which runs are meant: a change of scales, seeds or mode collects again
        runs=[str(run.path) for run in RUNS],
        mode=SUITE.mode,
    shell:
        "lzu collect 2>&1 | tee {log}"


rule tables:
    """The suite's tables and Eq. 18, published and measured; equal latency; AP by object size."""
    input:
        PATHS.collected,
        PUBLISHED,
        level_errors(),
    output:
        report(TABLE_FILES[::5], caption="../report/tables.rst", category="Tables"),
        [path for path in TABLE_FILES if path not in TABLE_FILES[::5]],
        COMPARISONS,
        report(EQ18[:1], caption="../report/eq18.rst", category="Analysis"),
        EQ18[1:],
    log:
        f"logs/{SUITE.suite}/tables.log",
    conda:
        "../../environment.yml"
    params:
        machine=SUITE.machine,
    shell:
        "lzu tables 2>&1 | tee {log}"


rule figures:
    """Figure 7: accuracy against latency; at equal latency; by object size; Table 6's heat maps."""
    input:
        PATHS.collected,
        PUBLISHED[:-1],
    output:
        report(FIGURES[0], caption="../report/figure7.rst", category="Figures"),
        FIGURES[1:],
        report(
            COMPARISON_FIGURES["iso_latency"][0],
            caption="../report/iso_latency.rst",
            category="Figures",
        ),
        COMPARISON_FIGURES["iso_latency"][1:],
        report(
            COMPARISON_FIGURES["size_bins"][0],
            caption="../report/size_bins.rst",
            category="Figures",
        ),
        COMPARISON_FIGURES["size_bins"][1:],
        report(SEARCH_FIGURES[:1], caption="../report/table6.rst", category="Figures"),
        SEARCH_FIGURES[1:],
    log:
        f"logs/{SUITE.suite}/figures.log",
    conda:
        "../../environment.yml"
    params:
        machine=SUITE.machine,
    shell:
        "lzu figures 2>&1 | tee {log}"
