#!/usr/bin/env bash
# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# Installs what the tests need beside Go, git and make, and nothing that is there already:
# a C compiler (the race detector links with it) and the programs that the tests compare with or call.
# On a system without apt-get it only says what is missing.
set -euo pipefail

# program:package pairs; a package is installed when its program is not found.
needs="gcc:gcc setfacl:acl setfattr:attr setcap:libcap2-bin swtpm:swtpm"

PATH="$PATH:/usr/sbin:/sbin"
missing=""
for pair in $needs; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
# The compiler is of no use without the C library's headers.
[ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: these are missing and there is no apt-get to install them:$missing" >&2
  exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "setup: as root, please: apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  as_root="sudo"
fi
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # one word per package
$as_root apt-get install -qq -y --no-install-recommends $missing >/dev/null
