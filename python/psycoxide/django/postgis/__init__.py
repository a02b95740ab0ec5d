"""GeoDjango's database backend on psycoxide: `ENGINE = "psycoxide.django.postgis"`."""
