"""The methods of a study in words, written from its protocol: what a report states, and nothing that was not signed."""

from __future__ import annotations

from django.utils.translation import gettext as _

from corridor.accounts.approvals import isolated
from corridor.pillars.research.rules.analyses import KINDS, Precision
from corridor.pillars.research.rules.protocol import Protocol
from corridor.pillars.research.rules.protocol.document import Missing
from corridor.pillars.research.texts import KINDS as NAMES
from corridor.pillars.research.views.words import in_words, listed, plain, variable_text
from corridor.web.cells import language
from corridor.web.formats import day_text
from corridor.web.names import place_name

__all__ = ["methods_text"]


def methods_text(protocol: Protocol) -> list[str]:
    """Return the methods in paragraphs, in the language of the page; quotations stand as the protocol has them."""
    sites = listed(
        isolated(f"{site.institution} ({place_name(site.country, language=language())})") for site in protocol.sites
    )
    told = [
        _(
            "%(sites)s took part under version %(version)d of the protocol, which all of them had signed before any"
            " result was seen. Patients’ rows stayed at their sites; each site answered with sums over its own rows."
        )
        % {"sites": sites, "version": protocol.version},
        _("Population: %(population)s Time zero: %(time_zero)s. Exposure: %(exposure)s.")
        % {
            "population": in_words(protocol.population_text),
            "time_zero": isolated(protocol.time_zero),
            "exposure": variable_text(protocol, protocol.exposure),
        },
    ]
    for endpoint in protocol.endpoints:
        text = _("Endpoint: %(endpoint)s.") % {"endpoint": in_words(endpoint.label) or endpoint.name}
        if endpoint.follow_up_days:
            cut = _("Observation was cut after %(days)s days.")
            text += " " + cut % {"days": plain(endpoint.follow_up_days, 0)}
        if endpoint.competing:
            other = _("A competing event, %(event)s, makes it impossible; incidence is given for both.")
            text += " " + other % {"event": isolated(variable_text(protocol, endpoint.competing))}
        if endpoint.entry:
            late = _("Patients count from the day on which their observation began: %(entry)s.")
            text += " " + late % {"entry": isolated(variable_text(protocol, endpoint.entry))}
        told.append(text)
    analyses = listed(f"{in_words(item.title)} ({NAMES.get(item.kind, item.kind)})" for item in protocol.analyses)
    told.append(_("Planned analyses: %(analyses)s.") % {"analyses": analyses})
    told.extend(_errors(protocol))
    told.append(
        _("Rows that lack a value which an analysis needs were left out of it.")
        if protocol.missing is Missing.COMPLETE_CASES
        else _("No analysis was computed where rows lacked a value that it needs.")
    )
    coarsened = [item for item in protocol.analyses if KINDS[item.kind].precision is Precision.COARSENED]
    if coarsened:
        told.append(
            _(
                "Exact for times and values rounded up to a public grid whose intervals were merged until enough"
                " persons leave in each: %(analyses)s. The other results are those of pooled rows."
            )
            % {"analyses": listed(in_words(item.title) for item in coarsened)}
        )
    told.append(isolated(" ".join(protocol.plan.split())))
    told.append(
        _(
            "No number about fewer than %(k)d persons left a site, nor any that would have given one away together with"
            " earlier ones. Times were told on a grid of %(grid)d days."
        )
        % {"k": protocol.disclosure.smallest_cell, "grid": protocol.disclosure.grid_days}
    )
    approvals = listed(
        isolated(
            f"{site.id}: {isolated(each.body)}, {isolated(each.number)},"
            f" {isolated(day_text(each.approved_on, language=language()))}"
        )
        for site in protocol.sites
        for each in site.approvals
    )
    if approvals:
        told.append(_("Approvals: %(approvals)s.") % {"approvals": approvals})
    if protocol.registration:
        told.append(_("Registration: %(registration)s.") % {"registration": protocol.registration})
    return told


def _errors(protocol: Protocol) -> list[str]:
    """Return which fits weight their rows by a variable, and which have errors clustered by person."""
    told = []
    fits = [item for item in protocol.analyses if item.kind == "cox"]
    weighted = [item for item in fits if item.options.get("weights")]
    for item in weighted:
        names = {
            "analysis": in_words(item.title),
            "variable": isolated(variable_text(protocol, str(item.options["weights"]))),
        }
        told.append(_("%(analysis)s: rows were weighted by %(variable)s.") % names)
    robust = [item for item in fits if item.options.get("robust") or item in weighted]
    if robust:
        names = {"analyses": listed(in_words(item.title) for item in robust)}
        told.append(_("Robust errors, clustered by person: %(analyses)s.") % names)
    return told
