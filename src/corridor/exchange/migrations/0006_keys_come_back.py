"""A partner pinned anew begins a chain and logs of its own; what was held at a revocation stays."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Number the chains of cards, part what former chains signed, freeze what was held at a revocation."""

    dependencies = [("exchange", "0005_hand_release")]

    operations = [
        migrations.AlterModelOptions(name="cardversion", options={"ordering": ["node_id", "chain", "serial"]}),
        migrations.RemoveConstraint(model_name="cardversion", name="exchange_card_serial_once"),
        migrations.RemoveConstraint(model_name="heldbypeer", name="exchange_held_once"),
        migrations.RemoveConstraint(model_name="peercheckpoint", name="exchange_peer_checkpoint_once"),
        migrations.RemoveConstraint(model_name="peerleaf", name="exchange_peer_leaf_once"),
        migrations.AddField(model_name="cardversion", name="chain", field=models.PositiveIntegerField(default=1)),
        migrations.AddField(
            model_name="heldbypeer", name="frozen_by", field=models.CharField(blank=True, default="", max_length=64)
        ),
        migrations.AddField(
            model_name="peercheckpoint",
            name="is_former",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="peerleaf",
            name="is_former",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddConstraint(
            model_name="cardversion",
            constraint=models.UniqueConstraint(fields=("node_id", "chain", "serial"), name="exchange_card_serial_once"),
        ),
        migrations.AddConstraint(
            model_name="heldbypeer",
            constraint=models.UniqueConstraint(fields=("node_id", "origin", "frozen_by"), name="exchange_held_once"),
        ),
        migrations.AddConstraint(
            model_name="peercheckpoint",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_former", False)),
                fields=("origin", "size", "root"),
                name="exchange_peer_checkpoint_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="peerleaf",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_former", False)),
                fields=("origin", "index", "leaf_hash"),
                name="exchange_peer_leaf_once",
            ),
        ),
    ]
