"""Addresses of the shell, below ``/web/``."""

from django.urls import path

from corridor.web import views

app_name = "web"
urlpatterns = [
    path("language", views.choose_language, name="language"),
    path("components", views.components, name="components"),
]
