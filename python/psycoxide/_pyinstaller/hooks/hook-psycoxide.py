"""What a program that PyInstaller makes of `import psycoxide` needs, and no import statement names.

PyInstaller executes this file when it has found the package; it is none of its modules.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

# Imported when they are first asked for: ours, ...
hiddenimports = collect_submodules(
    "psycoxide", filter=lambda name: not name.startswith("psycoxide._pyinstaller")
)
# ... and what the native module asks the standard library for.
hiddenimports += [
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
# By which `importlib.metadata` knows psycopg2.
datas = collect_data_files("psycoxide", includes=["_shim/*.dist-info/*"])
