# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# What every script has: $WORK, a running provider with its data folder in
# $SOLEKEYD_DATA and $INVITE to it, and these functions.

set -E
trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR

# machine makes another machine the one at which the script sits.
machine() {
  export HOME="$WORK/machines/$1" SOLEKEY_KEY_FILE="$WORK/machines/$1/.key" SOLEKEY_PASSWORD_FILE="$WORK/password"
  mkdir -p "$HOME"
  cd "$HOME"
}

# fail ends the script.
fail() { echo "$*" >&2; exit 1; }

# exits demands an exit code.
exits() {
  local want="$1" got=0
  shift
  "$@" || got=$?
  [ "$got" -eq "$want" ] || fail "exit code $got, not $want: $*"
}

# has demands that a file has a line that matches.
has() { grep -qE -- "$2" "$1" || { cat "$1" >&2; fail "$1 has nothing like $2"; }; }

# lacks demands that it has none.
lacks() { ! grep -qE -- "$2" "$1" || { cat "$1" >&2; fail "$1 has something like $2"; }; }

# await waits until a file has a line that matches.
await() {
  for _ in $(seq 600); do
    [ -e "$1" ] && grep -qE -- "$2" "$1" && return 0
    sleep 0.05
  done
  fail "nothing like $2 came in $1: $(cat "$1")"
}

# latest gives the identifier of the newest snapshot.
latest() { solekey snapshots --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p' | tail -n 1; }

# joined makes this machine the first device of the account anna.
joined() { solekey join --name anna --recovery-out "$HOME/kit.txt" "$INVITE"; }

# files writes something to back up.
files() {
  mkdir -p docs/letters docs/logs
  echo "dear ann" >docs/letters/letter.txt
  echo "Dear Bob" >docs/letters/LETTER2.odt
  echo "noise" >docs/logs/today.log
  ln -s letter.txt docs/letters/link
  head -c 300000 /dev/urandom >docs/photo
}

printf 'a password of several words\n' >"$WORK/password"
chmod 600 "$WORK/password"
machine desk
