"""Wiring of the exchange."""

from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    """The Django app of the exchange."""

    name = "corridor.exchange"
    label = "exchange"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Exchange"
