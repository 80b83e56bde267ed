# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# What the public log proves, how two people compare codes, and what holds after an alarm.

joined
files
solekey backup docs

#: solekey log status
solekey log status >"$WORK/out"
has "$WORK/out" "proven +the newest as of"
has "$WORK/out" "note +no witness is demanded"
#: solekey log status --online --json
solekey log status --online --json >"$WORK/log.json"
has "$WORK/log.json" '"proof":"fresh"'
has "$WORK/log.json" '"version":1'
#: solekey log verify
solekey log verify >"$WORK/out"
has "$WORK/out" "versions 1 to 1"
#: solekey log verify --whole-log --json
solekey log verify --whole-log --json >"$WORK/verify.json"
has "$WORK/verify.json" '"log_entries":[1-9]'
#: solekey log alarms
solekey log alarms >"$WORK/out"
has "$WORK/out" "no alarms"
#: solekey log alarms --json
solekey log alarms --json >"$WORK/alarms.json"
#: solekey log alarms note 1
exits 10 solekey log alarms note 1
#: solekey log status --export >laptop.view
solekey log status --export >laptop.view

#: solekey log quorum
solekey log quorum >policy.txt
has policy.txt "quorum none"
#: solekey log quorum --offered
solekey log quorum --offered >"$WORK/out"
solekeyd log policy >policy.txt
#: solekey log quorum policy.txt --yes
solekey log quorum policy.txt --yes >"$WORK/out"
sed 's/^log [^ ]*/log other.example+ab12cd34+AYCAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg/' policy.txt >other.txt
exits 2 solekey log quorum other.txt --yes 2>"$WORK/err" || true

machine friend
solekey join --name bert --recovery-out kit.txt "$(solekeyd invite --json | sed -n 's/.*"url":"\([^"]*\)".*/\1/p')"
#: solekey log compare laptop.view
solekey log compare "$WORK/machines/desk/laptop.view" >"$WORK/out"
has "$WORK/out" "One past"
#: solekey log compare - <phone.view
solekey log compare --json - <"$WORK/machines/desk/laptop.view" >"$WORK/compare.json"
exits 2 solekey log compare kit.txt
solekey status --online >"$WORK/out" # waits until the log has the name of this account

#: solekey key fingerprint
solekey key fingerprint >"$WORK/out"
has "$WORK/out" "^account  bert"
solekey key fingerprint anna --json >"$WORK/code.json"
code="$(sed -n 's/.*"code":"\([^"]*\)".*/\1/p' "$WORK/code.json")"
full="$(sed -n 's/.*"full":"\([^"]*\)".*/\1/p' "$WORK/code.json")"

machine desk
#: solekey key fingerprint bert
solekey key fingerprint bert >"$WORK/out"
has "$WORK/out" "$code"
has "$WORK/out" "Not compared yet"
exits 2 solekey key verify bert
exits 12 solekey key verify bert --code 7QK2-M40X-R9TD-55HA-0ZCW-E3PV 2>"$WORK/err"
has "$WORK/err" "the codes differ"
#: solekey key verify bert --code 7QK2-M40X-R9TD-55HA-0ZCW-E3PV
solekey key verify bert --code "$(echo "$code" | tr 'A-Z-' 'a-z ')"
#: solekey key verify bert
solekey key verify bert --code "$full" --json >"$WORK/met.json"
has "$WORK/met.json" '"verified":true'
solekey key fingerprint bert >"$WORK/out"
has "$WORK/out" "You compared it on"
#: solekey key verify bert --new-identity
solekey key verify bert --new-identity --code "$code"
exits 10 solekey key fingerprint nobody-of-that-name
exits 2 solekey key fingerprint anna
