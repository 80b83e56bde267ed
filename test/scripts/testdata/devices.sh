# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# Devices come and go.

#: solekey join 'https://192.168.1.5:8443/i/...'
solekey join "$INVITE" --name anna --recovery-out kit.txt --device-name desk
files
solekey backup ~/docs
#: solekey device link
link="$(solekey device link)"

# With the long code nothing is compared.
machine laptop
solekey join --json --name anna --device-name laptop "$link" >"$WORK/laptop.json" &
joining=$!
await "$WORK/laptop.json" long_code
code="$(sed -n 's/.*"long_code":"\([^"]*\)".*/\1/p' "$WORK/laptop.json")"
machine desk
#: solekey device approve ABCDEF-...
solekey device approve "$code"
wait "$joining"
machine laptop
solekey restore latest --target "$WORK/laptop"
diff -r "$WORK/machines/desk/docs" "$WORK/laptop$WORK/machines/desk/docs"

# With the short codes each machine shows what is typed into the other.
machine phone
mkfifo "$WORK/typed"
solekey join --json --name anna --device-name phone "$link" <"$WORK/typed" >"$WORK/phone.json" &
joining=$!
exec 7>"$WORK/typed"
await "$WORK/phone.json" '"request"'
request="$(sed -n 's/.*"request":"\([0-9a-f]*\)".*/\1/p' "$WORK/phone.json")"
machine desk
mkfifo "$WORK/typed-there"
#: echo ABCD-EFGH | solekey device approve --request 4be1a2c7
#: solekey device approve
solekey device approve --request "${request:0:8}" <"$WORK/typed-there" >"$WORK/approve.out" 2>"$WORK/approve.err" &
approving=$!
exec 8>"$WORK/typed-there"
await "$WORK/phone.json" short_code
sed -n 's/.*"short_code":"\([^"]*\)".*/\1/p' "$WORK/phone.json" >&8
wait "$approving"
grep -oE '\b[A-Z0-9]{4}-[A-Z0-9]{4}(-[A-Z0-9]+)*\b' "$WORK/approve.out" >&7
wait "$joining"
exec 7>&- 8>&-

# A writer backs up and reads nothing.
machine web
#: solekey join 'https://192.168.1.5:8443/i/...' --name alice --writer
solekey join "$link" --name anna --writer --json >"$WORK/web.json" &
joining=$!
await "$WORK/web.json" long_code
code="$(sed -n 's/.*"long_code":"\([^"]*\)".*/\1/p' "$WORK/web.json")"
machine desk
solekey device approve "$code" --name web
wait "$joining"
machine web
echo "from the server" >page
solekey backup page
for forbidden in "snapshots" "ls latest" "restore latest --target out" "forget latest" "prune" "check" "recovery kit --out kit" "device revoke desk"; do
  ! solekey $forbidden || fail "a writer may $forbidden"
done
machine desk
solekey dump latest "$WORK/machines/web/page" | grep -q "from the server"

#: solekey device list
solekey device list >"$WORK/out"
for name in desk laptop phone web; do has "$WORK/out" "$name"; done
#: solekey device rename this desk
solekey device rename this table
id="$(solekey device list --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*"label":"phone".*/\1/p')"
#: solekey device rename 4be1a2c7 'old laptop'
solekey device rename "${id:0:8}" 'old phone'
solekey device list >"$WORK/out"
has "$WORK/out" "table"
has "$WORK/out" "old phone"

#: solekey device revoke laptop
solekey device revoke laptop
#: solekey device revoke 4be1a2c7
solekey device revoke "${id:0:8}"
#: solekey device list --all --json
solekey device list --all --json >"$WORK/all.json"
machine laptop
exits 23 solekey snapshots
exits 23 solekey backup "$HOME"
machine desk
solekey check --read-data

# Every device lost: the kit brings all back.
#: solekey recovery list
solekey recovery list >"$WORK/out"
cp kit.txt "$WORK/kit.txt"
machine fresh
unset SOLEKEY_PASSWORD_FILE
#: solekey join --recovery-kit kit.txt --remove-others
#: solekey join --recovery-kit kit.txt --remove-others --unproven
solekey join --recovery-kit "$WORK/kit.txt" --remove-others --unproven
solekey restore latest --path "$WORK/machines/desk/docs" --target "$WORK/fresh"
diff -r "$WORK/machines/desk/docs" "$WORK/fresh$WORK/machines/desk/docs"
machine desk
exits 23 solekey snapshots
