"""What codes of care and of symposia are called on pages, in the language of the page."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

__all__ = [
    "CARE_KINDS",
    "CARE_MEMBERS",
    "CARE_SECTIONS",
    "ENTRY_KINDS",
    "ENTRY_STANDINGS",
    "INTENTS",
    "ITEM_KINDS",
    "ROUTES",
    "SCHEDULE_STATUSES",
    "VISIT_STANDINGS",
]

CARE_KINDS: Mapping[str, Promise] = {
    "treatment": _("Treatment protocol"),
    "schedule": _("Follow-up schedule"),
}
CARE_SECTIONS: Mapping[str, Promise] = {
    "document": _("The document"),
    "eligibility": _("Who is treated so"),
    "surgery": _("Surgery and its technique"),
    "regimens": _("Regimens: drugs, doses, days"),
    "targets": _("What is aimed at"),
    "palliative": _("Palliative care"),
    "sources": _("Sources"),
}
# Members of a treatment protocol, as a comparison calls them.
CARE_MEMBERS: Mapping[str, Promise] = {
    "adopted_on": _("in use since"),
    "citation": pgettext_lazy("treatment protocol", "publication"),
    "country": pgettext_lazy("treatment protocol", "country"),
    "cycle_days": _("days from cycle to cycle"),
    "cycles": _("cycles"),
    "days": _("on days of the cycle"),
    "disease": pgettext_lazy("treatment protocol", "disease"),
    "dose": pgettext_lazy("treatment protocol", "dose"),
    "dose_to": _("dose up to"),
    "drugs": pgettext_lazy("treatment protocol", "drug"),
    "en": _("in English"),
    "icd10": _("code of ICD-10"),
    "id": _("short name"),
    "indication": pgettext_lazy("treatment protocol", "indication"),
    "institution": pgettext_lazy("treatment protocol", "institution"),
    "intent": _("intent"),
    "label": pgettext_lazy("treatment protocol", "name"),
    "least": _("at least"),
    "measure": pgettext_lazy("treatment protocol", "measure"),
    "most": _("at most"),
    "name": pgettext_lazy("treatment protocol", "name"),
    "procedure": _("operation"),
    "published": pgettext_lazy("treatment protocol", "published"),
    "route": pgettext_lazy("treatment protocol", "route"),
    "ru": _("in Russian"),
    "schedule": _("how it is given"),
    "side": pgettext_lazy("treatment protocol", "whose"),
    "sources": _("sources"),
    "technique": _("technique"),
    "text": pgettext_lazy("treatment protocol", "text"),
    "title": pgettext_lazy("treatment protocol", "title"),
    "unit": _("unit"),
    "until": pgettext_lazy("treatment protocol", "until"),
    "ur": _("in Urdu"),
    "url": _("address"),
    "version": _("version"),
    "zh-hans": _("in Chinese"),
}
INTENTS: Mapping[str, Promise] = {
    "curative": _("to cure"),
    "neoadjuvant": _("before surgery (neoadjuvant)"),
    "adjuvant": _("after surgery (adjuvant)"),
    "palliative": pgettext_lazy("intent", "palliative"),
    "supportive": _("supportive"),
    "chelation": _("iron chelation"),
}
ROUTES: Mapping[str, Promise] = {
    "oral": _("by mouth"),
    "intravenous": _("into a vein"),
    "subcutaneous": _("under the skin"),
    "intramuscular": _("into a muscle"),
    "intrathecal": _("into the spinal canal"),
    "topical": _("on the skin"),
    "inhaled": _("inhaled"),
    "external-beam": _("external-beam radiotherapy"),
}
ITEM_KINDS: Mapping[str, Promise] = {
    "visit": _("Visit"),
    "imaging": _("Imaging"),
    "laboratory": _("Laboratory"),
}
# What the sites of a study bring to their symposium.
ENTRY_KINDS: Mapping[str, Promise] = {
    "agenda": pgettext_lazy("symposium", "Agenda"),
    "figure": pgettext_lazy("symposium", "Figures from the study"),
    "decision": pgettext_lazy("symposium", "Decisions"),
    "publication": pgettext_lazy("symposium", "Joint publications"),
}
ENTRY_STANDINGS: Mapping[str, Promise] = {
    "open": pgettext_lazy("symposium", "open"),
    "done": pgettext_lazy("symposium", "done"),
    "withdrawn": pgettext_lazy("symposium", "withdrawn"),
}
# How an expected visit stands on a due list.
VISIT_STANDINGS: Mapping[str, Promise] = {
    "overdue": pgettext_lazy("visit", "overdue"),
    "due": pgettext_lazy("visit", "due"),
    "coming": pgettext_lazy("visit", "coming"),
}
SCHEDULE_STATUSES: Mapping[str, Promise] = {
    "draft": pgettext_lazy("follow-up schedule", "draft"),
    "active": pgettext_lazy("follow-up schedule", "in use"),
    "retired": pgettext_lazy("follow-up schedule", "retired"),
    "unknown": pgettext_lazy("follow-up schedule", "unknown"),
}
