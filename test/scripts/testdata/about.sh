# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
# What a device says about itself, and what helps at the command line.

joined
files
solekey backup docs

#: solekey status
solekey status >"$WORK/out"
#: solekey status --max-age 26h --quiet || mail -s 'no backup' root </dev/null
solekey status --max-age 26h --quiet >"$WORK/out"
[ ! -s "$WORK/out" ]
#: solekey status --online --json
solekey status --online --json >"$WORK/status.json"
#: solekey whoami
solekey whoami >"$WORK/out"
has "$WORK/out" "anna"
#: solekey whoami --json
solekey whoami --json >"$WORK/whoami.json"
#: solekey doctor
solekey doctor >"$WORK/out"
#: solekey doctor --json
solekey doctor --json >"$WORK/doctor.json"
#: solekey repair accept-older
exits 10 solekey repair accept-older
#: solekey repair accept-older --yes
exits 10 solekey repair accept-older --yes
#: solekey version --json
solekey version --json >"$WORK/version.json"
#: source <(solekey completion bash)
source <(solekey completion bash)
#: solekey completion zsh > "${fpath[1]}/_solekey"
solekey completion zsh >"$WORK/_solekey"
#: solekey completion fish > ~/.config/fish/completions/solekey.fish
solekey completion fish >"$WORK/solekey.fish"
solekey completion powershell >"$WORK/solekey.ps1"
bash -n <(solekey completion bash)
#: solekey man /usr/local/share/man/man1
solekey man "$WORK/man"
[ -s "$WORK/man/solekey-backup.1" ]
#: solekeyd man /usr/local/share/man/man1
solekeyd man "$WORK/man"
[ -s "$WORK/man/solekeyd-up.1" ]
#: solekeyd version --json
solekeyd version --json >"$WORK/dversion.json"

#: solekey recovery kit --out kit.txt
solekey recovery kit --out second.txt
#: solekey recovery kit
exits 2 solekey recovery kit </dev/null # there is no terminal here to show it on
#: solekey recovery list --json
solekey recovery list --json >"$WORK/recovery.json"
#: solekey recovery test --recovery-kit kit.txt
solekey recovery test --recovery-kit second.txt
solekey recovery test --recovery-kit kit.txt
#: solekey recovery test
sed -n 's/^Recovery key: *//p' kit.txt | solekey recovery test

solekey recovery kit --out third.txt
keys="$(solekey recovery list --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p')"
[ "$(echo "$keys" | wc -l)" -eq 3 ]
#: solekey recovery remove 4be1a2c7 --recovery-kit kit.txt
solekey recovery remove "$(echo "$keys" | tail -n 1)" --recovery-kit kit.txt
exits 12 solekey recovery test --recovery-kit third.txt
#: solekey recovery remove 4be1a2c7
sed -n 's/^Recovery key: *//p' kit.txt | solekey recovery remove "$(echo "$keys" | sed -n '2s/^\(.\{8\}\).*/\1/p')"
exits 12 solekey recovery test --recovery-kit second.txt
solekey backup docs
