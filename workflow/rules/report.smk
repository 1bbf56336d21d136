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
    """The suite's tables and Eq. 18, published and measured side by side."""
    input:
        PATHS.collected,
        PUBLISHED,
        level_errors(),
    output:
        report(TABLE_FILES[::5], caption="../report/tables.rst", category="Tables"),
        [path for path in TABLE_FILES if path not in TABLE_FILES[::5]],
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
    """Figure 7: accuracy against latency, with the Pareto front; Table 6 as heat maps."""
    input:
        PATHS.collected,
        PUBLISHED[:-1],
    output:
        report(FIGURES[0], caption="../report/figure7.rst", category="Figures"),
        FIGURES[1:],
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
