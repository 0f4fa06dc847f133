"""Keep holds and deletions of every body, open ones too, and on which day an envelope was counted for its channel."""

import django.db.models.deletion
from django.db import migrations, models


def _carry(apps, schema_editor):
    """Give each sealed body that is held or deleted the row that says so."""
    keeping = apps.get_model('exchange', 'BodyKeeping')
    for body in apps.get_model('exchange', 'SealedBody').objects.filter(models.Q(is_held=True) | models.Q(deleted_at__isnull=False)):
        is_deleted = body.deleted_at is not None
        keeping.objects.create(
            crossing_id=body.crossing_id,
            # When a hold was laid was not kept apart from the log; the envelope's own moment is the earliest it can be.
            held_at=None if is_deleted else body.crossing.recorded_at,
            deleted_at=body.deleted_at,
            deleted_by=body.deleted_by,
            why='request' if is_deleted else '',
        )


class Migration(migrations.Migration):
    """Add a table, carry what the sealed bodies say into it, and add a column."""

    dependencies = [
        ('exchange', '0006_keys_come_back'),
    ]

    operations = [
        migrations.CreateModel(
            name='BodyKeeping',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('held_at', models.DateTimeField(blank=True, null=True)),
                ('held_by', models.CharField(blank=True, default='', max_length=300)),
                ('hold_reason', models.CharField(blank=True, default='', max_length=500)),
                ('deleted_at', models.DateTimeField(blank=True, null=True)),
                ('deleted_by', models.CharField(blank=True, default='', max_length=300)),
                ('why', models.CharField(blank=True, choices=[('request', 'request'), ('retention', 'retention'), ('view-ended', 'view-ended'), ('agreement-ended', 'agreement-ended'), ('restore', 'restore')], default='', max_length=16)),
                ('leaf_index', models.PositiveBigIntegerField(null=True)),
                ('partner_deleted_at', models.DateTimeField(blank=True, null=True)),
                ('partner_why', models.CharField(blank=True, choices=[('request', 'request'), ('retention', 'retention'), ('view-ended', 'view-ended'), ('agreement-ended', 'agreement-ended'), ('restore', 'restore')], default='', max_length=16)),
                ('crossing', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='keeping', to='exchange.crossing')),
                ('tree', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deletions', to='exchange.logtree')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('held_at__isnull', True), ('deleted_at__isnull', True), _connector='OR'), name='exchange_held_is_not_deleted')],
            },
        ),
        migrations.RunPython(_carry, migrations.RunPython.noop),
        migrations.RemoveField(model_name='sealedbody', name='is_held'),
        migrations.RemoveField(model_name='sealedbody', name='deleted_at'),
        migrations.RemoveField(model_name='sealedbody', name='deleted_by'),
        migrations.AddField(
            model_name='outboxentry',
            name='counted_on',
            field=models.DateField(blank=True, null=True),
        ),
    ]
