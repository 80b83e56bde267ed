# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# Every flag is an environment variable too; the command line wins.

export SOLEKEY_STATE_DIR="$WORK/elsewhere/state" SOLEKEY_CACHE_DIR="$WORK/elsewhere/cache"
SOLEKEY_NAME=anna SOLEKEY_RECOVERY_OUT="$HOME/kit.txt" SOLEKEY_DEVICE_NAME=deskchair solekey join "$INVITE"
[ -e "$WORK/elsewhere/state/device.json" ]
[ ! -e "$HOME/.local/state/solekey" ]
solekey device list >"$WORK/out"
has "$WORK/out" "deskchair"
files
SOLEKEY_TAG=from-environment SOLEKEY_EXCLUDE='*.log' SOLEKEY_JSON=true solekey backup docs >"$WORK/backup.json"
has "$WORK/backup.json" '"message_type":"summary"'
solekey snapshots --tag from-environment >"$WORK/out"
has "$WORK/out" "^[0-9a-f]{8}"
solekey ls -R latest >"$WORK/out"
lacks "$WORK/out" "today.log"
SOLEKEY_HOST=from-environment solekey backup --host from-flag docs
solekey snapshots >"$WORK/out"
has "$WORK/out" "from-flag"
lacks "$WORK/out" " from-environment "
exits 2 env SOLEKEY_LIMIT_UPLOAD=much solekey backup docs
SOLEKEY_PASSWORD_FILE= SOLEKEY_PASSWORD_COMMAND="cat $WORK/password" solekey snapshots >"$WORK/out"
SOLEKEYD_JSON=true solekeyd account list >"$WORK/accounts.json"
XDG_STATE_HOME="$WORK/elsewhere-too" SOLEKEY_STATE_DIR= exits 10 env -u SOLEKEY_STATE_DIR solekey snapshots
export NO_COLOR=1
solekey snapshots >"$WORK/out"
lacks "$WORK/out" "$(printf '\033')"

# Quiet is quiet, and data has stdout for itself.
solekey --quiet backup docs >"$WORK/out" 2>"$WORK/err"
[ ! -s "$WORK/out" ] && [ ! -s "$WORK/err" ]
solekey dump latest ~/docs/photo | cmp - docs/photo
