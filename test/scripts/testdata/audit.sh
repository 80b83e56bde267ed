# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# An auditor with nothing but the address of a provider's log and its key.

joined
LOG=$(solekeyd log status --json | sed -n 's/.*"log":"\([^"]*\)".*/\1/p')
LOGKEY=${LOG%%=http*} LOGURL=http${LOG#*=http}
export XDG_STATE_HOME="$WORK/state"

exits 10 solekey-audit status --log "$LOGKEY"
#: solekey-audit follow https://cloud.example.org:8443/v1/log --log 'cloud.example.org+1b2c…'
solekey-audit follow "$LOGURL" --log "$LOGKEY" >"$WORK/out"
has "$WORK/out" "entries hold to every rule"
# The new name is in the log in less than a second.
for _ in $(seq 600); do
  solekey-audit follow "$LOGURL" --log "$LOGKEY" >"$WORK/out"
  grep -q "1 registered, 0 closed" "$WORK/out" && break
  sleep 0.05
done
has "$WORK/out" "1 registered, 0 closed"
solekey-audit follow "$LOGURL" --log "$LOGKEY" --json >"$WORK/follow.json"
has "$WORK/follow.json" '"message_type":"summary"'
#: solekey-audit status --log 'cloud.example.org+1b2c…' --json
solekey-audit status --log "$LOGKEY" --json >"$WORK/status.json"
has "$WORK/status.json" '"names":1'

#: solekey-audit follow … --watch --every 10m
exits 130 timeout --preserve-status -s INT 2 solekey-audit follow "$LOGURL" --log "$LOGKEY" --watch --every 10m
printf 'log %s %s\nquorum none\n' "$LOGKEY" "$LOGURL" >world.policy
#: solekey-audit follow --policy world.policy --watch --metrics 127.0.0.1:9110
exits 130 timeout --preserve-status -s INT 2 solekey-audit follow --policy world.policy --watch --metrics 127.0.0.1:0

# A log with another key than the one that is asked for is not believed.
OTHER=${LOGKEY%%+*}+00000000+${LOGKEY##*+}
exits 2 solekey-audit follow "$LOGURL" --log "$OTHER"
exits 2 solekey-audit follow "$LOGURL"

# What is no evidence proves nothing.
echo "I have seen it." >found.txt
#: solekey-audit evidence found.txt
exits 20 solekey-audit evidence found.txt
#: solekey-audit evidence evidence-2f6c0d1e9a8b7c65.txt
exits 10 solekey-audit evidence evidence-2f6c0d1e9a8b7c65.txt
#: solekey-audit evidence found.txt --log 'cloud.example.org+1b2c…'
exits 20 solekey-audit evidence found.txt --log "$LOGKEY"

#: solekey-audit version --json
solekey-audit version --json >"$WORK/version.json"
has "$WORK/version.json" '"program":"solekey-audit"'
#: solekey-audit man /usr/local/share/man/man1
solekey-audit man "$WORK/man"
[ -s "$WORK/man/solekey-audit-follow.1" ] || fail "no manual page"
source <(solekey-audit completion bash)
