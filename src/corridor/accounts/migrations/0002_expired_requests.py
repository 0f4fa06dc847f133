"""Let a request that waited too long for its second person be expired."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add a state."""

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='approvalrequest', name='approval_state'),
        migrations.AlterField(
            model_name='approvalrequest',
            name='state',
            field=models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('declined', 'Declined'), ('expired', 'Expired')], default='waiting', max_length=8),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ('waiting', 'done', 'declined', 'expired'))), name='approval_state'),
        ),
    ]
