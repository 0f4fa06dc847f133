"""Compile the message catalogues when the package is built or installed."""

from pathlib import Path
from typing import Any

from babel.messages import mofile, pofile
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def compile_catalogues(root: Path) -> int:
    """Write a ``.mo`` beside every ``.po`` below `root` and return how many were written."""
    written = 0
    for source in sorted(root.rglob("LC_MESSAGES/*.po")):
        with source.open("rb") as stream:
            catalogue = pofile.read_po(stream)
        with source.with_suffix(".mo").open("wb") as stream:
            mofile.write_mo(stream, catalogue)
        written += 1
    return written


class CustomBuildHook(BuildHookInterface):
    """Hatchling calls this for a wheel and for an editable install alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile every catalogue of the source tree."""
        compile_catalogues(Path(self.root) / "src")
