include: "workflow/Snakefile"


# Here and not in the included file, because Snakemake takes no default target from an include.
rule all:
    default_target: True
    input:
        TARGETS,
