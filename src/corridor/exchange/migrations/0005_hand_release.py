"""Keep who let figures go that the suppression ledger held back, and why."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Add a table."""

    dependencies = [
        ('exchange', '0004_returns'),
    ]

    operations = [
        migrations.CreateModel(
            name='HandRelease',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_by', models.CharField(max_length=300)),
                ('allowed_by', models.CharField(max_length=300)),
                ('reason', models.CharField(max_length=1000)),
                ('narrowed', models.PositiveIntegerField()),
                ('crossing', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='hand_release', to='exchange.crossing')),
            ],
        ),
    ]
