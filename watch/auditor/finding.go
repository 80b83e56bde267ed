// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package auditor

import (
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/evidence"
	"github.com/solekey/solekey/protocol/tlog"
)

// The rules of checkpoints; those of entries are directory.Rule.
const (
	RuleOneLog  = "one log" // all checkpoints are of one log that only grows
	RuleForward = "forward" // the log shows no older checkpoint than it did
	RuleEnd     = "ends"    // a checkpoint ends with a root
	RulePresent = "present" // the newest root is not of a time to come
	RuleServed  = "served"  // what the log serves is what its checkpoint holds
	RuleSigned  = "signed"  // a checkpoint is signed by the log
	maxSkew     = 10 * 60e9 // nanoseconds that two clocks may differ
)

// Finding is something that did not hold. Its kind is protocol.KindUntrusted.
type Finding struct {
	Rule string // which rule was broken
	What string // what was done, in words
	By   string // the key of the log that signed it; empty where nobody did
	// Evidence is a file that shows it to others, as protocol/evidence has it; nil
	// where there is none, and Without says why.
	Evidence []byte
	Without  string
	cause    error
}

// Error says what was done, and by whom.
func (f *Finding) Error() string {
	if f.By == "" {
		return f.What + " Nobody signed that: it may be the log, or somebody on the way."
	}
	return f.What + " By the log " + f.By + "."
}

// Unwrap returns the error that it was found by, or one of its kind.
func (f *Finding) Unwrap() []error {
	kind := &protocol.Error{Kind: protocol.KindUntrusted, Message: f.What}
	if f.cause == nil {
		return []error{kind}
	}
	return []error{kind, f.cause}
}

// find returns a finding. What the evidence says of it is what it says.
func (a *Auditor) find(rule, what string, raw []byte, err error) *Finding {
	f := &Finding{Rule: rule, What: what, By: a.config.Log.String(), Evidence: raw}
	if rule == RuleServed || rule == RuleSigned {
		f.By = ""
	}
	if err != nil {
		f.Without = err.Error()
		return f
	}
	if raw == nil {
		return f
	}
	v, err := evidence.Verify(raw, evidence.Options{Log: a.config.Log})
	if err != nil {
		f.Evidence, f.Without = nil, err.Error()
		return f
	}
	f.What = v.What
	return f
}

// breach says what a broken rule of an entry means.
func breach(b *directory.Breach) string {
	return fmt.Sprintf("The log holds an entry, at position %d, that its rules forbid: %s.", b.Position, b.Text)
}

// witnesses are the keys of the policy, whose cosignatures evidence may name.
func (a *Auditor) witnesses() []*tlog.WitnessKey {
	if a.config.Policy == nil {
		return nil
	}
	var keys []*tlog.WitnessKey
	for _, w := range a.config.Policy.Witnesses() {
		keys = append(keys, w.Key)
	}
	return keys
}
