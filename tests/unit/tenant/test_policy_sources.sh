#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Policies out of packages, root file systems and logs: real .deb files of every kind, a dpkg database, a root in a
# folder, lists and boot logs of real boots; and packages that mean harm.
set -u
avow=$(cd "${top_builddir:?}" && pwd)/tenant/avow
vectors=$(cd "${top_srcdir:?}" && pwd)/tests/vectors/boot
type dpkg-deb ar tar >/dev/null || exit 77
dir=$(mktemp -d /tmp/avow.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

fail() {
	echo "FAIL: $*"
	cat out 2>/dev/null
	failed=1
}

# make STATUS OPTION…: the command answers so; what it wrote is in ./out, and a policy that it wrote can be read.
make() {
	local status=$1 got
	shift
	"$avow" policy make --name t "$@" >out 2>err
	got=$?
	[ "$got" -eq "$status" ] || { cat err; fail "policy make $*: $got, expected $status"; }
	cat err >>out
	if [ "$got" -eq 0 ]; then
		"$avow" policy make --name t "$@" 2>/dev/null >made.yaml
		"$avow" policy check made.yaml >/dev/null || fail "policy make $*: what it wrote is no policy"
	fi
}
says() {
	grep -qF -- "$1" out || fail "does not say '$1'"
}
says_not() {
	grep -qF -- "$1" out && fail "says '$1'"
}
# line FILE PATH: the policy has this line
line() {
	says "$(sha256sum <"$1" | cut -c-64)  $2"
}

# --- a tree of a package's, with all that one may have in it ---
mkdir -p tree/DEBIAN tree/usr/bin tree/bin tree/usr/lib/x86_64-linux-gnu tree/lib/modules/6.1/kernel tree/usr/share/doc/tool \
	tree/lib/firmware tree/usr/lib/tool
printf 'Package: tool\nVersion: 1:1.0~rc1+b2-3\nArchitecture: amd64\nMaintainer: N. N. <n@example.org>\nDescription: a tool\n many lines\n' >tree/DEBIAN/control
printf '#!/bin/sh\necho 1\n' >tree/usr/bin/tool
printf '#!/bin/sh\necho 2\n' >tree/bin/other
chmod 755 tree/usr/bin/tool tree/bin/other
ln tree/usr/bin/tool tree/usr/bin/tool-again
ln -s tool tree/usr/bin/tool-link
echo library >tree/usr/lib/x86_64-linux-gnu/libtool.so.1.2
echo module >tree/lib/modules/6.1/kernel/tool.ko.xz
echo firmware >tree/lib/firmware/tool.bin
echo text >tree/usr/share/doc/tool/README
echo object >tree/usr/lib/tool/a.so-not
printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0>\0' >tree/usr/lib/tool/plugin.node
printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\1\0>\0' >tree/usr/lib/tool/object.o
printf '#!/bin/sh\necho 3\n' >'tree/usr/bin/back\slash'
printf '#!/bin/sh\necho 5\n' >'tree/usr/bin/with blank'
printf '#!/bin/sh\necho 6\n' >"$(printf 'tree/usr/bin/\001odd\377')"
chmod 755 tree/usr/bin/*

for form in gzip xz zstd none; do
	dpkg-deb --root-owner-group -Z$form -b tree $form.deb >/dev/null || exit 99
	make 0 --from-deb $form.deb
	says 'name: tool'
	says 'version: "1:1.0~rc1+b2-3"'
	line tree/usr/bin/tool /usr/bin/tool
	line tree/usr/bin/tool /usr/bin/tool-again
	line tree/bin/other /usr/bin/other
	line tree/usr/lib/x86_64-linux-gnu/libtool.so.1.2 /usr/lib/x86_64-linux-gnu/libtool.so.1.2
	line tree/lib/modules/6.1/kernel/tool.ko.xz /usr/lib/modules/6.1/kernel/tool.ko.xz
	line tree/lib/firmware/tool.bin /usr/lib/firmware/tool.bin
	line tree/usr/lib/tool/plugin.node /usr/lib/tool/plugin.node
	line 'tree/usr/bin/with blank' '/usr/bin/with blank'
	line 'tree/usr/bin/back\slash' '/usr/bin/back\\slash'
	grep -qx " *$(sha256sum <"$(printf 'tree/usr/bin/\001odd\377')" | cut -c-64)" out || fail 'an odd name is not allowed by its digest'
	says_not tool-link
	says_not README
	says_not a.so-not
	says_not object.o
done
make 0 --from-deb xz.deb --files all
line tree/usr/share/doc/tool/README /usr/share/doc/tool/README
make 0 --from-deb xz.deb --split-usr
line tree/bin/other /bin/other
make 0 --from-deb xz.deb --any-path
says_not /usr/bin/
mkdir folder
cp xz.deb folder/tool.deb
make 0 --from-deb folder
line tree/usr/bin/tool /usr/bin/tool
make 0 --from-deb folder --from-deb xz.deb # the same twice is once
[ "$(grep -c 'name: tool' out)" -eq 1 ] || fail 'one package stands twice'
make 0 --from-deb xz.deb --require /usr/bin/tool --waive rules --waive boot-log
says 'required:'
make 2 --from-deb xz.deb --require /usr/bin/none
says 'is not among the files found'
make 2 --from-deb xz.deb --waive everything
says 'expected rules, tmpfs, kernel, kexec, required or boot-log'
make 2 --from-deb xz.deb --files some
make 2 --from-deb none.there
make 2 --from-deb "$vectors"
says 'no .deb in this folder'

# --- packages that mean harm, or are none ---
cp tree/usr/bin/tool not.deb
make 2 --from-deb not.deb
says 'not.deb'
mkdir parts
(cd parts && ar x ../gzip.deb)
(cd parts && ar rc ../no-version.deb control.tar.gz data.tar.gz)
make 2 --from-deb no-version.deb
says 'no Debian package'
(cd parts && ar rc ../no-data.deb debian-binary control.tar.gz)
make 2 --from-deb no-data.deb
says 'no data archive'
(cd parts && ar rc ../data-first.deb debian-binary data.tar.gz control.tar.gz)
make 2 --from-deb data-first.deb
says 'data before control'
mkdir out-of-it
tar -C tree -cPzf out-of-it/data.tar.gz --transform 's,^usr/bin/tool$,../../etc/tool,' usr/bin/tool
cp parts/debian-binary parts/control.tar.gz out-of-it/
(cd out-of-it && ar rc ../out-of-it.deb debian-binary control.tar.gz data.tar.gz)
make 2 --from-deb out-of-it.deb
says 'leads out of the archive'
tar -C tree -czf out-of-it/data.tar.gz --transform 'flags=h;s,^usr/bin/tool$,usr/bin/gone,' usr/bin/tool usr/bin/tool-again
(cd out-of-it && rm -f ../gone.deb && ar rc ../gone.deb debian-binary control.tar.gz data.tar.gz)
make 2 --from-deb gone.deb
says 'which is not there'
for version in 'Version: 1.0 x' 'Version: ../../x' 'Nothing: 1'; do
	sed "s,^Version: .*,$version," tree/DEBIAN/control >out-of-it/control
	tar -C out-of-it -czf out-of-it/control.tar.gz control
	(cd out-of-it && cp ../parts/data.tar.gz . && rm -f ../named.deb && ar rc ../named.deb debian-binary control.tar.gz data.tar.gz)
	make 2 --from-deb named.deb
done
python3 - gzip.deb none.deb <<'END'
import random, sys
random.seed(4)
n = 0
for name in sys.argv[1:]:
    whole = open(name, "rb").read()
    for i in range(60):
        broken = bytearray(whole)
        if i % 3 == 0:
            broken = broken[:random.randrange(len(whole))]
        else:
            for _ in range(random.randrange(1, 4)):
                broken[random.randrange(len(broken))] ^= 1 << random.randrange(8)
        open("broken-%d.deb" % n, "wb").write(broken)
        n += 1
END
for file in broken-*.deb; do
	"$avow" policy make --from-deb "$file" >out 2>&1
	[ $? -le 2 ] || fail "$file: not refused in an orderly way"
done

# --- an RPM package ---
if grep -q '^#define HAVE_RPM 1' "${top_builddir:?}/config.h" && type rpmbuild >/dev/null 2>&1; then
	mkdir -p rpm/SPECS rpm/home
	cat >rpm/SPECS/tool.spec <<-END
		Name: tool
		Epoch: 2
		Version: 1.0
		Release: 3
		Summary: x
		License: x
		BuildArch: noarch
		%define _binary_filedigest_algorithm 8
		%description
		x
		%install
		mkdir -p %{buildroot}/bin %{buildroot}/usr/lib/tool %{buildroot}/usr/share/doc/tool
		cp $dir/tree/bin/other %{buildroot}/bin/other
		cp $dir/tree/usr/share/doc/tool/README %{buildroot}/usr/share/doc/tool/
		echo ghost >%{buildroot}/usr/lib/tool/ghost
		chmod 755 %{buildroot}/usr/lib/tool/ghost
		%files
		/bin/other
		/usr/share/doc/tool/README
		%ghost /usr/lib/tool/ghost
	END
	HOME=$dir/rpm/home rpmbuild -bb --define "_topdir $dir/rpm" --define '__os_install_post %{nil}' rpm/SPECS/tool.spec >out 2>&1 || fail rpmbuild
	make 0 --from-rpm rpm/RPMS/noarch
	line tree/bin/other /usr/bin/other
	says 'version: "2:1.0-3"'
	says_not ghost
	says_not README
	make 0 --from-rpm rpm/RPMS/noarch/tool-1.0-3.noarch.rpm --split-usr --files all
	line tree/bin/other /bin/other
	line tree/usr/share/doc/tool/README /usr/share/doc/tool/README
	head -c 1000 rpm/RPMS/noarch/tool-1.0-3.noarch.rpm >cut.rpm
	make 2 --from-rpm cut.rpm
	make 2 --from-rpm xz.deb
	make 2 --from-rpm none.rpm
else
	make 2 --from-rpm xz.deb
fi

# --- what dpkg has installed, and a root in a folder ---
mkdir -p root/var/lib/dpkg/info root/usr/bin root/usr/lib root/etc root/opt/own root/proc/1 root/tmp
(cd root && ln -s usr/bin bin && ln -s /usr/lib lib) # also an absolute one: it counts from this root
cp -a tree/usr/. root/usr/
cp tree/bin/other root/usr/bin/
cp -r tree/lib/. root/usr/lib/
printf '#!/bin/sh\necho own\n' >root/opt/own/program
chmod 755 root/opt/own/program
cp root/opt/own/program root/proc/1/exe
cp root/opt/own/program root/tmp/x
cp root/opt/own/program root/usr/bin/which.tool
printf '#!/bin/sh\necho diverting\n' >root/usr/bin/which
chmod 755 root/usr/bin/which
{
	printf 'Package: tool\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\nMulti-Arch: same\n\n'
	printf 'Package: gone\nStatus: deinstall ok config-files\nVersion: 1.0\nArchitecture: amd64\n\n'
	printf 'Package: diverter\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\n'
	printf 'Package: which\nStatus: install ok installed\nVersion: 3\nArchitecture: all\n'
} >root/var/lib/dpkg/status
(cd tree && find . -path ./DEBIAN -prune -o -print | sed 's,^\.,,; s,^$,/.,') >root/var/lib/dpkg/info/tool:amd64.list
(cd tree && md5sum usr/bin/tool bin/other usr/lib/tool/plugin.node) >root/var/lib/dpkg/info/tool:amd64.md5sums
echo /usr/bin/which >root/var/lib/dpkg/info/which.list
echo /usr/bin/which >root/var/lib/dpkg/info/diverter.list
printf '/usr/bin/which\n/usr/bin/which.tool\ndiverter\n' >root/var/lib/dpkg/diversions

make 0 --from-dpkg root
says 'version: 1.0'
line tree/usr/bin/tool /usr/bin/tool
line tree/bin/other /usr/bin/other
line tree/lib/modules/6.1/kernel/tool.ko.xz /usr/lib/modules/6.1/kernel/tool.ko.xz
line root/usr/bin/which /usr/bin/which
line root/usr/bin/which.tool /usr/bin/which.tool
says_not gone
says_not 'of no package'
make 0 --from-root root
line root/opt/own/program /opt/own/program
says 'of no package'
says_not /proc/1
says_not /tmp/x
make 0 --from-root root --skip /opt
says_not /opt
echo '# changed' >>root/usr/bin/tool
make 0 --from-dpkg root
says_not '  /usr/bin/tool-link'
says 'root/usr/bin/tool is not what tool 1.0 brought: left out'
make 0 --from-root root
says 'allowed as it lies there'
line root/usr/bin/tool /usr/bin/tool
make 2 --from-dpkg "$dir/parts"
says 'no Debian system'
ln -s loop root/usr/loop
sed -i 's,^/usr/bin/tool$,/usr/loop/x,' root/var/lib/dpkg/info/tool:amd64.list
make 0 --from-dpkg root
printf 'Package: tool\nno field\n' >root/var/lib/dpkg/status
make 2 --from-dpkg root
says 'is no field'

# --- logs of real boots ---
mkdir -p rules/etc/ima
for set in seabios-ima-legacy seabios-ima-ng seabios-ima-ngv2 seabios-ima-sig secureboot-shim-grub-ima-sig uefi-direct-ima-sig; do
	for step in 1 2 3 4; do
		log=$vectors/$set/${step}_ima
		[ -e "$log.bin" ] || continue
		make 0 --from-ima-log "$log.bin"
		sed '/^avow:/d' out >binary
		make 0 --from-ima-log "$log.txt"
		# at step 4 reading the list makes it longer
		[ "$step" = 4 ] || sed '/^avow:/d' out | cmp -s - binary || fail "$set: binary and text list do not make the same policy"
		says '  /bin/busybox'
		says_not boot_aggregate
	done
done
make 0 --from-ima-log "$vectors/seabios-ima-legacy/2_ima.bin"
says 'sha1: allow'
make 0 --from-ima-log "$vectors/seabios-ima-sig/3_ima.bin"
grep -q ' \\[0-9a-f]*  /mnt/bin/new\\nline$' out || fail 'a newline in a name is not escaped'
says 'violations: warn'
make 0 --from-ima-log "$vectors/seabios-ima-sig/4_ima.bin"
says 'keyrings:'
set=$vectors/secureboot-shim-grub-ima-sig
make 0 --boot-log "$set/binary_bios_measurements"
for word in 'secure_boot: on' 'CN=Debian Secure Boot CA' 'CN=Microsoft Windows Production PCA 2011' \
	'authenticode: [5f21ff2c0d5d899842b28a8b19901ba72cf7a7ab93c02a77fadc6ff72be85b31]' \
	'file: [51349501a3d1ff83836437d2b365fd2d57f2feb8642d315e5181dec23d4c3275]' \
	'/vmlinuz console=ttyS0 ima_policy=tcb ima_template=ima-sig rootfstype=ramfs' /initrd.img; do
	says "$word"
done
set=$vectors/uefi-direct-ima-sig
make 0 --boot-log "$set/binary_bios_measurements"
says 'secure_boot: off'
says 'name it by --command-line'
says_not 'command_lines:'
make 0 --boot-log "$set/binary_bios_measurements" --command-line "$set/cmdline"
says 'rootfstype=ramfs initrd=initrd'
make 0 --boot-log "$vectors/seabios-ima-sig/binary_bios_measurements" --bank sha384
says 'secure_boot: any'
make 2 --command-line "$set/cmdline" --from-deb xz.deb
make 2 --boot-log "$set/2_ima.bin"
make 2 --from-ima-log "$set/binary_bios_measurements"

# rules that the list shows are taken into the policy, to the byte
cp "${top_srcdir:?}/contrib/ima/ima-policy" rules/etc/ima/ima-policy 2>/dev/null ||
	cp "$(dirname "$vectors")/../../contrib/ima/ima-policy" rules/etc/ima/ima-policy
make 0 --from-root rules
says 'measure func=BPRM_CHECK'
exit "$failed"
