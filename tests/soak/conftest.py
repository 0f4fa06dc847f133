"""The databases of ``tests.exchange``, for random histories on PostgreSQL."""

from tests.exchange.conftest import make_corridor, postgres, template

__all__ = ["make_corridor", "postgres", "template"]
