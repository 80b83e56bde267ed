# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# The life of one device: join, back up, look, restore, clean up.

printf '%s\n' "$INVITE" >"$WORK/invite"
cp "$WORK/password" pw
#: solekey join --name alice --password-file pw --recovery-out kit.txt --invite-file invite
solekey join --name alice --password-file pw --recovery-out kit.txt --invite-file "$WORK/invite" >"$WORK/joined"
has "$WORK/joined" "alice"
has kit.txt "Recovery key:"
files

#: solekey backup ~
solekey backup ~ >"$WORK/out" 2>"$WORK/err"
has "$WORK/out" "snapshot [0-9a-f]{8} saved"
[ ! -s "$WORK/err" ]
#: solekey backup --exclude '*.tmp' --tag daily /home /etc
solekey backup --exclude '*.tmp' --tag daily ~/docs "$WORK/password"
#: pg_dump shop | solekey backup --stdin --stdin-filename shop.sql
echo "create table shop ();" | solekey backup --stdin --stdin-filename shop.sql --host shop

#: solekey snapshots
solekey snapshots >"$WORK/out"
[ "$(grep -cE '^[0-9a-f]{8}' "$WORK/out")" -eq 3 ]
#: solekey snapshots --host web --latest 3
solekey snapshots --host shop --latest 3 >"$WORK/out"
[ "$(grep -cE '^[0-9a-f]{8}' "$WORK/out")" -eq 1 ]
#: solekey snapshots --group-by host,paths --json
solekey snapshots --group-by host,paths --json >"$WORK/snapshots.json"

#: solekey ls latest
solekey ls latest --path ~/docs -R >"$WORK/out"
has "$WORK/out" "letters/letter.txt"
#: solekey ls -l latest /home/ann
solekey ls -l latest --path ~/docs ~/docs/letters >"$WORK/out"
has "$WORK/out" "^[-l]rw.*letter"
id="$(solekey snapshots --path ~/docs --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p' | tail -n 1)"
#: solekey ls --json 4be1a2c7:/etc
solekey ls --json "${id:0:8}:$HOME/docs" >"$WORK/ls.json"

#: solekey find '*.odt'
solekey find '*.odt' >"$WORK/out"
has "$WORK/out" "LETTER2.odt"
#: solekey find --newest 2026-01-31 -i letter.txt
solekey find --newest 2106-01-31 -i LETTER.txt >"$WORK/out"
has "$WORK/out" "letter.txt"
#: solekey find -s latest -l '/home/*/.ssh'
solekey find -s "${id:0:8}" -l "$WORK/*/desk/docs" >"$WORK/out"
has "$WORK/out" "docs"

echo "dear carl" >docs/letters/letter.txt
chmod 700 docs/letters/LETTER2.odt
solekey backup --exclude '*.tmp' --tag daily ~/docs "$WORK/password"
new="$(latest)"
#: solekey diff 4be1a2c7 latest
solekey diff "${id:0:8}" "$new" >"$WORK/out"
has "$WORK/out" "letter.txt"
lacks "$WORK/out" "LETTER2.odt"
#: solekey diff --metadata 4be1a2c7:/etc latest:/etc
solekey diff --metadata "$id:$HOME/docs" "$new:$HOME/docs" >"$WORK/out"
has "$WORK/out" "LETTER2.odt"

#: solekey dump latest /srv/shop.sql | psql shop
solekey dump latest --host shop /shop.sql | grep -q "create table"
#: solekey dump latest /home/ann --archive zip --target ann.zip
solekey dump latest --path ~/docs ~/docs --archive zip --target ann.zip
[ -s ann.zip ]
solekey dump latest --path ~/docs ~/docs | tar t >"$WORK/out"
has "$WORK/out" "letters/letter.txt"

#: solekey restore latest --target /tmp/restored
solekey restore latest --path ~/docs --target "$WORK/restored" >"$WORK/out"
diff -r docs "$WORK/restored$HOME/docs"
#: solekey restore latest:/home/ann/letters --target ~/letters
solekey restore "latest:$HOME/docs/letters" --path ~/docs --target ~/letters
diff -r docs/letters ~/letters
#: solekey restore 4be1a2c7 --target / --include /etc/fstab
solekey restore "${id:0:8}" --target "$WORK/one" --include "$HOME/docs/letters/letter.txt"
grep -q "dear ann" "$WORK/one$HOME/docs/letters/letter.txt"
[ ! -e "$WORK/one$HOME/docs/photo" ]
touch "$WORK/restored$HOME/docs/surplus"
#: solekey restore latest --host web --target /srv --delete --exclude '*.log' --dry-run
solekey restore latest --path ~/docs --target "$WORK/restored" --delete --exclude '*.log' --dry-run >"$WORK/out"
has "$WORK/out" "would restore"
[ -e "$WORK/restored$HOME/docs/surplus" ]

#: solekey stats
solekey stats >"$WORK/out"
#: solekey stats --mode raw-data
solekey stats --mode raw-data >"$WORK/out"
#: solekey stats latest
solekey stats latest >"$WORK/out"
solekey stats --json >"$WORK/stats.json"

#: solekey check
solekey check
#: solekey check --read-data
solekey check --read-data
#: solekey check --read-data-subset 5%
solekey check --read-data-subset 5%
#: solekey check --read-data-subset 1/7
solekey check --read-data-subset 1/7
solekey check --json >"$WORK/check.json"

#: solekey tag --add keep 4be1a2c7
solekey tag --add keep "${id:0:8}"
#: solekey tag --set weekly,offsite --host web
solekey tag --set weekly,offsite --host shop
solekey snapshots --tag weekly,offsite >"$WORK/out"
[ "$(grep -cE '^[0-9a-f]{8}' "$WORK/out")" -eq 1 ]
#: solekey tag --set '' latest
solekey tag --set '' latest

#: solekey forget --keep-within 30d --keep-within-monthly 2y --dry-run
solekey forget --keep-within 30d --keep-within-monthly 2y --dry-run
before="$(solekey snapshots --json | grep -c '"id"')"
first="$(solekey snapshots --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p' | sed -n 1p)"
second="$(solekey snapshots --host shop --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p' | sed -n 1p)"
#: solekey forget 4be1a2c7 9d01f3aa
solekey forget "${first:0:8}" "${second:0:8}"
[ "$(solekey snapshots --json | grep -c '"id"')" -eq $((before - 2)) ]
#: solekey undelete --snapshots --dry-run
solekey undelete --snapshots --dry-run
#: solekey undelete 4be1a2c7
solekey undelete "$first"
[ "$(solekey snapshots --json | grep -c '"id"')" -eq $((before - 1)) ]
#: solekey prune --dry-run
solekey prune --dry-run
#: solekey prune --max-unused 10% --max-repack-size 2G
solekey prune --max-unused 10% --max-repack-size 2G
#: solekey forget --keep-last 3 --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --prune
solekey forget --keep-last 3 --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --prune
#: solekey undelete --packs
solekey undelete --packs
#: solekey repair index
solekey repair index
solekey check --read-data
solekey restore latest --path ~/docs --target "$WORK/again"
diff -r docs "$WORK/again$HOME/docs"
