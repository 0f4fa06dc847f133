"""Work of the shell in the background: pictures before anyone waits for them, and tidying up."""

from datetime import datetime, timedelta
from typing import Any

from corridor.jobs.registry import JobContext, every, task
from corridor.web import chart_store, charts, uploads


@task("web.render_chart", retries=2)
def render_chart(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Render the pictures of the kept chart ``arguments["digest"]`` in both themes and every width."""
    done = charts.prerender(arguments["digest"])
    job.heartbeat(done, done)


@task("web.sweep_charts", retries=2)
def sweep_charts(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Delete pictures that nobody asked for in thirty days."""
    gone = chart_store.sweep(now=now)
    job.heartbeat(gone, gone)


every(timedelta(days=1), kind="web.sweep_charts")


@task("web.sweep_uploads", retries=2)
def sweep_uploads(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Delete uploaded files that nobody came back for within two hours."""
    gone = uploads.sweep(now=now)
    job.heartbeat(gone, gone)


every(timedelta(minutes=15), kind="web.sweep_uploads")
