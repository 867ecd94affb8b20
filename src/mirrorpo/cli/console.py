"""What commands print: one console, one progress bar, one line for an error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(highlight=False, soft_wrap=True)


def fail(message: str, code: int = 2) -> None:
    """Print one line on standard error and exit."""
    line = " ".join(message.split())
    print(f"mirrorpo: {line}", file=sys.stderr)
    raise SystemExit(code)


@contextmanager
def progress_bar(unit: str) -> Iterator[Progress]:
    """A progress bar with counts, elapsed time and time left, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=2) as progress:
        yield progress


def start_jax() -> None:
    """All cores as devices, and compiled programs kept for the next command."""
    import contextlib
    import io
    import logging
    import warnings

    # brax announces its missing optional back ends and its own state of maintenance.
    warnings.filterwarnings("ignore", module="brax")
    logging.getLogger("absl").setLevel(logging.ERROR)

    import jax

    from mirrorpo import cache
    from mirrorpo.control.devices import use_all_cores

    use_all_cores()
    with contextlib.redirect_stdout(io.StringIO()):
        # MuJoCo prints that its optional GPU back end is not installed.
        import mujoco.mjx  # noqa: F401
    jax.config.update("jax_compilation_cache_dir", str(cache.folder() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
