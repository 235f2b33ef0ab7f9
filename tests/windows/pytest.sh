#!/usr/bin/env bash
# Run tests in CPython for Windows on Wine: `bash tests/windows/pytest.sh tests/formats`. See setup.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
export WINEPREFIX=$PWD/build/windows/prefix WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml= DISPLAY=
options=(-o addopts= --strict-markers --import-mode=importlib -q -p no:cacheprovider)
markers="not slow and not system and not load and not trust and not endurance and not frameworks and not windows"
# Its output has to be a pipe.
wine build/windows/python/python.exe -m pytest "${options[@]}" -m "$markers" "$@" </dev/null 2>&1 | cat
