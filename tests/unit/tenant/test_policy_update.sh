#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# avow policy update: texts of several styles get a package's new version, and nothing else in them changes.
set -u
avow=$(cd "${top_builddir:?}" && pwd)/tenant/avow
type dpkg-deb >/dev/null || exit 77
dir=$(mktemp -d /tmp/avow.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

fail() {
	echo "FAIL: $*"
	cat out
	failed=1
}
# update STATUS WORDS OPTION…
update() {
	local status=$1 words=$2 got
	shift 2
	"$avow" policy update "$@" >out 2>&1
	got=$?
	[ "$got" -eq "$status" ] || fail "policy update $*: $got, expected $status"
	grep -qE -- "$words" out || fail "policy update $*: does not say '$words'"
}
# differs FILE LINE…: FILE is what it was in before/, and these lines more
differs() {
	local file=$1
	shift
	diff "before/$file" "$file" | sed -n 's/^> //p' | sort >more
	diff "before/$file" "$file" | grep -q '^<' && fail "$file: a line is gone"
	[ $# -eq 0 ] || printf '%s\n' "$@" | sort >expected
	[ $# -gt 0 ] || : >expected
	diff expected more >out || fail "$file: got other lines than expected"
	"$avow" policy check "$file" >out 2>&1 || fail "$file is no policy any more"
}
deb() { # NAME VERSION ARCH CONTENT
	rm -rf tree
	mkdir -p tree/DEBIAN tree/usr/bin
	printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: N <n@example.org>\nDescription: x\n' "$1" "$2" "$3" >tree/DEBIAN/control
	printf '%s' "$4" >"tree/usr/bin/$1"
	printf 'the same' >"tree/usr/bin/$1-same"
	chmod 755 tree/usr/bin/*
	dpkg-deb --root-owner-group -b tree "$1-$2.deb" >/dev/null
}
sha() {
	printf '%s' "$1" | sha256sum | cut -c-64
}
deb tool 1 amd64 one
deb tool 2 amd64 two
deb other 7 all seven
until='      until: 2031-01-02T03:04:05.000Z'
item=("    - name: tool" "      version: 2" "      arch: amd64" "      files: |" "        $(sha two)  /usr/bin/tool" "        $(sha 'the same')  /usr/bin/tool-same")

mkdir before
"$avow" policy make --name a --from-deb tool-1.deb --from-deb other-7.deb --out a.yaml || fail make
cat >b.yaml <<END
# a policy by hand
format: avow-policy/2
name: b
ima: # the kernel's list
    violations: warn
    packages: # as they came
        -   name: other
            files: |
              $(sha seven)  /usr/bin/other

        # the tool
        -   name: tool # no architecture
            version: "1"
            comment: old
            files: |
              # by hand, too
              $(sha one)  /usr/bin/tool
            # that was the tool
    exclude: [ '/run/x/**' ] # last
mode: observe
END
cat >c.yaml <<END
format: avow-policy/2
name: c
ima:
  allow:
    - $(sha one)
END
cat >dash.yaml <<END
format: avow-policy/2
name: dash
ima:
  packages:
    -
      name: tool
      version: 1
      files: |
        $(sha one)  /usr/bin/tool
END
sed 's/^    - name: tool$/&\n      until: 2030-01-01T00:00:00Z/' a.yaml >ended.yaml
cp ./*.yaml before/

update 0 'tool +2 +amd64 +2 +2 +1 +2031' a.yaml --package tool-2.deb --until 2031-01-02T03:04:05Z
differs a.yaml "$until" "${item[@]}"
cp a.yaml before/
update 0 'tool +2 +amd64 +2 +0 +- +-' a.yaml --package ./tool-2.deb
differs a.yaml

update 0 'tool +2' b.yaml --package tool-2.deb --until 2031-01-02T03:04:05Z
differs b.yaml "      $until" "        - name: tool" "          version: 2" "          arch: amd64" "          files: |" \
	"            $(sha two)  /usr/bin/tool" "            $(sha 'the same')  /usr/bin/tool-same"
cp b.yaml before/
update 0 'other +7 +all +2 +2 +' b.yaml --package other-7.deb --until 24h # 'version' was not stated: another one
"$avow" policy check b.yaml >out || fail 'b.yaml after the second update'

update 0 'tool' c.yaml --package tool-2.deb --package other-7.deb
differs c.yaml "  packages:" "    - name: other" "      version: 7" "      arch: all" "      files: |" "        $(sha seven)  /usr/bin/other" \
	"        $(sha 'the same')  /usr/bin/other-same" "${item[@]}"

update 0 'tool +2 +amd64 +2 +2 +- +-' ended.yaml --package tool-2.deb # an end that stands there stays
differs ended.yaml "${item[@]}"
update 2 'take its .until. out first|does not allow' ended.yaml --package tool-1.deb
update 2 'has to begin on a line of its own' dash.yaml --package tool-2.deb
cmp -s dash.yaml before/dash.yaml || fail 'dash.yaml was changed for all that'

# the same version, built again: what is new in it stands with the rest
deb tool 2 amd64 'two again'
cp a.yaml before/
update 0 'tool +2 +amd64 +2 +1 +- +-' a.yaml --package tool-2.deb
differs a.yaml "        $(sha 'two again')  /usr/bin/tool"

# installed ones, by name, of a system in a folder
mkdir -p root/var/lib/dpkg/info root/usr/bin
printf 'Package: tool\nStatus: install ok installed\nVersion: 3\nArchitecture: amd64\n' >root/var/lib/dpkg/status
echo /usr/bin/tool >root/var/lib/dpkg/info/tool.list
printf three >root/usr/bin/tool
chmod 755 root/usr/bin/tool
cp a.yaml before/
update 0 'tool +3 +amd64 +1 +1 +2 ' a.yaml --package tool --root root --until 2031-01-02T03:04:05Z
differs a.yaml "$until" "    - name: tool" "      version: 3" "      arch: amd64" "      files: |" "        $(sha three)  /usr/bin/tool"
update 2 "'none' is not installed" a.yaml --package none --root root
update 2 'which package' a.yaml
update 2 'expected a time' a.yaml --package tool-2.deb --until soon
update 2 'has no .ima:. of its own' "$(printf 'format: avow-policy/1\nname: x\nrecords: [{string: "a*"}]\n' >x.yaml; echo x.yaml)" --package tool-2.deb
cp a.yaml before/
update 0 '' a.yaml --package other-7.deb --out new.yaml
differs a.yaml
update 2 'File exists' a.yaml --package other-7.deb --out new.yaml
exit "$failed"
