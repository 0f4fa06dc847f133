"""Note on a waiting envelope that its partner was asked to refuse it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add one column."""

    dependencies = [
        ('exchange', '0007_keeping'),
    ]

    operations = [
        migrations.AddField(
            model_name='outboxentry',
            name='is_withdrawn',
            field=models.BooleanField(default=False),
        ),
    ]
