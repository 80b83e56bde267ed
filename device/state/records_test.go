// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// wantChain fails unless the stored chain is exactly the records.
func wantChain(t *testing.T, v *Vault, records [][]byte) {
	t.Helper()
	chain, err := v.Chain()
	must(t, err)
	var want Position
	if len(records) > 0 {
		want = headOf(records[len(records)-1])
	}
	if got := (Position{chain.Head().Seq, chain.Head().Hash}); got != want || len(chain.Live()) != len(records) {
		t.Fatalf("chain ends at %v with %d snapshots, want %v with %d", got, len(chain.Live()), want, len(records))
	}
	for i, raw := range records {
		got, err := v.Record(uint64(i + 1))
		must(t, err)
		if !bytes.Equal(got, raw) {
			t.Fatalf("record %d differs", i+1)
		}
	}
	_, err = v.Record(uint64(len(records) + 1))
	wantKind(t, err, protocol.KindNotFound)
	_, err = v.Record(0)
	wantKind(t, err, protocol.KindNotFound)
}

func TestRecordsSurviveRestart(t *testing.T) {
	w := newWorld(t)
	v := w.joined().Vault(w.vault)
	wantChain(t, v, nil)
	all := w.records(5)
	must(t, v.AppendRecords(all[:2]...))
	wantChain(t, w.again().Vault(w.vault), all[:2])
	must(t, v.AppendRecords(all[1:]...)) // the second is there already
	wantChain(t, w.again().Vault(w.vault), all)
	wantChain(t, v, all)
	must(t, v.AppendRecords())
	if head, err := v.Head(); head != headOf(all[4]) || err != nil {
		t.Fatalf("head %v, %v", head, err)
	}
}

func TestRecordsRefuse(t *testing.T) {
	w := newWorld(t)
	all := w.records(3)
	fork := w.records(1, all[0])
	stranger := newWorld(t).records(1)
	cases := []struct {
		name    string
		records [][]byte
		word    string
	}{
		{"a gap", all[2:], "does not follow"},
		{"another past", append(slices.Clone(fork), all[2]), "fork"},
		{"a fork of an older one", w.records(1), "fork"},
		{"another vault", stranger, "another vault"},
		{"garbage", [][]byte{[]byte("no record")}, "parse"},
		{"a good one, then garbage", [][]byte{all[1], []byte("x")}, "parse"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := w.joinedElsewhere().Vault(w.vault)
			stored := all[:1]
			if strings.Contains(c.name, "past") {
				stored = all[:2]
			}
			must(t, v.AppendRecords(stored...))
			err := v.AppendRecords(c.records...)
			wantKind(t, err, protocol.KindUntrusted)
			if !strings.Contains(err.Error(), c.word) {
				t.Fatalf("error %q does not say %q", err, c.word)
			}
			wantChain(t, v, stored)
		})
	}
}

func TestRecordsMustPassThroughTheMark(t *testing.T) {
	w := newWorld(t)
	v := w.joined().Vault(w.vault)
	all := w.records(3)
	must(t, v.AdvanceHead(headOf(all[1]))) // seen, not read
	other := append(slices.Clone(all[:1]), w.records(2, all[0])...)
	wantKind(t, v.AppendRecords(other...), protocol.KindUntrusted)
	wantChain(t, v, nil)
	must(t, v.AppendRecords(all...))
	wantChain(t, v, all)
}

func TestLostRecordsComeBack(t *testing.T) {
	w := newWorld(t)
	all := w.records(4)
	damage := map[string]func([]byte) []byte{
		"gone":         func([]byte) []byte { return nil },
		"shorter":      func(b []byte) []byte { return b[:len(b)-1] },
		"a bit":        func(b []byte) []byte { b[len(b)-9] ^= 1; return b },
		"a length":     func(b []byte) []byte { b[18] = 0xff; return b },
		"another file": func(b []byte) []byte { return bytes.ToUpper(b) },
	}
	for name, change := range damage {
		t.Run(name, func(t *testing.T) {
			s := w.joinedElsewhere()
			v := s.Vault(w.vault)
			must(t, v.AppendRecords(all...))
			spoil(t, v.path("records"), change)
			chain, err := v.Chain()
			must(t, err)
			if chain.Head().Seq != 0 {
				t.Fatalf("a damaged file gave a chain of %d", chain.Head().Seq)
			}
			if head, err := v.Head(); head != headOf(all[3]) || err != nil {
				t.Fatalf("the mark moved to %v, %v", head, err)
			}
			wantKind(t, v.AppendRecords(w.records(4)...), protocol.KindUntrusted)
			must(t, v.AppendRecords(all...))
			wantChain(t, v, all)
		})
	}
}

func TestTornRecordsTailIsCutOff(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	v := s.Vault(w.vault)
	all := w.records(3)
	must(t, v.AppendRecords(all[:2]...))
	before, err := os.ReadFile(v.path("records"))
	must(t, err)
	for _, tail := range []int{1, 3, 4, 5, 100, 5000} {
		must(t, os.WriteFile(v.path("records"), append(slices.Clone(before), make([]byte, tail)...), 0o600))
		wantChain(t, w.again().Vault(w.vault), all[:2])
	}
	must(t, v.AppendRecords(all[2]))
	wantChain(t, v, all)
}

func TestNewerRecordsFileIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	v := w.joined().Vault(w.vault)
	all := w.records(2)
	must(t, v.AppendRecords(all[0]))
	spoil(t, v.path("records"), func(b []byte) []byte {
		return bytes.Replace(b, []byte("records 1\n"), []byte("records 2\n"), 1)
	})
	_, err := v.Chain()
	wantKind(t, err, protocol.KindUnsupported)
	wantKind(t, v.AppendRecords(all[1]), protocol.KindUnsupported)
}

// How the killed process learns its part.
const (
	dirVariable   = "SOLEKEY_TEST_DIR"
	vaultVariable = "SOLEKEY_TEST_VAULT"
)

// TestKilledWhileAppending lets another process append until it is killed, again
// and again: what is left is always a chain that goes on.
func TestKilledWhileAppending(t *testing.T) {
	w := newWorld(t)
	if dir := os.Getenv(dirVariable); dir != "" {
		w.dir = dir
		appendForEver(w)
	}
	must(t, w.joined().Close())
	var seen uint64
	for range 4 {
		c := exec.Command(os.Args[0], "-test.run=^TestKilledWhileAppending$")
		c.Env = append(os.Environ(), dirVariable+"="+w.dir, vaultVariable+"="+w.vault.String())
		out, err := c.StdoutPipe()
		must(t, err)
		must(t, c.Start())
		// It says one byte for each batch; it is killed within one of the next.
		_, _ = out.Read(make([]byte, 1))
		_, _ = out.Read(make([]byte, 1))
		must(t, c.Process.Kill())
		_ = c.Wait() // killed, so it says
		chain, err := w.again().Vault(w.vault).Chain()
		must(t, err)
		head, err := w.again().Vault(w.vault).Head()
		must(t, err)
		if chain.Head().Seq <= seen || head.Seq != chain.Head().Seq {
			t.Fatalf("chain of %d after %d, mark at %d", chain.Head().Seq, seen, head.Seq)
		}
		seen = chain.Head().Seq
	}
}

// appendForEver appends records to the vault whose identifier the environment
// gives: who signed them plays no part in storing them.
func appendForEver(w *world) {
	must(w.t, w.vault.UnmarshalText([]byte(os.Getenv(vaultVariable))))
	v := w.again().Vault(w.vault)
	chain, err := v.Chain()
	must(w.t, err)
	var last [][]byte
	if seq := chain.Head().Seq; seq > 0 {
		raw, err := v.Record(seq)
		must(w.t, err)
		last = [][]byte{raw}
	}
	for {
		last = w.records(3, last...)
		must(w.t, v.AppendRecords(last...))
		_, _ = os.Stdout.WriteString(".")
	}
}
