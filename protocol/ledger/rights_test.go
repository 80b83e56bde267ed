// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// at returns the head that the ledger had after its entry seq.
func (s *story) at(seq uint64) Head { return Head{Seq: seq, Hash: s.entries[seq].Hash()} }

// holdTo holds an outcome to words of a refusal, or to none.
func holdTo(t *testing.T, name string, err error, words string) {
	t.Helper()
	switch {
	case words == "" && err != nil:
		t.Errorf("%s: refused: %v", name, err)
	case words != "" && err == nil:
		t.Errorf("%s: accepted", name)
	case words != "" && (protocol.KindOf(err) != protocol.KindUntrusted || !strings.Contains(err.Error(), words)):
		t.Errorf("%s: refused as %s: %v", name, protocol.KindOf(err), err)
	}
}

// removals is a ledger whose entries the cases below count: 5 adds W, 6 grants
// it docs, 8 removes B at docs@5, 9 and 10 rotate, 11 removes W at docs@9.
const removals = begin + `
	A: add-device W writer
	A: grant W docs
	A: create-vault mail
	A: remove B head=docs@5
	A: rotate
	A: rotate-vault docs
	A: remove W head=docs@9
`

func TestBelongs(t *testing.T) {
	s := tell(t, removals)
	for _, c := range []struct {
		name, device, vault string
		epoch               uint64
		seen                Head
		words               string
	}{
		{"an owner", "A", "docs", 1, s.at(4), ""},
		{"an owner, the newest", "A", "docs", 2, s.at(11), ""},
		{"an owner that saw an older ledger", "A", "docs", 1, s.at(9), ""},
		{"a removed owner that saw the ledger before", "B", "docs", 1, s.at(7), ""},
		{"a removed owner that saw its removal", "B", "docs", 1, s.at(8), "was not in the account"},
		{"a removed owner that saw what came after", "B", "docs", 2, s.at(10), "was not in the account"},
		{"a removed writer that saw the ledger before", "W", "docs", 2, s.at(10), ""},
		{"a removed writer that saw its removal", "W", "docs", 2, s.at(11), "was not in the account"},
		{"a writer before it was there", "W", "docs", 1, s.at(4), "was not in the account"},
		{"a writer before its grant", "W", "docs", 1, s.at(5), "was not granted"},
		{"a writer from its grant on", "W", "docs", 1, s.at(6), ""},
		{"a writer in another vault", "W", "mail", 1, s.at(7), "was not granted"},
		{"a recovery key", "R", "docs", 1, s.at(4), "was not in the account"},
		{"a stranger", "X", "docs", 1, s.at(4), "is not in the ledger"},
		{"an epoch that was over", "A", "docs", 1, s.at(10), "was not in force"},
		{"an epoch that had not begun", "A", "docs", 2, s.at(9), "was not in force"},
		{"no epoch", "A", "docs", 0, s.at(4), "was not in force"},
		{"no epoch before the vault", "A", "docs", 0, s.at(3), "was not in force"},
		{"a vault before it was there", "A", "docs", 1, s.at(3), "was not in force"},
		{"a vault that is not there", "A", "more", 1, s.at(4), "was not in force"},
		{"a head of another branch", "A", "docs", 1, Head{Seq: 4, Hash: object("fork")}, "is not in this ledger"},
		{"a head that is not there yet", "A", "docs", 2, Head{Seq: 12, Hash: object("later")}, "is not in this ledger"},
	} {
		holdTo(t, c.name, s.state.Belongs(id(c.device), vault(c.vault), c.epoch, c.seen), c.words)
	}
}

// TestCounts plays a removed device that signs on, with a provider that helps:
// it names a ledger head from before its removal and any position it likes.
func TestCounts(t *testing.T) {
	s := tell(t, removals)
	fork := VaultHead{Vault: vault("docs"), Seq: 5, Hash: object("fork")}
	bare := func(text string) VaultHead { h := head(t, text); h.Hash = protocol.Hash{}; return h }
	for _, c := range []struct {
		name, device string
		at           VaultHead
		epoch        uint64
		seen         Head
		words        string
	}{
		{"below the last head", "B", head(t, "docs@4"), 1, s.at(7), ""},
		{"at the last head", "B", head(t, "docs@5"), 1, s.at(7), ""},
		{"at the last head, whatever its hash", "B", bare("docs@5"), 1, s.at(7), ""},
		{"another record at the last head", "B", fork, 1, s.at(7), "beyond its last head"},
		{"beyond the last head", "B", head(t, "docs@6"), 1, s.at(7), "beyond its last head"},
		{"far beyond", "B", bare("docs@18446744073709551615"), 1, s.at(7), "beyond its last head"},
		{"in a vault that its removal does not name", "B", head(t, "mail@1"), 1, s.at(7), "beyond its last head"},
		{"a writer below", "W", head(t, "docs@9"), 2, s.at(10), ""},
		{"a writer beyond", "W", head(t, "docs@10"), 2, s.at(10), "beyond its last head"},
		{"a present device anywhere", "A", head(t, "docs@1000"), 1, s.at(7), ""},
		{"who does not belong", "W", head(t, "mail@1"), 1, s.at(7), "was not granted"},
		{"after its removal", "B", head(t, "docs@4"), 1, s.at(8), "was not in the account"},
	} {
		holdTo(t, c.name, s.state.Counts(id(c.device), c.at, c.epoch, c.seen), c.words)
	}
}

func TestLastHeads(t *testing.T) {
	s := tell(t, removals)
	heads := s.state.LastHeads(vault("docs"))
	if len(heads) != 2 || heads[0] != head(t, "docs@5") || heads[1] != head(t, "docs@9") {
		t.Errorf("last heads are %+v", heads)
	}
	if heads := s.state.LastHeads(vault("mail")); len(heads) != 0 {
		t.Errorf("last heads of a vault that no removal names are %+v", heads)
	}
}

func TestRightsByRole(t *testing.T) {
	tell(t, removals+`
		? may-add A docs yes
		? may-add A mail yes
		? may-add A more denied
		? may-add B docs removed
		? may-add W docs removed
		? may-add R docs denied
		? may-add X docs denied
		? may-manage A yes
		? may-manage B removed
		? may-manage W removed
		? may-manage R denied
		? may-manage X denied
	`)
}
