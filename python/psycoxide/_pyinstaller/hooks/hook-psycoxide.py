"""Modules and data that a program with `import psycoxide` needs, but no import statement names.

PyInstaller executes this file when it has found the package; it is no module of the package.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

# Our modules that are imported at their first use, ...
hiddenimports = collect_submodules(
    "psycoxide", filter=lambda name: not name.startswith("psycoxide._pyinstaller")
)
# ... and the standard library's modules that the native module imports.
hiddenimports += [
    "asyncio",
    "base64",
    "codecs",
    "collections",
    "datetime",
    "decimal",
    "importlib.metadata",
    "io",
    "json",
    "secrets",
    "uuid",
]
# What we use if the program does: that these are installed does not make them a part of it.
excludedimports = [
    "adbc_driver_manager",
    "django",
    "duckdb",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "sqlalchemy",
]
# For `importlib.metadata`: the distributions of psycopg2.
datas = collect_data_files("psycoxide", includes=["_shim/*.dist-info/*"])
