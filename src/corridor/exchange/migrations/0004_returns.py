"""What partners owe after a restore, and to whom a return is still on its way."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Two columns of the partners."""

    dependencies = [("exchange", "0003_shown_leaves")]

    operations = [
        migrations.AddField(
            model_name="partner",
            name="owed",
            field=models.CharField(
                blank=True,
                choices=[("", "Nothing"), ("unheard", "Unheard"), ("returns", "Returns"), ("forgone", "Forgone")],
                default="",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="partner",
            name="returning_epoch",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
