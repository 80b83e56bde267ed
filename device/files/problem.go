// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/solekey/solekey/protocol"
)

// Act is what was being done to an entry when a problem arose.
type Act string

// The acts. Those that begin with "set" leave the entry in place without the
// property in question.
const (
	ActList     Act = "list folder"
	ActStat     Act = "stat"
	ActOpen     Act = "open"
	ActRead     Act = "read"
	ActReadLink Act = "read link"
	ActXattrs   Act = "read extended attributes"
	ActIgnore   Act = "read ignore rules"
	ActCreate   Act = "create"
	ActWrite    Act = "write"
	ActLink     Act = "link"
	ActRemove   Act = "remove"
	ActSetOwner Act = "set owner"
	ActSetMode  Act = "set mode"
	ActSetXattr Act = "set extended attribute"
	ActSetTime  Act = "set time"
)

// Cause is why an act failed, as far as the caller's next step depends on it.
type Cause string

// The causes.
const (
	Vanished    Cause = "vanished"      // it was listed, and is no more
	Changed     Cause = "changed"       // it changed while it was read
	Replaced    Cause = "replaced"      // another kind of entry stands in its place
	Denied      Cause = "denied"        // this user may not
	Exists      Cause = "in the way"    // something stands there that may not be removed
	Refused     Cause = "refused"       // a name or entry that may never be written
	Full        Cause = "no space"      // the file system or the quota is full
	Unsupported Cause = "not supported" // by this file system or system
	Failed      Cause = "failed"        // any other error, see Err
)

// Problem is what kept one entry from being read or written in full.
type Problem struct {
	Act   Act
	Cause Cause
	Path  []byte // of the entry, as the root was named
	Err   error  // the system's error, or nil
}

// Error says act, path and reason.
func (p *Problem) Error() string {
	if p.Err != nil {
		return fmt.Sprintf("%s %q: %v", p.Act, p.Path, p.Err)
	}
	return fmt.Sprintf("%s %q: %s", p.Act, p.Path, p.Cause)
}

// Unwrap returns the system's error.
func (p *Problem) Unwrap() error { return p.Err }

// Warning reports whether the entry is there in spite of the problem and only
// one of its properties is missing.
func (p *Problem) Warning() bool {
	switch p.Act {
	case ActSetOwner, ActSetMode, ActSetXattr, ActSetTime, ActXattrs:
		return true
	}
	return p.Cause == Changed
}

// Kind is what the problem means to the caller of a whole run.
func (p *Problem) Kind() protocol.Kind {
	switch p.Cause {
	case Full:
		return protocol.KindFull
	case Refused:
		return protocol.KindUntrusted
	case Exists:
		return protocol.KindExists
	}
	return protocol.KindUnreadable
}

// CauseOf returns the cause of the outermost Problem in err's chain, Failed
// where there is none, and "" for nil.
func CauseOf(err error) Cause {
	if err == nil {
		return ""
	}
	var p *Problem
	if errors.As(err, &p) {
		return p.Cause
	}
	return Failed
}

// portableCause tells the causes that every system knows.
func portableCause(err error) Cause {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Vanished
	case errors.Is(err, fs.ErrPermission):
		return Denied
	case errors.Is(err, fs.ErrExist):
		return Exists
	}
	return Failed
}
