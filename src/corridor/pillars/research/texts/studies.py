"""What codes of studies, and all codes of the audit trail and of faults, are called on pages."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

__all__ = [
    "ACTIONS",
    "APPROVALS",
    "CHECKS",
    "DETAILS",
    "ENDINGS",
    "FAULTS",
    "GUARDS",
    "KINDS",
    "PARTICULARS",
    "PRECISIONS",
    "STANDINGS",
    "STATES",
    "TYPES",
    "WARNINGS",
    "WORK",
]

# What the audit trail records, as the page of the trail calls it.
ACTIONS: Mapping[str, Promise] = {
    "research.propose_study": _("Propose a protocol"),
    "research.sign_protocol": _("Sign a protocol"),
    "research.freeze_rows": _("Freeze rows for a study"),
    "research.sign_snapshot": _("Sign frozen rows"),
    "research.request_run": _("Ask for an analysis"),
    "research.record_answer": _("Answer a round of an analysis"),
    "research.release_answer": _("Release an answer by hand"),
    "research.hold_answers": _("Let answers wait for two persons"),
    "research.release_unseen": _("Let answers leave without two persons"),
    "research.reopen_ledger": _("Open the disclosure ledger again"),
    "research.end_run": _("End a run without a result"),
    "research.finish_run": _("Keep the result of a run"),
    "research.set_standing": _("Pause, resume, leave or close a study"),
    "research.forget_blocks": _("Forget what came in deleted envelopes"),
    "research.take_acts": _("Take what another site says of a study"),
    "research.publish_document": _("Publish a treatment protocol or a follow-up schedule"),
    "research.take_documents": _("Take a partner’s treatment protocols and follow-up schedules"),
    "research.take_back_documents": _("Take back own treatment protocols and follow-up schedules after a restore"),
    "research.add_entry": _("Add to the symposium of a study"),
    "research.change_entry": _("Change an entry of a symposium"),
    "research.take_entries": _("Take what another site brings to a symposium"),
    "research.take_back_entries": _("Take back own entries of symposia after a restore"),
    "research.forget_entries": _("Forget entries of symposia of deleted envelopes"),
    "research.register_patients": _("Register patients who are followed up"),
    "research.freeze_adherence": _("Freeze how a schedule was kept, for a study"),
    "research.forget_documents": _("Forget treatment protocols and follow-up schedules of deleted envelopes"),
}
DETAILS: Mapping[str, Promise] = {
    "acts": _("acts"),
    "answers": _("answers"),
    "blocks": _("blocks"),
    "code": _("code"),
    "document": _("document"),
    "documents": _("documents"),
    "entries": _("entries"),
    "entry": _("entry"),
    "lost": _("lost"),
    "partners": _("partners"),
    "numbers": _("numbers"),
    "protocol": _("protocol"),
    "round": _("round"),
    "rows": _("rows"),
    "run": _("run"),
    "site": pgettext_lazy("study", "site"),
    "snapshot": _("frozen rows"),
    "standing": _("standing"),
    "state": _("state"),
    "study": _("study"),
    "version": _("version"),
}
WORK: Mapping[str, Promise] = {
    "research.advance-runs": _("Move the runs of studies on"),
    "research.advance-open-runs": _("Move open runs of studies on, every minute"),
}
APPROVALS: Mapping[str, Promise] = {
    "research.sign-protocol": _("Sign a protocol"),
    "research.release-answer": _("Release an answer by hand"),
    "research.release-unseen": _("Let answers leave without two persons"),
    "research.reopen-ledger": _("Open the disclosure ledger again"),
}
FAULTS: Mapping[str, Promise] = {
    "disclosure-refused": _("Disclosure control does not let this leave the site."),
    "not-a-site": _("This node is no site of the protocol."),
    "protocol-not-locked": _("The protocol is not signed by every site yet; nothing is computed before."),
    "protocol-unfit": _("The protocol does not fit the versions that are known, or does not count any more."),
    "standing-forbidden": _("A site that left or closed a study does not come back under the same protocol."),
    "study-not-open": _("No agreement in force opens this study between its sites."),
    "malformed-protocol": _("The protocol has faults."),
    "no-such-study": _("There is no such study here."),
    "study-ended": _("The end date of the protocol has passed; nothing new is computed."),
    "no-such-analysis": _("The plan has no such analysis."),
    "no-such-run": _("There is no such run here."),
    "nothing-waits": _("No answer of that round waits for two persons."),
    "no-such-snapshot": _("There are no such frozen rows here."),
    "care-not-open": _("No agreement in force opens the sharing of treatment protocols and follow-up schedules."),
    "version-taken": _("Other content was published under this version before. Give what changed a later version."),
    "malformed-treatment": _("The treatment protocol has faults."),
    "malformed-schedule": _("The follow-up schedule has faults."),
    "no-such-care-document": _("There is no such treatment protocol or follow-up schedule here."),
    "entry-unfit": _("There is no such entry of this site, or its figure has no result here."),
    "no-such-entry": _("There is no such entry in this symposium."),
    "no-patients": _("No patients are registered for this schedule, or their file is not here any more."),
    "patient-column-missing": _("The table of patients lacks a column that the schedule needs."),
    "faulty-patients": _("Rows of the table of patients cannot be used."),
    "not-two-treatments": _("Choose two treatment protocols to compare."),
    "ledger-not-closed": _("The disclosure ledger is open: it knows every answer that left this site."),
    "nothing-comes-back": _(
        "Of the answers that left, nothing but the names is here, or the rows that they were about are not: the ledger"
        " stays closed. Freeze the same rows anew, and ask again."
    ),
    "few-corrections": _(
        "These rows differ from rows of which numbers left before in values of too few patients: the same analysis of"
        " both would give their corrections away. Keep the former rows, and freeze anew once enough patients differ in"
        " each variable that changes, and in each group that those numbers tell apart."
    ),
    "rows-gone": _(
        "Frozen rows of which numbers may have left are not here any more, so these cannot be compared with them."
        " Freeze the same rows anew first."
    ),
    "column-missing": _("A variable of the protocol has no column. Choose its column below."),
    "mapping-fault": _("The mapping does not fit the table or the protocol."),
    "nothing-usable": _("No row has a value in the column of the patient’s pseudonym. Choose its column below."),
    "not-one-row": _("The export has several rows for one event of a record; one row for each record was expected."),
    "typeface-missing": _("This node has no typeface with the letters of the report. Its administrator can add one."),
}
PARTICULARS = (
    "care-not-open",
    "column-missing",
    "disclosure-refused",
    "faulty-patients",
    "few-corrections",
    "malformed-protocol",
    "malformed-schedule",
    "malformed-treatment",
    "mapping-fault",
    "not-one-row",
    "patient-column-missing",
    "protocol-unfit",
    "rows-gone",
    "study-not-open",
    "typeface-missing",
)
STATES: Mapping[str, Promise] = {
    "running": pgettext_lazy("run", "running"),
    "waiting": pgettext_lazy("run", "waits for two persons here"),
    "refused": pgettext_lazy("run", "refused"),
    "failed": pgettext_lazy("run", "no result"),
    "disputed": pgettext_lazy("run", "disputed"),
    "done": pgettext_lazy("run", "done"),
}
STANDINGS: Mapping[str, Promise] = {
    "active": pgettext_lazy("study site", "takes part"),
    "paused": pgettext_lazy("study site", "paused"),
    "left": pgettext_lazy("study site", "left"),
    "closed": pgettext_lazy("study site", "closed"),
}
# Why a run ended without a result, at which site, and what helps: by `Run.code`.
ENDINGS: Mapping[str, Promise] = {
    "disclosure-refused": _(
        "Disclosure control of the site %(site)s does not let its answer leave; nothing was sent in this round."
    ),
    "approval-lacking": _(
        "The site %(site)s lacks an approval that is in force, and computes nothing without one. Its steward has the"
        " approval renewed; an amendment then states it."
    ),
    "study-ended": _(
        "The end date of the protocol has passed at the site %(site)s. An amendment may set a later one; then ask"
        " again."
    ),
    "site-left": _(
        "The site %(site)s does not take part any more, and this analysis needs every site. An amendment without it, or"
        " with its new signature, lets you ask again; what it released before stays released."
    ),
    "protocol-superseded": _(
        "The analysis was asked for under a version that an amendment has replaced at the site %(site)s. Ask again once"
        " every site has the amendment; it then runs under the new version."
    ),
    "two-answers": _(
        "The site %(site)s sent two different answers to one request, so neither counts. Ask its steward why, and ask"
        " again when the cause is found; both answers stand in the log."
    ),
    "parameters-differ": _(
        "The site %(site)s computed for other parameters than follow from the signed answers, so its answer does not"
        " count. Its node may run another release, or hold other answers: its administrator compares both with yours."
    ),
    "malformed-block": _(
        "The answer of the site %(site)s cannot be read as what this analysis asks for. Its node may run another"
        " release: its administrator looks into it; then ask again."
    ),
    "cannot-compute": _("These rows give no answer to this analysis."),
    "missing-values": _("Rows lack values that the protocol does not allow to be missing."),
    "no-events": _("Nobody had the event, so there is nothing to compare. Follow up for longer, or merge groups."),
    "coefficients-too-large": _("The fit runs away: a coefficient leaves every sensible range. Use fewer terms."),
    "monotone-likelihood": _(
        "A term separates those with the event from those without (separation): no coefficient exists. Merge levels, or"
        " leave the term out, in an amendment."
    ),
    "not-converged": _("The fit does not converge. Use fewer terms, or scale the variables, in an amendment."),
    "collinear-covariates": _(
        "Two or more terms say the same, so that their coefficients cannot be told apart. Leave one of them out, in an"
        " amendment."
    ),
    "bad-survival-data": _("Times or events of a site cannot be used. Its steward looks at the report on its rows."),
    "bad-model": _("The sites’ answers do not fit the model of the plan."),
}
# Why an answer may not leave, and what helps: by guard of disclosure control.
GUARDS: Mapping[str, Promise] = {
    "smallest-cell": _("A count of fewer persons than the rule allows. Merge categories, or leave the analysis out."),
    "dominance": _("One person makes up too much of a sum. Transform the variable, or cap its values in an amendment."),
    "degrees-of-freedom": _("Too many terms for the rows or events of this site. Use fewer terms."),
    "minority": _("All but a few rows share one value. Merge codes, or leave the term out."),
    "leverage": _("A single row weighs too much in the model. Transform or cap the variable."),
    "weights": _("Too few rows make up the weighted sums. Trim or stabilise the weights."),
    "events": _("Too few events in an arm or stratum. Merge arms or strata, or follow up for longer."),
    "time-grid": _(
        "Too few persons leave within an interval of time. Use a wider time grid, fewer arms or fewer terms; Cox"
        " regression stratified by site needs no grid."
    ),
    "likelihood": _("The coefficients are none that a fit would visit."),
    "evaluations": _("This model was asked for too often on the same rows."),
    "differencing": _(
        "Together with earlier answers this would single out a few persons. Ask about a group that differs by more"
        " persons, or leave this analysis out."
    ),
    "corrections": _(
        "Together with answers on other frozen rows this would tell the corrections of a few patients. Collect"
        " corrections of more of them, or ask for other groups."
    ),
    "budget": _(
        "What may be told for this study, of a person or to a partner is used up, or the ledger is closed after a"
        " restore. Two persons open it again on the page of the ledger."
    ),
}
# What a reader of a result must know: by `rules.analyses.Caution`.
WARNINGS: Mapping[str, Promise] = {
    "cells-withheld": _(
        "A site withholds small counts, and others that would give them away; no total is shown there."
    ),
    "noise-added": _("The counts bear noise of each site, as the protocol chooses; they are not exact."),
    "poor-overlap": _(
        "Overlap is poor: more than a quarter of the patients have few others alike in the other arm. Compare fewer, by"
        " overlap weights or a stricter population."
    ),
    "extreme-weights": _(
        "Weights are extreme: an arm counts for less than half of its patients. Stabilise or trim, or use overlap"
        " weights."
    ),
    "not-balanced": _("Weights leave a standardised difference above 0.1: the arms are not alike in that."),
    "sites-differ": _("The sites differ by more than chance explains; a common estimate hides that."),
    "curve-cut": _(
        "Follow-up counts up to the day after which too few persons would be left; some were followed for longer."
    ),
    "mean-beyond-curve": _(
        "A restricted mean reaches beyond the end of the curves and is not given. Ask for one up to an earlier day."
    ),
    "hazards-not-proportional": _(
        "The hazards are not proportional: an effect changes with time, and its hazard ratio is an average over the"
        " follow-up. Look at the curves, or at restricted means."
    ),
}
KINDS: Mapping[str, Promise] = {
    "counts": _("Counts of patients"),
    "moments": _("Means and standardised differences"),
    "quantiles": _("Quantiles of a number over a public grid"),
    "cox": _("Cox regression stratified by site"),
    "cox-unstratified": _("Cox regression with one risk set over all sites"),
    "concordance": _("Concordance of all pairs over sites"),
    "logrank": _("Log-rank test stratified by site"),
    "kaplan-meier": _("Kaplan-Meier curves"),
    "logistic": _("Logistic regression"),
    "poisson": _("Poisson regression"),
    "linear": _("Linear regression"),
    "weighting": _("Cox regression weighted by propensity"),
    "meta": _("Meta-analysis of the sites"),
}
PRECISIONS: Mapping[str, Promise] = {
    "exact": _("Exact: the numbers that pooled rows would give."),
    "coarsened": _("Coarsened: exact for times and values rounded up to the grid of the protocol."),
}
TYPES: Mapping[str, Promise] = {
    "number": pgettext_lazy("type of a variable", "number"),
    "whole": pgettext_lazy("type of a variable", "whole number"),
    "flag": pgettext_lazy("type of a variable", "yes or no"),
    "category": pgettext_lazy("type of a variable", "category"),
    "date": pgettext_lazy("type of a variable", "date"),
    "person": pgettext_lazy("type of a variable", "pseudonym; it never leaves the site"),
}
# What harmonising checks in the rows of a site.
CHECKS: Mapping[str, Promise] = {
    "person-repeated": _("rows repeat a patient"),
    "time-not-positive": _("rows have a time that is not above zero"),
    "entry-after-end": _("rows enter observation only after its end"),
    "two-first-events": _("rows have the event and the competing one"),
    "constant": _("rows all hold the same value"),
}
