"""The addresses of surveillance, below ``/surveillance/``."""

from django.urls import path

from corridor.pillars.surveillance.views import board, counts, held, ingest, limits, partners, signals

app_name = "surveillance"
urlpatterns = [
    path("", board.board, name="board"),
    path("read/", board.read, name="read"),
    path("signals/", signals.signal_list, name="signals"),
    path("signals/<int:signal_id>/", signals.signal_page, name="signal"),
    path("signals/<int:signal_id>/move/", signals.move, name="signal-move"),
    path("signals/<int:signal_id>/note/", signals.note, name="signal-note"),
    path("signals/<int:signal_id>/share/", signals.share, name="signal-share"),
    path("signals/<int:signal_id>/withdraw/", signals.withdraw, name="signal-withdraw"),
    path("signals/<int:signal_id>/cases/", signals.signal_cases, name="signal-cases"),
    path("limits/<str:disease>/<str:place>/", limits.limit, name="limit"),
    path("ingest/", ingest.ingest, name="ingest"),
    path("ingest/<slug:token>/", ingest.upload, name="upload"),
    path("ingest/<slug:token>/commit/", ingest.commit, name="upload-commit"),
    path("ingest/<slug:token>/discard/", ingest.discard, name="upload-discard"),
    path("ingest/<slug:token>/rejects.csv", ingest.upload_rejects, name="upload-rejects"),
    path("imports/<int:import_id>/rejects.csv", ingest.import_rejects, name="import-rejects"),
    path("counts/", counts.counts, name="counts"),
    path("counts.csv", counts.counts_csv, name="counts-csv"),
    path("counts/<str:disease>/<str:place>/<str:day>/", counts.count, name="count"),
    path("lacking/", counts.lacking, name="lacking"),
    path("partners/", partners.partners, name="partners"),
    path("partners/waiting/<str:envelope>/", partners.waiting, name="waiting"),
    path("partners/waiting/<str:envelope>/decide/", partners.decide, name="decide"),
    path("partners/held/<str:agreement>/<str:channel>/", held.held, name="held"),
    path("partners/held/<str:agreement>/<str:channel>/ask/", held.ask, name="held-ask"),
    path("partners/alerts/<int:alert_id>/seen/", partners.seen, name="alert-seen"),
    path("partners/send/", partners.send_now, name="send-now"),
    path("partners/automatic/", partners.automatic, name="automatic"),
]
