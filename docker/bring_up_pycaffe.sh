#!/bin/sh
# Brings up a real Caffe 1.0 with pycaffe, the judge of `make crosscheck` and `make fixtures`.
#
#   bring_up_pycaffe.sh            Docker where an engine answers, else a chroot
#   bring_up_pycaffe.sh docker     a Docker image built from docker/pycaffe.Dockerfile
#   bring_up_pycaffe.sh chroot     Debian 11 under $XDG_CACHE_HOME/caffeconv, by debootstrap, as root
#   bring_up_pycaffe.sh packages   installs the packages into the Debian 11 it runs in (used by the two above)
#
# The last line, the only one on stdout, is the command that runs pycaffe's Python:
#   CAFFECONV_PYCAFFE="$(docker/bring_up_pycaffe.sh)"
# That command shares no files with this machine: everything goes through its stdin and stdout.
#
# Exit codes: 0 done, 1 failed, 77 skipped because this machine lacks something (the reason is on stderr).
# CAFFECONV_DEBIAN_MIRROR overrides the Debian mirror that is otherwise taken from apt's own sources.
set -eu

RELEASE=bullseye
IMAGE=caffeconv-pycaffe
PACKAGES="python3-caffe caffe"
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/caffeconv"
ROOT="$CACHE/pycaffe-$RELEASE"
MAKING="$ROOT.making"
HERE=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

say() { echo "pycaffe: $*" >&2; }
fail() { say "failed: $*"; exit 1; }
skip() { say "skipped: $*"; exit 77; }

answers() { # does the command run a Python that has Caffe?
    echo 'import caffe; print(caffe.__version__)' | GLOG_minloglevel=2 "$@" - >/dev/null 2>&1
}

install_packages() {
    grep -q "VERSION_CODENAME=$RELEASE" /etc/os-release || fail "packages are for Debian $RELEASE alone"
    apt-get update -q >&2
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $PACKAGES >&2
    apt-get clean
    answers python3 || fail "python3 cannot import caffe"
}

with_docker() {
    command -v docker >/dev/null || skip "no docker command"
    docker info >/dev/null 2>&1 || skip "no Docker engine answers"
    say "building the image $IMAGE"
    docker build -q -t "$IMAGE" --build-arg "DEBIAN_MIRROR=${CAFFECONV_DEBIAN_MIRROR:-}" \
        -f "$HERE/pycaffe.Dockerfile" "$HERE" >&2 || fail "docker build"
    echo "docker run --rm -i --network none $IMAGE python3"
}

find_mirror() { # the first of apt's archives that has the release
    for site in ${CAFFECONV_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' | sort -u)}; do
        if /usr/lib/apt/apt-helper download-file "$site/dists/$RELEASE/Release" "$MAKING.release" >/dev/null 2>&1; then
            rm -f "$MAKING.release"
            echo "$site"
            return
        fi
    done
}

discard_half_made() {
    awk -v under="$MAKING/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do
        umount "$mounted"
    done
    ! grep -q " $MAKING/" /proc/mounts || fail "$MAKING has mounts that do not come off; remove it by hand"
    rm -rf --one-file-system "$MAKING"
}

with_chroot() {
    if [ -d "$ROOT" ] && [ "$(id -u)" = 0 ] && answers chroot "$ROOT" python3; then
        say "found in $ROOT"
        echo "chroot $ROOT python3"
        return
    fi
    [ "$(id -u)" = 0 ] || skip "debootstrap and chroot need root"
    command -v apt-get >/dev/null || skip "no apt, so no Debian mirror is configured"
    mkdir -p "$CACHE"
    exec 9>"$ROOT.lock"
    flock 9
    if answers chroot "$ROOT" python3; then # made by another run meanwhile
        echo "chroot $ROOT python3"
        return
    fi
    command -v debootstrap >/dev/null ||
        { apt-get update -q && apt-get install -q -y debootstrap debian-archive-keyring; } >&2 || true
    command -v debootstrap >/dev/null || skip "no debootstrap, and apt-get cannot install it"
    mirror=$(find_mirror)
    [ -n "$mirror" ] || skip "none of apt's archives has Debian $RELEASE (CAFFECONV_DEBIAN_MIRROR can name one)"
    discard_half_made
    trap 'discard_half_made' EXIT
    trap 'exit 1' HUP INT TERM
    say "installing Debian $RELEASE from $mirror into $ROOT, about two minutes"
    proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)
    http_proxy="${http_proxy:-$proxy}" \
        debootstrap --force-check-gpg --variant=minbase "$RELEASE" "$MAKING" "$mirror" >&2 9>&- || fail "debootstrap"
    [ -z "$proxy" ] || echo "Acquire::http::Proxy \"$proxy\";" >"$MAKING/etc/apt/apt.conf.d/80proxy"
    cp "$0" "$MAKING/root/bring_up_pycaffe.sh"
    chroot "$MAKING" sh /root/bring_up_pycaffe.sh packages 9>&- || fail "installing $PACKAGES"
    rm -rf --one-file-system "$ROOT"
    mv "$MAKING" "$ROOT"
    say "installed in $ROOT"
    echo "chroot $ROOT python3"
}

case "${1:-auto}" in
packages) install_packages ;;
docker) with_docker ;;
chroot) with_chroot ;;
auto) (with_docker) || with_chroot ;;
*) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
