# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# The commands of whoever runs a provider.

joined
files
solekey backup docs

#: solekeyd invite
solekeyd invite >"$WORK/out"
has "$WORK/out" "https://.*/i/"
#: solekeyd invite --json | jq -r .url
solekeyd invite --json >"$WORK/invite.json"
has "$WORK/invite.json" '"url":"https://'
#: solekeyd account list
solekeyd account list >"$WORK/out"
has "$WORK/out" "anna"
#: solekeyd account list --json
solekeyd account list --json >"$WORK/accounts.json"
#: solekeyd account show alice
solekeyd account show anna >"$WORK/out"
#: solekeyd account suspend alice
solekeyd account suspend anna
exits 1 solekey backup docs
#: solekeyd account resume alice
solekeyd account resume anna
solekey backup docs
#: solekeyd quota alice 500GB
solekeyd quota anna 500GB
#: solekeyd quota alice none
solekeyd quota anna none
#: solekeyd doctor
solekeyd doctor
#: solekeyd doctor --read-data
solekeyd doctor --read-data
#: solekeyd doctor --read-data --json
solekeyd doctor --read-data --json >"$WORK/doctor.json"
#: solekeyd log status
solekeyd log status >"$WORK/out"
has "$WORK/out" "No witness"
#: solekeyd log status --json | jq .worlds[0].published_size
solekeyd log status --json >"$WORK/log.json"
has "$WORK/log.json" '"published_size":'
#: solekeyd log policy
solekeyd log policy >"$WORK/out"
has "$WORK/out" "quorum none"
#: solekeyd log policy >policy.txt
solekeyd log policy >"$WORK/policy.txt"
#: solekeyd backup /mnt/usb/solekeyd-$(date +%F)
solekeyd backup "$WORK/usb/solekeyd-$(date +%F)"
#: solekeyd restore /mnt/usb/solekeyd-2026-11-21 --data /srv/solekeyd
solekeyd restore "$WORK"/usb/solekeyd-* --data "$WORK/srv"
diff -r "$SOLEKEYD_DATA/blobs" "$WORK/srv/blobs"
#: solekeyd doctor --rebuild
solekeyd doctor --rebuild --data "$WORK/srv"

# serve starts a provider in a folder and stops it once it checked itself.
serve() {
  "$@" >"$WORK/up.out" 2>"$WORK/up.err" &
  local pid=$!
  await "$WORK/up.out" "Self-check"
  kill -TERM "$pid"
  wait "$pid"
}
export SOLEKEYD_METRICS=""
#: solekeyd up
SOLEKEYD_LISTEN=127.0.0.1:0 SOLEKEYD_DATA="$WORK/new" serve solekeyd up
has "$WORK/up.out" "solekey join 'https://"
#: solekeyd up --url https://cloud.example.org:8443 --quota 500GB
SOLEKEYD_LISTEN=127.0.0.1:0 SOLEKEYD_DATA="$WORK/new2" serve solekeyd up --url https://cloud.example.org:8443 --quota 500GB
has "$WORK/up.out" "solekey join 'https://cloud.example.org:8443/i/"
#: SOLEKEYD_LISTEN=127.0.0.1:9000 solekeyd up --data /srv/solekeyd
SOLEKEYD_LISTEN=127.0.0.1:0 serve solekeyd up --data "$WORK/srv"
lacks "$WORK/up.out" "/i/"
