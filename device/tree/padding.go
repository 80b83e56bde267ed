// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"crypto/subtle"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/seal"
)

// maxSteps is how many steps of padding the last pack of a run may get beyond
// the padded size of its content.
const maxSteps = 3

// runDigest gathers the names of the chunks of a run, in whatever order they
// come: their exclusive or. Names are outputs of a keyed function, and no name
// is added twice, so two sets of chunks do not meet in one digest.
type runDigest protocol.Hash

func (d *runDigest) add(name protocol.Hash) { subtle.XORBytes(d[:], d[:], name[:]) }

// steps draws, under the padding secret, by how many steps the size of the
// run's last pack is moved up: 0 to maxSteps, each as likely. The content alone
// decides, so that a run which is tried again shows the same size again, and
// an average over tries tells nothing more than one of them.
func (d *runDigest) steps(padding *keys.Secret) int {
	return int(padding.Derive("tree/steps", d[:]).Expose()[0] % (maxSteps + 1))
}

// fullSteps returns how many steps move a pack of so many bytes of content up
// to exactly seal.PackTarget, the one size of all packs of a run but the last.
func fullSteps(content int) int {
	steps := 0
	for seal.PackSize(content, steps) < seal.PackTarget {
		steps++
	}
	return steps
}

// lastSteps returns the steps for the last pack of a run: the drawn ones, or
// fewer where they would lead beyond the size of a full pack.
func lastSteps(content, drawn int) int { return min(drawn, fullSteps(content)) }
