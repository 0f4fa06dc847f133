"""Two nodes with a signed study on the two breast cancer cohorts."""

from tests.exchange.conftest import make_corridor, postgres, template

__all__ = ["make_corridor", "postgres", "template"]
