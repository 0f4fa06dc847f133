"""How many examples a costly property gets: few with every run of the tests, many in the night."""

from hypothesis import settings

_CI = 200


def examples(few: int) -> int:
    """Return `few`, and as many more as the profile in force asks for above that of CI (``make nightly``: 25 times)."""
    return max(few, few * settings().max_examples // _CI)
