"""The page of what runs and what failed."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.jobs import queries, services
from corridor.jobs.models import Job

ROWS = 50
STATES = {
    Job.State.QUEUED.value: gettext_lazy("waiting"),
    Job.State.RUNNING.value: gettext_lazy("running"),
    Job.State.DONE.value: gettext_lazy("done"),
    Job.State.FAILED.value: gettext_lazy("failed"),
}


@page("jobs.see_jobs")
def jobs(request: PersonRequest) -> HttpResponse:
    """Show background work by state."""
    wanted = request.GET.get("state", "")
    state = wanted if wanted in STATES else ""
    counts = queries.counts(actor=request.user)
    found = Paginator(queries.jobs(actor=request.user, state=state), ROWS).get_page(request.GET.get("page"))
    context = {
        "page": found,
        "rows": [(job, STATES[job.state], job.error.partition("\n")[0]) for job in found],
        "counts": [(name, label, counts[name]) for name, label in STATES.items()],
        "failed": counts[Job.State.FAILED.value],
        "under_way": counts[Job.State.RUNNING.value] + counts[Job.State.QUEUED.value],
        "state": state,
        "schedules": queries.schedules(actor=request.user),
        "may_retry": may(request.user, "jobs.retry"),
    }
    return render(request, "jobs/jobs.html", context)


@page("jobs.retry", methods=("POST",))
def retry(request: PersonRequest, job_id: int) -> HttpResponse:
    """Try a failed job again."""
    try:
        services.retry(job_id, actor=request.user, now=utcnow())
        messages.success(request, _("The job waits to be tried again."))
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("jobs:jobs")
