from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('research', '0007_told'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='code',
            field=models.CharField(blank=True, default='', max_length=80),
        ),
    ]
