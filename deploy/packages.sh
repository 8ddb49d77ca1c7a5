# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Which packages of the distribution Larder needs and how they get onto the machine: read by deploy/run, tests/run,
# tests/bench/run and tests/fuzz/run. The names are the same on Debian 12, Debian 13 and Ubuntu 24.04.

build_packages() {
	cat <<'END'
gcc                    the compiler
libc6-dev              its headers, which gcc only recommends
meson                  the build
ninja-build            runs what meson plans
pkg-config             finds the libraries below
python3                embeds static files and SQL at build time
libmicrohttpd-dev      HTTP, the serving side
libcurl4-openssl-dev   HTTP, the fetching side
libsqlite3-dev         the catalog
libjansson-dev         JSON
libyajl-dev            JSON of any size, read as a stream: what a TF.js model says of its weights
libssl-dev             SHA-256, MD5, and TLS, the serving side
libisal-dev            gzip, read as a stream, 1.5 to 2 times as fast as by zlib
zlib1g-dev             gzip, written; read where there is no ISA-L
libarchive-dev         the tar of a bundle, written and read, and unpacking with flags against what leads out of a folder
libinih-dev            the ini file
libexpat1-dev          what a bucket's store answers (XML), read as a stream
unicode-data           which letters differ in case only: the table of simple case folding (3 KiB in the binary; ICU has it too, and 40 MiB)
libcmark-gfm-dev       documentation, from Markdown to safe HTML
libcmark-gfm-extensions-dev its tables and automatic links
END
}

test_packages() {
	cat <<'END'
libcmocka-dev          unit tests
python3-pytest         everything that drives the real binary
python3-pytest-xdist   the same, two tests at a time
python3-yaml           reads schema/openapi.yaml, which every answer is held against
python3-protobuf       the oracle: what Google's own runtime reads
protobuf-compiler      makes the oracle from schema/saved_model.proto
curl                   one of the clients that must be able to publish
caddy                  … and three servers that stand before it
haproxy                …
nginx                  …
openssl                makes the certificates of an upstream's own authority
libarchive-tools       bsdtar: what macOS, FreeBSD and Windows pack with
clang-format           how the C files are laid out (version 14, Debian 12's; others are not asked)
skopeo                 what people carry OCI images with: must copy bundles to the byte
docker-registry        … and where to, and back
python3-seccomp        makes the unit's filter of system calls without systemd
p7zip-full             7-Zip: what many pack with on Windows
systemd                systemd-analyze: what the unit leaves open
prometheus             promtool: reads deploy/prometheus as Prometheus would
END
}

bench_packages() {
	cat <<'END'
nginx                  the other side of most rows
varnish                the other side of the stampede
wrk                    small requests
gzip                   a part of what verifying is held against, beside libarchive
iproute2               switches on the loopback of a network namespace
util-linux             makes the namespace
rclone                 the other side of a publish into a bucket
curl                   … and of a fill from there
END
}

fuzz_packages() {
	cat <<'END'
clang                  the compiler that brings libFuzzer
libclang-rt-dev        … and this is where it is
END
}

store_packages() {
	cat <<'END'
radosgw                Ceph's gateway, which speaks S3: a real store that holds to conditions
ceph-mon               … the monitor that it needs
ceph-osd               … and where it keeps objects, in memory
END
	node_packages
}

# Node.js and npm may be there without the distribution's packages, and of a version that they would fight with.
node_packages() {
	command -v node >/dev/null 2>&1 || echo 'nodejs                 what drives the browser, and runs TF.js and its tar'
	command -v npm >/dev/null 2>&1 || echo 'npm                    brings what the package-lock.json of tests/browser, tests/clients and tests/store lists'
}

browser_packages() {
	echo 'chromium               the browser that the pages are tried in'
	node_packages
}

client_packages() {
	cat <<'END'
wget                   one of the clients that must be able to go on with what was broken off
libarchive-tools       bsdtar, which packs and unpacks on macOS, FreeBSD and Windows
7zip                   … and what people on Windows do it with
END
	node_packages
}

deb_packages() {
	cat <<'END'
dpkg-dev               builds a package of Debian's
debhelper              … by its rules
fakeroot               … as if by root
lintian                says what is wrong with it
END
}

# The names in a table: the first word of each line.
package_names() {
	"$1" | while read -r name _; do
		printf '%s ' "$name"
	done
}

missing_packages() {
	for name in $(package_names "$1"); do
		case $(dpkg-query -W -f='${Status}' "$name" 2>/dev/null) in
		'install ok installed') ;;
		*) printf '%s ' "$name" ;;
		esac
	done
}

# Runs a command as root: directly, or by sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		return 1
	fi
}

# Installs what is missing of a table (build_packages, test_packages, bench_packages, fuzz_packages); needs no network where nothing is. Says what to do and fails where it cannot.
install_packages() {
	if ! command -v dpkg-query >/dev/null 2>&1; then
		echo 'This script installs packages by apt, which this system does not have. Install the counterparts of' >&2
		echo "  $(package_names "$1")" >&2
		echo 'and build by hand: meson setup build && meson compile -C build' >&2
		return 1
	fi
	missing=$(missing_packages "$1")
	[ -n "$missing" ] || return 0
	echo "Installing $missing"
	# shellcheck disable=SC2086 # a list of words
	if ! { as_root apt-get update -q &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >&2; then
		echo 'These packages could not be installed. As root, with access to the package servers:' >&2
		echo "  apt-get update && apt-get install --no-install-recommends $missing" >&2
		return 1
	fi
}
