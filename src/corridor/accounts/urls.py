"""Addresses of people's business, below ``/accounts/``."""

from django.urls import path

from corridor.accounts import office, views

app_name = "accounts"
urlpatterns = [
    path("login", views.login, name="login"),
    path("logout", views.logout, name="logout"),
    path("again", views.reauthenticate, name="reauthenticate"),
    path("password", views.password, name="password"),
    path("sessions", views.own_sessions, name="sessions"),
    path("sessions/end", views.end_session, name="end_session"),
    path("tokens/<int:token_id>/revoke", views.revoke_token, name="revoke_token"),
    path("people", office.people, name="people"),
    path("people/<int:person_id>", office.person, name="person"),
    path("audit", office.audit, name="audit"),
    path("audit/export.<str:form_name>", office.audit_export, name="audit_export"),
    path("approvals", office.waiting, name="approvals"),
    path("approvals/<int:request_id>", office.decide, name="decide"),
]
