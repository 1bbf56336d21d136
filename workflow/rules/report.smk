for name, context in CONTEXTS.items():

    rule:
        name:
            f"collect_{name}"
        input:
            results(name),
        output:
            made_by("collect", name),
        log:
            f"{LOGS}/{name}/collect.log",
        conda:
            "../../environment.yml"
        params:
            task=name,
            planned=planned(name),
        shell:
            "lzu collect --task {params.task:q} >{log:q} 2>&1"

    rule:
        name:
            f"tables_{name}"
        input:
            context.paths.collected,
            published(context),
            level_errors(name),
        output:
            made_by("tables", name),
        log:
            f"{LOGS}/{name}/tables.log",
        conda:
            "../../environment.yml"
        params:
            task=name,
            machine=as_it_is(SUITE.machine),
        shell:
            "lzu tables --task {params.task:q} >{log:q} 2>&1"

    rule:
        name:
            f"figures_{name}"
        input:
            context.paths.collected,
            published(context),
        output:
            made_by("figures", name),
        log:
            f"{LOGS}/{name}/figures.log",
        conda:
            "../../environment.yml"
        params:
            task=name,
            machine=as_it_is(SUITE.machine),
        shell:
            "lzu figures --task {params.task:q} >{log:q} 2>&1"
