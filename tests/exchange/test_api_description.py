"""The API keeps to its own description: no server error, no reply of another form (schemathesis)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, given, settings

from corridor.exchange.api import api
from tests.budget import examples
from tests.exchange.nodes import Corridor


@pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/envelopes"), ("GET", "/card"), ("GET", "/health")], ids=lambda text: text.strip("/")
)
def test_the_api_answers_as_it_is_described(make_corridor: Callable[..., Corridor], method: str, path: str) -> None:
    corridor = make_corridor()
    document = dict(api.get_openapi_schema(path_prefix="/exchange/v1"))
    schema = schemathesis.openapi.from_dict(document)
    schema.app = get_wsgi_application()
    operation = schema[f"/exchange/v1{path}"][method]

    with corridor["cn.cdc"]:
        _run(operation)


def _run(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(case: Any) -> None:
        case.call_and_validate(headers={"Host": "127.0.0.1"})

    check()
