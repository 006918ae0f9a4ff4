#!/bin/sh
# Install what the tests need from the system, where that can be done: as root on Debian or
# Ubuntu. Elsewhere the tests that need it are left out, each by name. With CI=true a missing
# part is an error.
#
#   sh tests/system/install.sh PYTHON
set -u
python=${1:-python3}
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v Xvfb >/dev/null 2>&1 || missing="$missing xvfb"
command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
command -v systemd-analyze >/dev/null 2>&1 || missing="$missing systemd"
command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
# Containers: what builds and runs them, their network and names, and a registry.
for program in podman runc catatonit iptables docker-registry netavark aardvark-dns; do
    command -v "$program" >/dev/null 2>&1 || [ -x "/usr/lib/podman/$program" ] \
        || [ -x "/usr/sbin/$program" ] || missing="$missing $program"
done
# The window needs Tk; Debian keeps it apart from its own Python.
if ! "$python" -c 'import tkinter' 2>/dev/null; then
    case $("$python" -c 'import sys; print(sys.base_prefix)') in
        /usr) missing="$missing python3-tk" ;;
        *) echo "this Python has no tkinter: the tests of the window cannot run" >&2 ;;
    esac
fi
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 - one word a package
    if apt-get update -qq >/dev/null \
        && apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        exit 0
    fi
fi
if [ "${CI:-}" = true ]; then
    echo "CI needs$missing; install it with: apt-get install$missing" >&2
    exit 1
fi
echo "not installed:$missing; the tests that need it are left out" >&2
