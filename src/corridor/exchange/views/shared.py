"""What several pages of the exchange do alike: find a partner, say what came of a step that takes two."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest
from corridor.accounts.approvals import Outcome
from corridor.exchange import queries
from corridor.exchange.queries import PartnerView


def find_partner(request: PersonRequest, node_id: str) -> PartnerView:
    """Return the partner that an address names.

    Raises
    ------
    Http404
        If no partner of that id is pinned.
    """
    found = next((view for view in queries.partners(request.user) if view.node_id == node_id), None)
    if found is None:
        raise Http404
    return found


def tell(request: HttpRequest, outcome: Outcome) -> None:
    """Say on the next page whether a step is done or waits for a second person."""
    if outcome.done:
        messages.success(request, _("Done."))
    else:
        text = _("Recorded. A second person must approve it: request %(number)s.") % {"number": outcome.request_id}
        messages.info(request, text)
