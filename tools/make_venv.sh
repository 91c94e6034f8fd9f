#!/bin/sh
# Makes a virtual environment with pip, also where Debian has split ensurepip off from Python.
#
#     tools/make_venv.sh PYTHON FOLDER
set -eu

python=$1
folder=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "make_venv: $python is older than 3.11; name a newer one: make PYTHON=python3.11 ..." >&2
    exit 1
}

if "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$(dirname "$0")/install_packages.sh" "python$version-venv"
fi
# --clear: a folder that is there without a working pip is what an interrupted run left.
"$python" -m venv --clear "$folder"
