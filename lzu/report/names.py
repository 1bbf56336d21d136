"""Names of the report's files: the one place that composes them, for those who write and list."""

TABLE_FORMS = ("csv", "md", "tex", "txt")
FIGURE_FORMS = ("png", "pdf", "svg")

FIGURE_7 = "figure7"
END_TO_END = "figure7_end_to_end"
ISO_LATENCY = "iso_latency"
ISO_FLOPS = "iso_flops"
EQ_18 = "eq18"


def of_task(task: str, what: str) -> str:
    """The stem of a table that each task has one of; all tasks' tables share a folder."""
    return f"{task}_{what}"


def paired(table: str) -> str:
    """The stem of a table's paired comparisons."""
    return f"{table}_paired"


def search(table: str) -> str:
    """The stem of the heat maps of a table of layout "search"."""
    return f"{table}_search"
