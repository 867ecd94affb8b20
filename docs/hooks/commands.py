"""The site's page of commands: what `mirrorpo COMMAND --help` says."""

import contextlib
import io
import os
import re
from unittest import mock

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from mirrorpo.cli import COMMANDS, parse

PAGE = "reference/commands.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=commands()))
    return files


def commands() -> str:
    """The page: every command with its options, groups in alphabetical order of their names."""
    parts = ["# Commands\n\nWhat `--help` says of each.\n"]
    for name, command in sorted(COMMANDS.items()):
        if isinstance(command, dict):
            parts += [entry(name, of) for of in command]
        else:
            parts.append(entry(name))
    return "\n".join(parts)


def entry(*words: str) -> str:
    """One command: how it is used, what it does, its options."""
    said = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "96", "NO_COLOR": "1"}),
        contextlib.redirect_stdout(said),
        contextlib.suppress(SystemExit),
    ):
        parse([*words, "--help"])
    text = re.sub(r"\x1b\[[0-9;]*m", "", said.getvalue())
    head, box, options = text.partition("╭")
    usage, _, about = head.strip().partition("\n")
    lines = [f"## mirrorpo {' '.join(words)}\n", about.strip(), ""]
    return "\n".join([*lines, "```text", usage, "", (box + options).rstrip(), "```", ""])
