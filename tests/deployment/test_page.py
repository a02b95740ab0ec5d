"""Which of this folder's tests run the files of the page."""

from __future__ import annotations

from pathlib import Path

from .programs import page_files

RUN_BY = {
    "api.py": "test_asgi.py",
    "gone.py": "test_asgi.py",
    "careful.py": "test_asgi.py",
    "shop.py": "test_wsgi.py",
    "gunicorn.conf.py": "test_wsgi.py",
    "green.py": "test_celery.py",
    "tasks.py": "test_celery.py",
    "settings.py": "test_django.py",
    "worker.py": "test_worker.py",
}


def test_every_file_of_the_page_is_run() -> None:
    assert set(page_files()) == set(RUN_BY)
    assert all((Path(__file__).parent / name).exists() for name in RUN_BY.values())
