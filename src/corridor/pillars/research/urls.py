"""The addresses of research, below ``/research/``."""

from django.urls import path

from corridor.pillars.research.views import (
    acts,
    care,
    care_compare,
    follow_up,
    found,
    proposals,
    rows,
    studies,
    symposium,
)

app_name = "research"
urlpatterns = [
    # The name of a study begins with a letter or a digit, so that none hides these pages.
    path("-/care/", care.documents, name="care"),
    path("-/care/compare/", care_compare.compare, name="care-compare"),
    path("-/care/<str:hash_>/", care.document, name="care-document"),
    path("-/care/<str:hash_>/due/", follow_up.due, name="due"),
    path("-/care/<str:hash_>/due.csv", follow_up.due_csv, name="due-csv"),
    path("-/care/<str:hash_>/patients/", follow_up.register, name="patients"),
    path("-/care/<str:hash_>/freeze/", follow_up.freeze, name="freeze-adherence"),
    path("-/care/<str:hash_>.json", care.document_json, name="care-json"),
    path("-/propose/", proposals.propose, name="propose"),
    path("", studies.study_list, name="studies"),
    path("<str:study>/", studies.study_page, name="study"),
    path("<str:study>/protocol/<str:hash_>/", studies.protocol_page, name="protocol"),
    path("<str:study>/protocol/<str:hash_>/sign/", acts.sign, name="sign"),
    path("<str:study>/rows/", rows.rows_page, name="rows"),
    path("<str:study>/rows/upload/<slug:token>/", rows.upload, name="upload"),
    path("<str:study>/rows/upload/<slug:token>/freeze/", rows.freeze, name="upload-freeze"),
    path("<str:study>/rows/upload/<slug:token>/discard/", rows.discard, name="upload-discard"),
    path("<str:study>/rows/upload/<slug:token>/mapping.toml", rows.mapping_file, name="upload-mapping"),
    path("<str:study>/rows/<str:hash_>/sign/", acts.sign_rows, name="sign-rows"),
    path("<str:study>/request/<str:analysis>/", acts.request_analysis, name="request"),
    path("<str:study>/standing/", acts.set_standing, name="standing"),
    path("<str:study>/symposium/", symposium.space, name="symposium"),
    path("<str:study>/symposium.csv", symposium.space_csv, name="symposium-csv"),
    path("<str:study>/symposium.json", symposium.space_json, name="symposium-json"),
    path("<str:study>/symposium/<uuid:entry>/", symposium.change, name="symposium-change"),
    path("<str:study>/ledger/", studies.ledger_page, name="ledger"),
    path("<str:study>/ledger/reopen/", acts.reopen_ledger, name="reopen-ledger"),
    path("<str:study>/report/", found.report, name="report"),
    path("<str:study>/report.pdf", found.report_pdf, name="report-pdf"),
    path("<str:study>/results/<uuid:run>/", found.result, name="result"),
    path("<str:study>/results/<uuid:run>.csv", found.result_csv, name="result-csv"),
    path("<str:study>/results/<uuid:run>.json", found.result_json, name="result-json"),
    path("<str:study>/results/<uuid:run>/release/<int:number>/", acts.release, name="release"),
]
