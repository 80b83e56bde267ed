// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"os"
	"testing"
)

// TestDatabaseLost: the database is rebuilt from the blob folder, whether it is
// gone or of an hour ago.
func TestDatabaseLost(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		lose func(p *Provider, old []byte)
	}{
		{"gone", func(p *Provider, _ []byte) { p.LoseDatabase() }},
		{"old", func(p *Provider, old []byte) {
			p.LoseDatabase()
			if err := os.WriteFile(p.Database(), old, 0o600); err != nil {
				p.w.T.Fatal(err)
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := New(t, programs)
			d := w.Joined("anna")
			source := photos(d)
			d.Backup(source)
			w.Provider.Stop()
			old, err := os.ReadFile(w.Provider.Database())
			if err != nil {
				t.Fatal(err)
			}
			w.Provider.Start()
			d.Write("photos/later", string(Noise(5, 200_000)))
			d.Backup(source)
			other := w.Joined("bert")
			other.Backup(photos(other))
			w.Provider.Stop()
			c.lose(w.Provider, old)
			w.Provider.Start()
			if w.Provider.Reconciled() == nil {
				t.Error("the provider took nothing in from its blobs")
			}
			if list := d.Snapshots(); len(list) != 2 {
				t.Errorf("%d snapshots: %v", len(list), list)
			}
			Same(t, source, d.restored(source))
			d.Write("photos/after", "written afterwards")
			d.Backup(source)
			Same(t, source, d.restored(source))
			Same(t, other.Path("photos"), other.restored(other.Path("photos")))
			w.Provider.Must("doctor", "--read-data")
		})
	}
}
