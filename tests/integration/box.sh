# SPDX-License-Identifier: Apache-2.0
# A systemd of the test's own, for `. "$top_srcdir/tests/integration/box.sh"` after lib.sh: PID 1 of namespaces in
# which nothing of the machine can be written but $WORK. The root is read-only, /tmp /run /var /dev are empty tmpfs,
# the cgroups are below one of the test's own, and the only units are those in $WORK/units (SYSTEMD_UNIT_PATH), so
# that nothing of the distribution runs: its systemd-tmpfiles, for one, empties /tmp.
#
# Units are to say DefaultDependencies=no.

mkdir -p "$WORK/units"

# box_start: until systemd answers. Skips where there are no namespaces or no cgroup2.
box_start() {
	local root
	need unshare nsenter systemctl findmnt
	[ -x /lib/systemd/systemd ] || skip "systemd is not installed"
	[ "$(id -u)" = 0 ] || skip "namespaces of this kind take root"
	root=$(findmnt -t cgroup2 -n -o TARGET | head -n 1)
	[ -n "$root" ] || skip "there is no cgroup2"
	BOX_CGROUP=$root/avow-test.$$
	mkdir "$BOX_CGROUP" 2>/dev/null || skip "no cgroup can be made"
	printf '[Unit]\nDefaultDependencies=no\n' >"$WORK/units/box.target"
	cat >"$WORK/box-init" <<'INIT'
set -e
work=$1 build=$2 source=$3
mount --make-rprivate /
mount -t tmpfs none /mnt
mkdir /mnt/work /mnt/build /mnt/source
mount --bind "$work" /mnt/work
mount --bind "$build" /mnt/build
mount --bind "$source" /mnt/source
mount -t tmpfs -o mode=1777 none /tmp
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /var
mkdir -p "$work"
for dir in source build; do
	target=$build
	[ $dir = build ] || target=$source
	[ -d "$target" ] || mkdir -p "$target"
	mount --move /mnt/$dir "$target"
	mount -o remount,bind,ro "$target"
done
mount --move /mnt/work "$work"
umount /mnt
mkdir /run/dev
mount -t tmpfs -o mode=755 none /run/dev
for node in null zero full random urandom tty; do touch "/run/dev/$node"; mount --bind "/dev/$node" "/run/dev/$node"; done
mkdir /run/dev/shm /run/dev/pts
ln -s /proc/self/fd /run/dev/fd
mount --rbind /run/dev /dev
mkdir /run/cgroup2
mount -t cgroup2 none /run/cgroup2
mount -t tmpfs -o mode=755 none /sys
mkdir -p /sys/fs/cgroup
mount --move /run/cgroup2 /sys/fs/cgroup
findmnt -rn -o TARGET | while read -r dir; do
	case $dir in
	/tmp | /tmp/* | /run | /run/* | /var | /var/* | /dev | /dev/* | /sys | /sys/* | /proc | /proc/* | "$work") ;;
	*) mount -o remount,bind,ro "$dir" ;;
	esac
done
for dir in /proc/sys /proc/sysrq-trigger; do
	[ ! -e "$dir" ] || { mount --bind "$dir" "$dir" && mount -o remount,bind,ro "$dir"; }
done
# Not one step further if anything of the machine could still be written.
for dir in / /etc /usr /home /lib; do
	if touch "$dir/.avow-box" 2>/dev/null; then rm -f "$dir/.avow-box"; echo "box: $dir can be written" >&2; exit 1; fi
done
for dir in /tmp /run /var /dev; do
	[ "$(stat -f -c %T "$dir")" = tmpfs ] || { echo "box: $dir is the machine's" >&2; exit 1; }
done
mount --make-rshared /
exec env -i PATH="$PATH" LC_ALL=C container=avow-test SYSTEMD_UNIT_PATH="$work/units" SYSTEMD_GENERATOR_PATH= \
	SYSTEMD_ENVIRONMENT_GENERATOR_PATH= /lib/systemd/systemd --system --unit=box.target --log-target=console \
	--log-level=info --show-status=no
INIT
	start box sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$BOX_CGROUP" \
		unshare --pid --mount --uts --ipc --cgroup --fork --kill-child --mount-proc bash "$WORK/box-init" "$WORK" "$(realpath "$top_builddir")" "$(realpath "$top_srcdir")"
	BOX_PID=
	wait_for 20 box_find || fail "there is no systemd"
	wait_for 20 box systemctl is-active box.target || fail "systemd does not start"
}

box_find() {
	BOX_PID=$(pgrep -P "$(cat "$WORK/box.pid")" 2>/dev/null | head -n 1)
	[ -n "$BOX_PID" ] && [ "$(cat "/proc/$BOX_PID/comm" 2>/dev/null)" = systemd ]
}

# box COMMAND…: in there
box() { nsenter -t "$BOX_PID" -m -p -u -i -C env PATH="$PATH" "$@"; }

# box_unit NAME: writes standard input as that unit
box_unit() { { printf '[Unit]\nDefaultDependencies=no\n'; cat; } >"$WORK/units/$1"; }

# box_stop: all of it, and its cgroups
box_stop() {
	[ -n "${BOX_CGROUP:-}" ] || return 0
	[ -z "${BOX_PID:-}" ] || kill -9 "$BOX_PID" 2>/dev/null
	for _ in $(seq 50); do
		find "$BOX_CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$BOX_CGROUP" ] || break
		sleep 0.1
	done
	BOX_CGROUP=
}
box_exit() {
	local status=$?
	box_stop
	(exit "$status") # what cleanup looks at
	cleanup
}
trap box_exit EXIT
