"""Keep the leaves that partners show, what they were told of our logs, and which proofs were demanded."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Add two tables and a column."""

    dependencies = [
        ('exchange', '0002_revoked_again'),
    ]

    operations = [
        migrations.AddField(
            model_name='peercheckpoint',
            name='demanded_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name='OwnStatement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('node_id', models.CharField(max_length=120)),
                ('origin', models.CharField(max_length=300)),
                ('size', models.PositiveBigIntegerField()),
                ('signed', models.BinaryField()),
                ('told_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('node_id', 'origin', 'size'), name='exchange_told_once')],
            },
        ),
        migrations.CreateModel(
            name='PeerLeaf',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('origin', models.CharField(max_length=300)),
                ('index', models.PositiveBigIntegerField()),
                ('leaf_hash', models.BinaryField(max_length=32)),
                ('path', models.BinaryField()),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='leaves', to='exchange.peercheckpoint')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('origin', 'index', 'leaf_hash'), name='exchange_peer_leaf_once')],
            },
        ),
    ]
