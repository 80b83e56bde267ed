// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

// Overwrite says what a restore does where an entry stands already.
type Overwrite uint8

// The policies.
const (
	Always    Overwrite = iota // replace what differs, contents compared
	IfChanged                  // the same, but equal size and time count as equal content
	IfNewer                    // replace only what is older than the snapshot's
	Never                      // leave everything as it is
)

// ParseOverwrite reads a policy as users write it.
func ParseOverwrite(text string) (policy Overwrite, ok bool) {
	for i, name := range overwriteNames {
		if text == name {
			return Overwrite(i), true
		}
	}
	return Always, false
}

var overwriteNames = [...]string{"always", "if-changed", "if-newer", "never"}

// String returns the word that ParseOverwrite reads.
func (o Overwrite) String() string { return overwriteNames[o] }

// Decision is what is to be done about one entry.
type Decision uint8

// The decisions.
const (
	Write  Decision = iota + 1 // nothing usable stands there: create or replace
	Look                       // a file of equal size: compare contents, then Adjust or Write
	Adjust                     // the content is right: set the properties
	Keep                       // leave what stands there
)

// RestoreOptions say how a restore treats what it finds.
type RestoreOptions struct {
	Overwrite    Overwrite
	NumericOwner bool // take owners by number, not by name
	Sparse       bool // the caller leaves out zeros: reserve no space for them
	Delete       bool // a folder in the way may go with its content; see Target.Prune
	// Spare, where it is set, says of a path, from "/" for the root on, that
	// nothing which is removed with a folder may be what stands there.
	Spare func(path []byte) bool
}
