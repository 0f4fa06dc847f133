"""Who got which answer, also of answers that left before."""

import json
from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def tell_of_earlier(apps: Any, schema_editor: Any) -> None:
    """Note of each answer that left which nodes got it: those of the other sites of its protocol."""
    del schema_editor
    Release, Told = (apps.get_model("research", name) for name in ("Release", "Told"))
    ProtocolVersion = apps.get_model("research", "ProtocolVersion")
    others: dict[str, list[str]] = {}
    for version in ProtocolVersion.objects.select_related("study"):
        sites = json.loads(bytes(version.document))["sites"]
        others[version.hash] = [site["node"] for site in sites if site["id"] != version.study.own_site]
    for release in Release.objects.iterator():
        numbers = sum(value is not None for values in release.numbers.values() for value in values)
        for node in others.get(release.protocol, []):
            Told.objects.create(release=release, node=node, numbers=numbers)


class Migration(migrations.Migration):
    """Add who got which answer."""

    dependencies = [("research", "0006_symposium")]

    operations = [
        migrations.CreateModel(
            name="Told",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("node", models.CharField(max_length=120)),
                ("numbers", models.PositiveIntegerField()),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="told", to="research.release"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["node"], name="research_told_to")],
                "constraints": [models.UniqueConstraint(fields=("release", "node"), name="research_told_once")],
            },
        ),
        migrations.RunPython(tell_of_earlier, migrations.RunPython.noop),
    ]
