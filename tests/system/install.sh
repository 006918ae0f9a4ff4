#!/bin/sh
# Install what the tests need from the system, where that can be done: as root on Debian or
# Ubuntu. Elsewhere, say which tests will be left out. With CI=true a missing part fails.
set -u
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v Xvfb >/dev/null 2>&1 || missing="$missing xvfb"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 - one word a package
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null \
        && exit 0
fi
for package in $missing; do
    case $package in
        chromium) echo "left out: the tests of the live page, which need chromium" >&2 ;;
        xvfb) echo "left out: the tests of the window, which need Xvfb" >&2 ;;
    esac
done
[ "${CI:-}" = true ] && { echo "CI needs them: apt-get install$missing" >&2; exit 1; }
exit 0
