from django.apps import AppConfig


class FiguresConfig(AppConfig):
    """Announces the test messages; their effects go to a table without any constraint, so that a double would show."""

    name = "tests.soak.figures"
    label = "soak_figures"

    def ready(self) -> None:
        from tests.exchange.nodes import register_test_messages

        register_test_messages()
