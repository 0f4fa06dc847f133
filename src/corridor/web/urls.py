"""Addresses of the shell, below ``/web/``."""

from django.urls import path

from corridor.web import views

app_name = "web"
urlpatterns = [
    path("language", views.choose_language, name="language"),
    path("components", views.components, name="components"),
    path("charts/library-<slug:version>.js", views.chart_library, name="chart-library"),
    path("charts/<slug:digest>.<slug:theme>.<slug:width>.<slug:form>", views.chart_picture, name="chart-picture"),
    path("charts/<slug:digest>.csv", views.chart_csv, name="chart-csv"),
    path("charts/<slug:digest>/table", views.chart_table, name="chart-table"),
]
