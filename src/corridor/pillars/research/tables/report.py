"""What harmonising a site's table found: for the steward, who signs it; it stays at the site."""

from dataclasses import dataclass

__all__ = ["HarmonisationReport", "LogicalCheck", "VariableReport"]


@dataclass(frozen=True)
class VariableReport:
    """One variable of the protocol in this site's table.

    Attributes
    ----------
    source : str
        Heading, or how the variable was made.
    filled, missing : int
        Rows with and without a value, after everything that could not be used became missing.
    unreadable : int
        Cells that are no value of the type.
    out_of_range : int
        Values outside the protocol's plausible range.
    unmapped : tuple of (str, int)
        Texts without a code of the protocol and how often each stands there, most frequent first, at most ten.
    first_rows : tuple of int
        The first rows, at most ten, whose cell holds something that could not be used, or whose pseudonym is missing;
        the heading is row 1. Empty where rows of the table are not those of the file, as in exports of REDCap.
    """

    name: str
    source: str
    filled: int
    missing: int
    unreadable: int = 0
    out_of_range: int = 0
    unmapped: tuple[tuple[str, int], ...] = ()
    first_rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class LogicalCheck:
    """A relation that must hold between variables, and in how many rows it does not."""

    code: str
    variables: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class HarmonisationReport:
    """The whole report.

    Attributes
    ----------
    rows : int
        Rows of the table; `kept` of them have a patient's pseudonym and are in the snapshot.
    persons : int
    """

    rows: int
    kept: int
    persons: int
    variables: tuple[VariableReport, ...]
    checks: tuple[LogicalCheck, ...]

    @property
    def is_clean(self) -> bool:
        """Return whether nothing needs a second look."""
        untouched = all(
            not (each.unreadable or each.out_of_range or each.unmapped or each.missing) for each in self.variables
        )
        return untouched and all(not check.rows for check in self.checks) and self.rows == self.kept
