"""django.contrib.postgres on the engine, and GeoDjango's."""

from __future__ import annotations

import pytest

from .conftest import Run

APPS = ["psycoxide.django", "django.contrib.postgres", "arsenal"]


def test_fields(run: Run) -> None:
    run(
        """
        import datetime, io, pathlib, sys

        import psycoxide
        from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
        from django.core.management import call_command
        from django.db import connection
        from django.db.models import F
        from psycoxide.extras import DateRange, DateTimeTZRange, NumericRange

        with connection.cursor() as cursor:
            cursor.execute("create extension hstore")
            cursor.execute("create extension citext")
        # Types of extensions are looked up by the connections after that.
        connection.close()
        from django.contrib.postgres import signals
        signals.get_hstore_oids.cache_clear()
        signals.get_citext_oids.cache_clear()

        call_command("makemigrations", "arsenal", verbosity=0)
        written = pathlib.Path("arsenal/migrations/0001_initial.py").read_text()
        assert "import psycoxide.extras" in written and "psycopg2" not in written
        assert "psycoxide.extras.NumericRange(1, 9, '[)')" in written
        call_command("migrate", verbosity=0)
        out = io.StringIO()
        call_command("makemigrations", "--check", "--dry-run", stdout=out)
        assert "No changes" in out.getvalue()

        from arsenal.models import Thing

        hour = datetime.timezone(datetime.timedelta(0))
        at = [datetime.datetime(2026, 1, day, tzinfo=hour) for day in (1, 2)]
        Thing.objects.create(
            tags=["a", 'b "c"', "d,e"],
            matrix=[[1, 2], [3, 4]],
            more={"colour": "red", "none": None},
            valid=DateRange(datetime.date(2026, 1, 1), None),
            seen=DateTimeTZRange(*at),
            text="the cats sat on the mat",
        )
        thing = Thing.objects.get(tags__contains=["a"], matrix__1__0=3)
        assert thing.tags == ["a", 'b "c"', "d,e"]
        assert thing.matrix == [[1, 2], [3, 4]]
        assert thing.more == {"colour": "red", "none": None}
        assert thing.size == NumericRange(1, 9)
        assert thing.valid == DateRange(datetime.date(2026, 1, 1), None)
        assert thing.seen == DateTimeTZRange(*at)
        assert Thing.objects.filter(more__colour="red", more__has_key="none").count() == 1
        assert Thing.objects.filter(size__overlap=NumericRange(8, 20)).count() == 1
        assert Thing.objects.filter(size__contains=9).count() == 0
        assert Thing.objects.filter(valid__contains=datetime.date(2027, 1, 1)).count() == 1
        assert Thing.objects.filter(text__search="cat").count() == 1
        vector, query = SearchVector("text", config="english"), SearchQuery("mat", config="english")
        ranked = Thing.objects.annotate(rank=SearchRank(vector, query)).filter(rank__gt=0)
        assert ranked.count() == 1
        with connection.cursor() as cursor:
            cursor.execute("select array['A'::citext], array['a=>1'::hstore]")
            assert cursor.fetchone() == (["A"], [{"a": "1"}])
        assert not {"psycopg2.extras", "psycopg2._psycopg"} & set(sys.modules)
        connection.close()
        """,
        apps=APPS,
    )


def test_geodjango(run: Run) -> None:
    """There is no PostGIS on the server under test: this asks for the libraries alone."""
    printed = run(
        """
        from django.core.exceptions import ImproperlyConfigured

        try:
            from django.contrib.gis import gdal, geos
            from django.contrib.gis.geos import libgeos
            libgeos.geos_version()
            gdal.gdal_version()
        except (ImportError, ImproperlyConfigured, OSError) as error:
            print("lacking", str(error).partition("\\n")[0][:60])
        else:
            import psycoxide
            from django.contrib.gis.db.backends.postgis.adapter import PostGISAdapter
            from django.contrib.gis.geos import Point
            from django.db import connection

            assert connection.features.gis_enabled
            assert connection.Database is psycoxide
            adapted = psycoxide.extensions.adapt(PostGISAdapter(Point(1, 2, srid=4326)))
            assert adapted.getquoted().startswith(b"ST_GeomFromEWKB(")
            connection.close()
            print("fine")
        """,
        apps=["psycoxide.django"],
        database={"ENGINE": "psycoxide.django.postgis"},
    )
    if printed.startswith("lacking"):
        pytest.skip(f"GeoDjango's libraries are not installed: {printed[8:].strip()}")
    assert printed == "fine\n"
