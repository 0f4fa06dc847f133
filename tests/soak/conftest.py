"""The databases of ``tests.exchange``, for random histories on PostgreSQL."""

from tests.exchange.conftest import postgres, template

__all__ = ["postgres", "template"]
