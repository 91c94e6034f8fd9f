#!/bin/sh
# Builds the image as an archive for `docker load`: build_image.sh amd64|arm64 [FILEBEAT]
#
# The archive has Docker's format: balena-engine 20.10 loads no other, and a health check is no part
# of OCI's. `skopeo copy docker-archive:FILE oci-archive:FILE` converts it.
set -eu
cd "$(dirname "$0")/.."
arch=$1 filebeat=${2:-}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' engine/version.py)
if [ -n "$filebeat" ]; then variant=-filebeat limit=167; else variant='' limit=100; fi
name=offspot-metrics-$arch$variant
work=build/image
mkdir -p "$work/context/$name" "$work/empty" dist

"${PYTHON:-python3}" container/build_root.py --arch "$arch" --archive dist/offspot-metrics \
    ${filebeat:+--filebeat "$filebeat"} --output "$work/context/$name/root-file-system" \
    --cache "$work" --max-megabytes "$limit"

created=$(git log -1 --format=%ct 2>/dev/null || echo 0)
store="--root $PWD/$work/store --runroot $PWD/$work/run --storage-driver vfs"
tag=offspot-metrics:$version$variant-$arch
# shellcheck disable=SC2086  # several options
buildah $store bud --quiet --isolation chroot --format docker --squash --timestamp "$created" \
    --arch "$arch" --build-context "root=$work/context/$name" --tag "$tag" \
    --build-arg VERSION="$version" \
    --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --build-arg CREATED="$(date -u -d "@$created" +%FT%TZ)" \
    --file container/Dockerfile "$work/empty" >"$work/$name.id"
rm -f "dist/$name.tar"
# shellcheck disable=SC2086
buildah $store push --quiet "$tag" "docker-archive:dist/$name.tar:$tag"
# shellcheck disable=SC2086
buildah $store rmi --all --force >/dev/null
echo "dist/$name.tar: $(stat -c %s "dist/$name.tar") bytes, $tag"
