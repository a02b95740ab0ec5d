"""Models with the fields of django.contrib.postgres."""

from django.contrib.postgres import fields
from django.db import models

import psycoxide.extras


class Thing(models.Model):
    """A field of each kind."""

    tags = fields.ArrayField(models.TextField())
    matrix = fields.ArrayField(fields.ArrayField(models.IntegerField()))
    more = fields.HStoreField()
    size = fields.IntegerRangeField(default=psycoxide.extras.NumericRange(1, 9))
    valid = fields.DateRangeField()
    seen = fields.DateTimeRangeField()
    text = models.TextField()
