"""Pages of the administrator, the auditor, and whoever gives a second yes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from corridor.accounts import approvals, exports, queries, services
from corridor.accounts.access import PersonRequest, page, reauthenticated
from corridor.accounts.forms import AuditForm, PersonForm, RolesForm
from corridor.accounts.models import ApprovalRequest, Person
from corridor.accounts.roles import may, roles
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault

ROWS = 50
_CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@page("accounts.manage_people", methods=("GET", "POST"))
@reauthenticated
@sensitive_variables("password")
def people(request: PersonRequest) -> HttpResponse:
    """List everyone, and appoint a person."""
    form = PersonForm(request.POST or None)
    given = None
    if form.is_valid():
        password = services.one_time_password()
        try:
            person = services.add_person(
                form.cleaned_data["username"],
                display_name=form.cleaned_data["display_name"],
                language=form.cleaned_data["language"],
                roles=form.cleaned_data["roles"],
                password=password,
                actor=request.user,
                now=utcnow(),
            )
        except UserFault as fault:
            form.add_error("username", fault_text(fault))
        else:
            given, form = {"person": person, "password": password}, PersonForm()
    rows = [(person, role_labels(person)) for person in queries.people(actor=request.user)]
    return render(request, "accounts/people.html", {"form": form, "rows": rows, "given": given})


@page("accounts.manage_people", methods=("GET", "POST"))
@reauthenticated
def person(request: PersonRequest, person_id: int) -> HttpResponse:
    """Show one person; change their roles, password or access."""
    shown = queries.person(person_id, actor=request.user)
    if shown is None:
        raise Http404
    given = None
    if request.method == "POST":
        try:
            given = _change(request, shown)
        except UserFault as fault:
            messages.error(request, fault_text(fault))
        if given is None:
            return redirect("accounts:person", person_id=shown.pk)
    context = {
        "shown": shown,
        "form": RolesForm(initial={"roles": sorted(shown.role_names)}),
        "labels": role_labels(shown),
        "given": given,
        "is_self": shown.pk == request.user.pk,
    }
    return render(request, "accounts/person.html", context)


def _change(request: PersonRequest, shown: Person) -> str | None:
    now, actor = utcnow(), request.user
    match request.POST.get("do"):
        case "roles":
            form = RolesForm(request.POST)
            if form.is_valid():
                services.set_roles(shown, roles=form.cleaned_data["roles"], actor=actor, now=now)
                messages.success(request, _("The roles are changed."))
        case "password":
            return services.give_password(shown, actor=actor, now=now)
        case "close":
            services.close_person(shown, actor=actor, now=now)
            messages.success(request, _("The access is closed."))
        case "reopen":
            services.reopen_person(shown, actor=actor, now=now)
            messages.success(request, _("The access is open again."))
    return None


def role_labels(person: Person) -> list[str]:
    """Return the translated names of a person's roles, in the order in which roles were announced."""
    held = {assignment.role for assignment in person.roles.all()}
    return [str(role.label) for role in roles() if role.name in held]


@page("accounts.see_audit")
def audit(request: PersonRequest) -> HttpResponse:
    """Show the audit trail, filtered and paged."""
    form = AuditForm(request.GET)
    entries = queries.audit_entries(_filter(form), actor=request.user)
    shown = Paginator(entries, ROWS).get_page(request.GET.get("page"))
    return render(request, "accounts/audit.html", {"form": form, "page": shown, "query": request.GET.urlencode()})


@page("accounts.see_audit")
def audit_export(request: PersonRequest, form_name: str) -> HttpResponse:
    """Download the filtered audit trail as CSV or JSON."""
    if form_name not in _CONTENT_TYPES:
        raise Http404
    entries = queries.audit_entries(_filter(AuditForm(request.GET)), actor=request.user)
    response = HttpResponse(exports.AUDIT_FORMATS[form_name](entries), content_type=_CONTENT_TYPES[form_name])
    response["Content-Disposition"] = f'attachment; filename="audit-{utcnow():%Y-%m-%d}.{form_name}"'
    return response


def _filter(form: AuditForm) -> queries.AuditFilter:
    wanted = form.cleaned_data if form.is_valid() else {}
    since, until = wanted.get("since"), wanted.get("until")
    return queries.AuditFilter(
        since=datetime.combine(since, time.min, tzinfo=UTC) if since else None,
        before=datetime.combine(until + timedelta(days=1), time.min, tzinfo=UTC) if until else None,
        actor=wanted.get("actor", ""),
        action=wanted.get("action", ""),
        subject=wanted.get("subject", ""),
        outcome=wanted.get("outcome", ""),
    )


@page("accounts.see_approvals")
def waiting(request: PersonRequest) -> HttpResponse:
    """Show what waits for a second person."""
    now = utcnow()
    requests = queries.waiting_approvals(actor=request.user, now=now)
    context = {
        "rows": [_waiting_row(each, request, now=now) for each in requests],
        "decided": [(each, _sentence(each)) for each in queries.decided_approvals(actor=request.user, now=now)],
        "days": approvals.REQUEST_LASTS.days,
        "one_person": approvals.is_one_person_mode(),
        "may_decide": may(request.user, "accounts.approve"),
    }
    return render(request, "accounts/approvals.html", context)


def _waiting_row(each: ApprovalRequest, request: PersonRequest, *, now: datetime) -> dict[str, object]:
    refusal = approvals.why_not(each, actor=request.user, now=now)
    return {
        "asked": each,
        "expires_at": approvals.expires_at(each),
        "sentence": _sentence(each),
        "answers_for": approvals.answers_for(each, actor=request.user),
        "why_not": fault_text(refusal) if refusal else "",
        "may_decline": refusal is None or each.asked_by_id == request.user.pk,
    }


def _sentence(each: ApprovalRequest) -> str:
    return str(approvals.kind_of(each.kind).describe(each.arguments))


@page("accounts.approve", methods=("GET", "POST"))
@reauthenticated
def decide(request: PersonRequest, request_id: int) -> HttpResponse:
    """Give or refuse the second person's yes; the page shows once more what it is about."""
    each = queries.approval(request_id, actor=request.user, now=utcnow())
    if each is None:
        messages.error(request, _("There is no such request any more."))
        return redirect("accounts:approvals")
    if request.method == "POST":
        _decide(request, each)
        return redirect("accounts:approvals")
    row = _waiting_row(each, request, now=utcnow())
    return render(request, "accounts/decide.html", row)


def _decide(request: PersonRequest, each: ApprovalRequest) -> None:
    try:
        if request.POST.get("answer") == "yes":
            approvals.approve(each.pk, actor=request.user, now=utcnow())
            messages.success(request, _("Approved and done."))
        else:
            approvals.decline(each.pk, actor=request.user, now=utcnow())
            messages.success(request, _("Declined."))
    except UserFault as fault:
        messages.error(request, fault_text(fault))
