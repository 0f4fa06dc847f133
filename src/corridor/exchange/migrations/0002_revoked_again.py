"""A card whose revocation was lifted can be revoked again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Let only one revocation of a card stand at a time."""

    dependencies = [("exchange", "0001_initial")]

    operations = [
        migrations.RemoveConstraint(model_name="keyrevocation", name="exchange_card_revoked_once"),
        migrations.AddConstraint(
            model_name="keyrevocation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reinstated_at__isnull", True)),
                fields=("node_id", "card_hash"),
                name="exchange_card_revoked_once",
            ),
        ),
    ]
