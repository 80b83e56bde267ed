// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
)

func TestNewRun(t *testing.T) {
	w := newWorld(t, "run")
	run := w.run(t, 1)
	if run.Account() != w.state.Account() || run.Vault() != w.vaults[1] || run.Epoch() != 1 || len(run.Wrapped()) != WrapSize {
		t.Errorf("run over account %s, vault %s, epoch %d", run.Account(), run.Vault(), run.Epoch())
	}
	if again := w.run(t, 1); again.ID() == run.ID() || again.key.Equal(run.key) || bytes.Equal(again.wrap, run.wrap) {
		t.Error("two runs share an identifier, a key or a wrap")
	}
	got, err := NewRun(w.member(t, w.owner))
	refused(t, "a run over a member", protocol.KindInternal, got, got == nil, err)
	got, err = NewRun(directory.Recipient{})
	refused(t, "a run over nothing", protocol.KindInternal, got, got == nil, err)
}

func TestRunIsSealedToTheEpochInForce(t *testing.T) {
	w := newWorld(t, "epochs")
	before := w.run(t, 0)
	next := seededWrap("epoch 2")
	w.say(t, ledger.Body{RotateVault: &ledger.RotateVault{Vault: w.vaults[0], Epoch: 2, Key: next.Public(), Secrets: protocol.Hash{1}}})
	after := w.run(t, 0)
	if after.Epoch() != 2 {
		t.Fatalf("run of epoch %d, want 2", after.Epoch())
	}
	header := func(r *Run) *PackHeader {
		return &PackHeader{Account: r.account, Vault: r.vault, Epoch: r.epoch, Run: r.id, Wrap: r.wrap}
	}
	if _, err := OpenRun(next, header(after)); err != nil {
		t.Errorf("the new epoch's run does not open: %v", err)
	}
	got, err := OpenRun(w.vaultSecrets[0], header(after))
	refused(t, "the old secret on the new epoch's run", protocol.KindUntrusted, got, got == nil, err)
	moved := header(before)
	moved.Epoch = 2
	for _, own := range []int{0, 1} {
		got, err = OpenRun(w.vaultSecrets[own], moved)
		refused(t, "an old wrap under a new epoch", protocol.KindUntrusted, got, got == nil, err)
	}
}

func TestDetailsOpenAfterTheirRecordOnly(t *testing.T) {
	w := newWorld(t, "details")
	run, prev := w.run(t, 0), protocol.Hash{7}
	box := run.Seal(prev, []byte("root, host, paths"))
	if got, err := run.Open(prev, box); err != nil || string(got) != "root, host, paths" {
		t.Errorf("details open to %q, %v", got, err)
	}
	got, err := run.Open(protocol.Hash{8}, box)
	refused(t, "after another record", protocol.KindUntrusted, len(got), got == nil, err)
	got, err = w.run(t, 0).Open(prev, box)
	refused(t, "in another run", protocol.KindUntrusted, len(got), got == nil, err)
	got, err = run.Open(prev, run.Seal(protocol.Hash{}, nil))
	refused(t, "those of the first record", protocol.KindUntrusted, len(got), got == nil, err)
}

// TestSecretsAreNeverPrinted prints everything that holds a key, in every way,
// and looks for the key in every form.
func TestSecretsAreNeverPrinted(t *testing.T) {
	w := newWorld(t, "print")
	run := w.run(t, 0)
	writer := run.NewPack(nil)
	pack, err := run.NewPack(nil).Finish(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParsePackHeader(pack)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenPack(run, h)
	if err != nil {
		t.Fatal(err)
	}
	_, openError := OpenBox(run.key, someContext(TypeLabel), make([]byte, BoxOverhead))
	packKey, _ := deriveKey(t, run.key.Expose(), writer.buf[offSalt:offCommitment], packContext(run))
	for _, value := range []any{run, *run, writer, *writer, opened, *opened, openError, struct{ R *Run }{run}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, value)
			for _, key := range [][]byte{run.key.Expose(), w.vaultSecrets[0].Expose(), packKey} {
				for _, form := range forms(key) {
					if strings.Contains(text, form) {
						t.Errorf("%T printed by %s shows a key as %s", value, verb, form)
					}
				}
			}
		}
	}
}

// forms lists how the first bytes of a key could show.
func forms(key []byte) []string {
	key = key[:12]
	decimal := strings.Trim(fmt.Sprint(key), "[]")
	return []string{
		string(key), fmt.Sprintf("%x", key), fmt.Sprintf("%X", key), decimal, strings.ReplaceAll(decimal, " ", ", "),
		base64.StdEncoding.EncodeToString(key), strings.Trim(fmt.Sprintf("%#v", key), "[]byte{}"),
	}
}

func TestErrorsSayNothingOfTheReason(t *testing.T) {
	w := newWorld(t, "errors")
	run := w.run(t, 0)
	secret, c := seeded("secret"), someContext(TypeLabel)
	box := Box(secret, c, []byte("label"))
	texts := map[string]bool{}
	for i := range box {
		box[i] ^= 1
		_, err := OpenBox(secret, c, box)
		texts[err.Error()] = true
		box[i] ^= 1
	}
	_, err := OpenBox(secret, c, nil)
	texts[err.Error()] = true
	_, err = OpenBox(run.key, c, box)
	texts[err.Error()] = true
	if len(texts) != 1 {
		t.Errorf("a box that does not open gives %d answers: %v", len(texts), texts)
	}
}
