# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# A provider wins an auditing witness: what devices say before, how one that joined before comes to demand it, and
# what holds when the witness is gone.

export SOLEKEYD_DATA="$WORK/own" SOLEKEY_WITNESS_DATA="$WORK/witness"
listen=127.0.0.1:0
witness='' provider=''
trap 'kill $witness $provider 2>/dev/null || true' EXIT

# serve starts a provider of our own, on the port that it had before.
serve() {
  solekeyd up --json --listen "$listen" --metrics "" --nightly-backup=false "$@" >"$WORK/up.out" 2>"$WORK/up.err" &
  provider=$!
  await "$WORK/up.out" '"action":"self-check"'
  listen="$(sed -n 's/.*"listen":"\([^"]*\)".*/\1/p' "$WORK/up.out" | head -n 1)"
}

# invite makes one more invite.
invite() { solekeyd invite --json | sed -n 's/.*"url":"\([^"]*\)".*/\1/p'; }

serve
solekey join --name anna --recovery-out kit.txt "$(invite)" >"$WORK/out"
has "$WORK/out" "cosigned by no witness"
files
solekey backup docs
solekey doctor >"$WORK/out"
has "$WORK/out" "warning +witnesses +no witness is demanded"

# The witness audits the log, and the provider asks it from then on.
log="$(solekeyd log status --json | sed -n 's/.*"log":"\([^"]*\)".*/\1/p')"
solekey-witness up --name witness.example --audit all --log "$log" --listen 127.0.0.1:0 >"$WORK/witness.out" 2>&1 &
witness=$!
await "$WORK/witness.out" '^Ready'
address="$(grep -oE '127\.0\.0\.1:[0-9]+' "$WORK/witness.out" | head -n 1)"
kill "$provider" && wait "$provider"
serve --witness "http://$address"

# A device that joined before goes on as before, until its user says otherwise.
solekey backup docs
solekey log quorum >"$WORK/out"
has "$WORK/out" "quorum none"
solekey log quorum --offered --yes >"$WORK/out"
has "$WORK/out" "witness witness.example"
solekey log status --online --json >"$WORK/status.json"
has "$WORK/status.json" '"proof":"fresh"'
has "$WORK/status.json" '"auditor_demanded":true'
has "$WORK/status.json" '"cosigned":"20'
lacks "$WORK/status.json" 'no auditing witness'
has "$WORK/status.json" 'run at the provider.s own address' # as here, where all is one machine
solekey log verify --whole-log
solekey recovery kit --out watched.txt

# Who joins now demands it from the start; so does who comes back with a new kit.
machine other
solekey join --name bert --recovery-out kit.txt "$(invite)" >"$WORK/out"
has "$WORK/out" "cosigned by .*auditing"
cp "$WORK/machines/desk/watched.txt" .
machine back
cp "$WORK/machines/other/watched.txt" .
solekey join --recovery-kit watched.txt 2>"$WORK/err"
has "$WORK/err" "the public log holds no proof of any snapshot|the newest snapshots are proven" # anchors go in once an hour
solekey log quorum >"$WORK/out"
has "$WORK/out" "witness witness.example"

# Without the witness own backups go on.
machine desk
kill "$witness"
echo more >docs/more
solekey backup docs
solekey restore latest --target "$WORK/restored"
