"""The addresses of the exchange: its pages, and the API that partners' nodes call."""

from django.urls import URLPattern, URLResolver, path

from corridor.accounts.access import public
from corridor.exchange.api import api
from corridor.exchange.views import agreements, crossings, keeping, partners, recovery

app_name = "exchange"


def _open(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """Mark every view of the API as public: it knows partners by their signature, not by a session."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            public(pattern.callback)
    return patterns


_patterns, _, _namespace = api.urls

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", (_open(_patterns), "ninja", _namespace)),
    path("agreements/", agreements.agreement_list, name="agreements"),
    path("agreements/<str:hash_>/", agreements.agreement_page, name="agreement"),
    path("agreements/<str:hash_>/sheet/", agreements.agreement_sheet, name="agreement-sheet"),
    path("agreements/<str:hash_>/document.json", agreements.agreement_document, name="agreement-document"),
    path("agreements/<str:hash_>/difference/", agreements.agreement_difference, name="agreement-difference"),
    path("agreements/<str:hash_>/act/<slug:name>/", agreements.agreement_act, name="agreement-act"),
    path("partners/", partners.partner_list, name="partners"),
    path("partners/add/", partners.partner_add, name="partner-add"),
    path("partners/card.json", partners.own_card, name="own-card"),
    path("partners/new-epoch/", recovery.open_epoch, name="open-epoch"),
    path("partners/<str:node_id>/", partners.partner_page, name="partner"),
    path("partners/<str:node_id>/pause/", partners.partner_pause, name="partner-pause"),
    path("partners/<str:node_id>/resume/", partners.partner_resume, name="partner-resume"),
    path("partners/<str:node_id>/take/", partners.partner_take, name="partner-take"),
    path("partners/<str:node_id>/anew/", partners.partner_anew, name="partner-anew"),
    path("partners/<str:node_id>/address/", partners.partner_change_url, name="partner-change-url"),
    path("partners/<str:node_id>/welcome/", recovery.confirm_restore, name="partner-confirm-restore"),
    path("partners/<str:node_id>/go-on/", recovery.forgo_returns, name="partner-forgo"),
    path("partners/<str:node_id>/disputes/<int:number>/close/", recovery.close_dispute, name="dispute-close"),
    path("crossings/", crossings.crossing_list, name="crossings"),
    path("crossings.csv", crossings.crossing_export, name="crossings-csv"),
    path("crossings/<int:crossing_id>/", crossings.crossing_page, name="crossing"),
    path("crossings/<int:crossing_id>/envelope.jws", crossings.crossing_token, name="crossing-envelope"),
    path("crossings/<int:crossing_id>/receipt.jws", crossings.crossing_receipt, name="crossing-receipt"),
    path("crossings/<int:crossing_id>/evidence.json", crossings.crossing_evidence, name="crossing-evidence"),
    path("crossings/<int:crossing_id>/retry/", crossings.crossing_retry, name="crossing-retry"),
    path("crossings/<int:crossing_id>/keeping/", keeping.keeping_page, name="crossing-keeping"),
    path("crossings/<int:crossing_id>/body/", keeping.body_page, name="crossing-body"),
    path("counters/", crossings.counter_list, name="counters"),
]
