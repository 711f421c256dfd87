# shellcheck shell=bash disable=SC2154,SC2034,SC2046 # lib.sh and script/package set and use it; paths have no blanks
# Built again elsewhere, with other locale, zone, mask and number of jobs, the packages have the same bytes.
# SPDX-License-Identifier: PostgreSQL
mkdir -p "$RUN_DIRECTORY/other/path-of-another-length"
umask 027
build_packages "$RUN_DIRECTORY/other/path-of-another-length" LC_ALL=C TZ=Asia/Tokyo DEB_BUILD_OPTIONS=parallel=1 CCACHE_DISABLE=1
umask 022
for file in "$packages"/*.deb "$packages"/*.orig.tar.xz "$packages"/*.debian.tar.xz; do
    cmp "$file" "$RUN_DIRECTORY/other/path-of-another-length/$(basename "$file")"
done
say "ok: $(find "$packages" -name '*.deb' | wc -l) packages and their source, the same bytes"
