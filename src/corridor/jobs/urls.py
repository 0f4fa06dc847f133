"""Addresses of background work, below ``/jobs/``."""

from django.urls import path

from corridor.jobs import views

app_name = "jobs"
urlpatterns = [
    path("", views.jobs, name="jobs"),
    path("<int:job_id>/retry", views.retry, name="retry"),
]
