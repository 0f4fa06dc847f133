"""Keep the kind of period of an alert, by which it is joined to its signal again after a restore."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One column of the alerts that were sent."""

    dependencies = [("surveillance", "0002_current_figures_by_period")]

    operations = [
        migrations.AddField(
            model_name="sentalert",
            name="period_type",
            field=models.CharField(blank=True, default="", max_length=5),
        ),
    ]
