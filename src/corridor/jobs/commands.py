"""The command that shows background work and tries failed jobs again."""

from __future__ import annotations

import click

from corridor.accounts.commands import acting_person
from corridor.base.clock import utcnow
from corridor.jobs import queries, services
from corridor.jobs.models import Job


@click.command("jobs")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True, help="How many, newest first.")
@click.option("--retry", "retry_id", type=int, help="Try this failed job again.")
def jobs(limit: int, retry_id: int | None, *, failed: bool) -> None:
    """Show background work: what runs, what waits, what failed and why."""
    now = utcnow()
    person = acting_person(now)
    if retry_id is not None:
        services.retry(retry_id, actor=person, now=now)
        click.echo(f"Job {retry_id} waits to be tried again.")
        return
    counts = queries.counts(actor=person)
    click.echo(", ".join(f"{number} {state}" for state, number in counts.items()))
    for job in queries.jobs(actor=person, state=Job.State.FAILED if failed else "")[:limit]:
        progress = f" {job.done_steps}/{job.all_steps}" if job.all_steps else ""
        click.echo(
            f"{job.pk:6}  {job.state:8}{progress}  {job.kind:32} "
            f"attempt {job.attempts}, due {job.due_at:%Y-%m-%d %H:%M:%S}"
        )
        if job.error and job.state != Job.State.DONE:
            click.echo("        " + job.error.splitlines()[0])


COMMANDS: tuple[click.Command, ...] = (jobs,)
