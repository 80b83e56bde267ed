// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"errors"
	"fmt"

	"github.com/solekey/solekey/protocol"
)

// Rule names one of the rules of the log, as it stands in spec/directory.md.
type Rule string

// The rules.
const (
	RuleFormat    Rule = "format"    // an entry is what ParseEntry reads
	RuleKnown     Rule = "known"     // and of a kind that is known
	RuleOrigin    Rule = "origin"    // entry 0 is the origin, and no other
	RuleSignature Rule = "signature" // an entry is signed with the key that it names
	RuleVersion   Rule = "version"   // a name goes up by one version
	RuleKey       Rule = "key"       // with the key that the version before named
	RuleClosed    Rule = "closed"    // and never again once it is closed
	RuleNotice    Rule = "notice"    // a notice is about the name as it is
	RuleDelay     Rule = "delay"     // a name is reassigned by its notice, after the delay
	RulePeriod    Rule = "period"    // an anchor's period is open
	RuleIndex     Rule = "index"     // its index is its key's, and still empty
	RuleRoot      Rule = "root"      // a root states what the entries amount to
	RuleTime      Rule = "time"      // the log's time never goes back
	RuleNumber    Rule = "number"    // statements, uses and releases are counted without gaps
	RuleBatch     Rule = "batch"     // at most MaxBatch entries stand between two roots
)

// Breach is an entry that the rules refuse: whoever signed a checkpoint with it
// inside broke them. Its kind is protocol.KindUntrusted, for RuleKnown
// protocol.KindUnsupported: then it is not known whether something was broken.
type Breach struct {
	Position uint64
	Rule     Rule
	Text     string // what is wrong, in a few words
}

// Error says what is wrong and where.
func (b *Breach) Error() string {
	return fmt.Sprintf("log entry %d breaks the rule %q: %s", b.Position, b.Rule, b.Text)
}

// Unwrap returns the error that carries the kind.
func (b *Breach) Unwrap() error {
	kind := protocol.KindUntrusted
	if b.Rule == RuleKnown {
		kind = protocol.KindUnsupported
	}
	return &protocol.Error{Kind: kind, Message: b.Text}
}

func breach(position uint64, rule Rule, format string, args ...any) *Breach {
	return &Breach{Position: position, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// parseBreach makes a breach of what ParseEntry says.
func parseBreach(position uint64, err error) *Breach {
	rule := RuleFormat
	var e *protocol.Error
	if errors.As(err, &e) && e.Kind == protocol.KindUnsupported {
		rule = RuleKnown
	}
	return breach(position, rule, "%v", err)
}
