"""The smoke suite's segmentation with two seeds of every method, without variants."""

from tests.prepared import changed


def two_seeds(context):
    """The context with the seeds 0 and 1 of all."""
    given = {"seeds": {}, "variants": ()}
    methods = {
        name: method.model_copy(update=given) for name, method in context.settings.methods.items()
    }
    return changed(context, methods=methods, seeds=(0, 1))
