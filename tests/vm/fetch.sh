#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the guests of tests/vm are made of: Debian's own kernel, boot loaders and a few programs (group "guest" of
# contrib/debian-packages), fetched with apt-get and unpacked. Nothing of it is installed into this machine.
#
# Usage: tests/vm/fetch.sh FOLDER    afterwards FOLDER/root holds it all, and FOLDER/packages names what it came from.
# Run again it does nothing; remove FOLDER to have newer ones. Any user; says why if it cannot.
set -euo pipefail

[ $# -eq 1 ] || { sed -n '3,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
list=$(dirname "$(readlink -f "$0")")/../../contrib/debian-packages
exec 9>"$dir/lock"
flock 9 # several tests may ask at a time

wanted=$(awk '$1 == "guest" { print $2 }' "$list" | sort)
[ "$wanted" != "$(cat "$dir/wanted" 2>/dev/null)" ] || exit 0
refuse() { echo "fetch.sh: $*" >&2; exit 1; }
command -v apt-get >/dev/null || refuse 'this is no Debian: there is no apt-get to fetch a kernel with'

rm -rf "$dir/new" && mkdir -p "$dir/new/root" "$dir/apt/lists/partial" "$dir/apt/archives/partial"
cd "$dir/new"
options=()
names() { # a package that is there for its newest version's sake stands for that
	local package
	for package in $wanted; do
		case $package in
		linux-image-*) apt-cache "${options[@]}" depends "$package" | awk '/Depends: linux-image-[0-9]/ { print $2; exit }' ;;
		*) echo "$package" ;;
		esac
	done
}
download() { apt-get "${options[@]}" download $(names) >../apt/log 2>&1 && ls ./*.deb >/dev/null 2>&1; }
if ! download; then
	# The machine's lists of packages are missing or older than the archive: then lists of our own.
	options=(-o "Dir::State::lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt" -o Debug::NoLocking=1)
	rm -f ./*.deb
	apt-get "${options[@]}" update >../apt/log 2>&1 || refuse "apt-get update failed: $(tail -n 3 ../apt/log)"
	download || refuse "apt-get download failed: $(tail -n 3 ../apt/log)"
fi
for package in $wanted; do
	ls ./"${package%-cloud-amd64}"*.deb >/dev/null 2>&1 || refuse "$package was not fetched: $(tail -n 3 ../apt/log)"
done
for deb in *.deb; do
	dpkg -x "$deb" root
	echo "$deb"
done >packages
rm -f ./*.deb
rm -rf ../root ../apt
mv root packages ..
cd .. && rmdir new
printf '%s\n' "$wanted" >wanted
