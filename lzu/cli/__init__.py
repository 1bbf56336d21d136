"""The command line: one verb a step of the workflow, each usable by hand."""

import io
import os
import subprocess
import sys

from lzu.cli.parser import make_parser
from lzu.cli.values import REFUSED, missing_package
from lzu.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; a user's mistake is one message and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character is no reason to stop.
            stream.reconfigure(errors="replace")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = make_parser().parse_args(arguments)
    options.arguments = arguments
    if options.threads:
        # of a job's threads, each process that trains takes its share
        options.threads = max(1, options.threads // getattr(options, "processes", 1))
        _limit_threads(options.threads)
    try:
        options.verb(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads, as `head`, has enough. Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ModuleNotFoundError as error:
        if (said := missing_package(error)) is None:
            raise
        print(f"lzu: {said}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        print(f"lzu: {error.filename or 'writing'}: {error.strerror}", file=sys.stderr)
        return 1
    except UserError as error:
        print(f"lzu: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"lzu: {error}; its own message is above", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lzu: interrupted", file=sys.stderr)
        return 130
    return 0


def _limit_threads(threads: int) -> None:
    """Bound every pool of threads; it must come before numpy, OpenCV and torch are imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
