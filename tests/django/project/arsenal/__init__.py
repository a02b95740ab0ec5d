"""A program of Django's: fields of django.contrib.postgres."""
