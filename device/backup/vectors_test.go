// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix:   "backup",
		Generate: detailsVectors,
		Check:    map[string]func(*testing.T, *vectors.Vector){"backup-details": checkDetailsVector},
	})
}

// detailsVectors makes every vector of spec/backup.md.
func detailsVectors(*testing.T) []*vectors.Vector {
	run := someDetails("/home/ada")
	writer := someDetails("/srv")
	writer.Run.Namer, writer.Run.Partial = protocol.MemberID{9, 9}, true
	list := &details{List: &ListDetails{Tags: []SnapshotTags{{Snapshot: protocol.Hash{7}, Tags: []string{"thesis", "keep"}}}, Time: 12}}
	dirty, long := run.encode(), append(run.encode(), make([]byte, detailsStep)...)
	dirty[len(dirty)-1] = 1
	vector := func(name, says, act, expect string, plain []byte) *vectors.Vector {
		return vectors.New("backup-"+name, says, "backup-details", expect, plain).With("act", act)
	}
	return []*vectors.Vector{
		vector("run", "the details of an owner's run", "run", vectors.Valid, run.encode()),
		vector("run-writer", "the details of a writer's partial run", "run", vectors.Valid, writer.encode()),
		vector("list", "the details of a list that changes tags", "list", vectors.Valid, list.encode()),
		vector("other-act", "the details of a list in a record of a run", "run", "untrusted", list.encode()),
		vector("padding-not-zero", "the last byte of the padding is not zero", "run", "untrusted", dirty),
		vector("padding-too-long", "the padding has a step more than it needs", "run", "untrusted", long),
		vector("padding-missing", "the length is no multiple of the step", "run", "untrusted", run.encode()[:100]),
	}
}

func checkDetailsVector(t *testing.T, v *vectors.Vector) {
	act := map[string]snapshot.Act{"run": snapshot.ActRun, "list": snapshot.ActList}[v.Text(t, "act")]
	d, err := parseDetails(v.Body(t), act)
	if v.Expect(t, err) && !bytes.Equal(d.encode(), v.Body(t)) {
		t.Error("the details print other bytes")
	}
}
