# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# The exit code of each kind of end, and what a program is told about it.

# complains demands an exit code, a clean stdout and one exit_error on stderr.
complains() {
  local want="$1" program="$2"
  shift 2
  set -- "$program" --json "$@"
  local got=0
  "$@" >"$WORK/stdout" 2>"$WORK/stderr" || got=$?
  [ "$got" -eq "$want" ] || fail "exit code $got, not $want: $*: $(cat "$WORK/stdout" "$WORK/stderr")"
  [ ! -s "$WORK/stdout" ] || fail "stdout is not clean: $*: $(cat "$WORK/stdout")"
  has "$WORK/stderr" "\"code\":$want"
  grep '"exit_error"' "$WORK/stderr" >>"$WORK/errors.json"
}

# 2: usage
complains 2 solekey nonsense
complains 2 solekey backup
complains 2 solekey backup --nonsense docs
complains 2 solekey join
complains 2 solekey join nonsense
complains 2 solekey restore latest
complains 2 solekeyd nonsense
complains 2 solekeyd up --retention-days nonsense
# 10: there is no such thing
for command in "backup $HOME" snapshots "ls latest" "restore latest --target out" check prune "device list" status doctor whoami; do
  complains 10 solekey $command
done
joined
files
solekey backup docs
complains 10 solekey restore 00000000 --target out
complains 10 solekey dump latest /not/there
complains 10 solekey snapshots --state-dir "$WORK/nowhere"
complains 10 solekeyd account show nobody
# 3: some of the sources could not be read
exits 3 solekey backup docs "$HOME/gone" 2>"$WORK/err"
has "$WORK/err" "gone"
# 11: busy
mkfifo "$WORK/pipe"
solekey backup --stdin <"$WORK/pipe" &
busy=$!
exec 9>"$WORK/pipe"
await "$HOME/.local/state/solekey/lock" "^$busy\$"
complains 11 solekey backup docs
exec 9>&-
wait "$busy"
complains 11 solekeyd up --listen 127.0.0.1:0
# 12: wrong secret
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$WORK/other-key"
chmod 600 "$WORK/other-key"
complains 12 solekey backup docs --key-file "$WORK/other-key"
exits 12 solekey join --name anna --state-dir "$WORK/wrong" --password-file <(echo wrong-password) "$(solekey device link)"
complains 12 solekey join --name cleo --recovery-out "$WORK/cleo.txt" --state-dir "$WORK/used" "$INVITE"
# 20: another server
SOLEKEYD_DATA="$WORK/other" solekeyd up --listen 127.0.0.1:0 --metrics "" --json >"$WORK/other.json" 2>"$WORK/other.err" &
other=$!
await "$WORK/other.json" self-check
address="$(sed -n 's/.*"listen":"\([^"]*\)".*/\1/p' "$WORK/other.json")"
fresh="$(solekeyd invite --json | sed -n 's/.*"url":"\([^"]*\)".*/\1/p')"
complains 20 solekey join --name bert --state-dir "$WORK/strange" --recovery-out "$WORK/bert.txt" "https://$address/i/${fresh##*/}"
kill -TERM "$other"
wait "$other"
# 21: quota
solekeyd quota anna 1KB
head -c 400000 /dev/urandom >docs/more
complains 21 solekey backup docs
solekeyd quota anna none
solekey backup docs
# 22: nobody answers
complains 22 solekey join --name bert --state-dir "$WORK/nobody" --recovery-out "$WORK/bert.txt" "https://127.0.0.1:1/i/${fresh##*/}"
[ ! -e "$WORK/bert.txt" ] || fail "a join that reached nobody left a kit behind"
# 23 is in devices.sh
# 24: waits for approval
exits 24 solekey join --name anna --state-dir "$WORK/waits" --timeout 1s "$(solekey device link)"
# 25: the last backup is too old
sleep 0.01
exits 25 solekey status --max-age 1ms
# 130: interrupted
mkfifo "$WORK/pipe2"
solekey backup --stdin <"$WORK/pipe2" &
stopped=$!
exec 9>"$WORK/pipe2"
await "$HOME/.local/state/solekey/lock" "^$stopped\$"
kill -INT "$stopped"
exits 130 wait "$stopped"
exec 9>&-
# 1: anything else
solekeyd account suspend anna
complains 1 solekey backup docs
