"""Models with the fields that every database has."""

import datetime
import decimal
import uuid

from django.db import models

AT = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)


class Item(models.Model):
    """A field of each type that has a type of PostgreSQL's own."""

    name = models.TextField(unique=True)
    at = models.DateTimeField(
        default=datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)
    )
    data = models.JSONField(default=dict)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=decimal.Decimal("3.50"))
    code = models.UUIDField(default=uuid.UUID(int=7))
    address = models.GenericIPAddressField(default="192.0.2.7")
    picture = models.BinaryField(default=b"\x00\xff")
    lasts = models.DurationField(default=datetime.timedelta(days=3, seconds=4))
    day = models.DateField(default=datetime.date(2026, 1, 2))
    hour = models.TimeField(default=datetime.time(3, 4))
