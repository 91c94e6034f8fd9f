#!/bin/sh
# Installs those of the named Debian packages that are missing; does nothing when all are there.
#
#     tools/install_packages.sh caddy kiwix-tools
set -eu

missing=
for package in "$@"; do
    status=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

stop() {
    echo "install_packages: $1" >&2
    echo "install_packages: install these by hand and try again:$missing" >&2
    exit 1
}

command -v apt-get >/dev/null || stop "this is not Debian, or a system with its packages"
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
elif command -v sudo >/dev/null && [ -t 0 ]; then
    as_root=sudo
else
    stop "only root can install packages, and sudo is not there or asks for a password"
fi

echo "installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
    # shellcheck disable=SC2086 # empty, or a command and its option
    $as_root env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null && return
    tail -n 30 "$log" >&2
    stop "apt-get failed; the end of what it said is above"
}
quietly apt-get update
# shellcheck disable=SC2086 # one word for each package
quietly apt-get install --yes --no-install-recommends $missing
