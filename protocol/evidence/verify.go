// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// Options says more than the file does.
type Options struct {
	// Log is the log that the evidence must be about; nil for any. Who wants to know
	// about a certain provider has to say so: anybody can make a log and convict it.
	Log *tlog.LogKey
}

// Verdict is what a file proves.
type Verdict struct {
	Kind   string // fork, split, statements, promise, rules, order, leaf, regress, key, histories
	Broken string // the rule that was broken
	What   string // what was done, in words
	Log    *tlog.LogKey
	By     []string // whose keys signed it: the log's, and witnesses that cosigned both sides of a fork
}

// Verify decides what a file proves, and returns protocol.KindUntrusted where it
// proves nothing, protocol.KindUnsupported where a newer program has to decide.
func Verify(raw []byte, o Options) (*Verdict, error) {
	f, err := parse(raw)
	if err != nil {
		return nil, err
	}
	return f.verify(o)
}

func (f *file) verify(o Options) (*Verdict, error) {
	log, err := tlog.ParseLogKey(f.Log)
	if err != nil {
		return nil, err
	}
	if o.Log != nil && o.Log.String() != f.Log {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the evidence is about the log %s, not about %s", f.Log, o.Log)
	}
	kind, k, err := f.kind()
	if err != nil {
		return nil, err
	}
	v, err := k.judge(log)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), err, "evidence of kind %s proves nothing", kind)
	}
	v.Kind, v.Log, v.By = kind, log, []string{"log " + f.Log}
	if f.Fork != nil {
		witnesses, err := f.Fork.cosigners(f.Witnesses)
		if err != nil {
			return nil, err
		}
		v.By = append(v.By, witnesses...)
	}
	return v, nil
}

// judge is what each kind does: it returns the verdict, or why there is none.
type judge interface {
	judge(log *tlog.LogKey) (*Verdict, error)
}

// kind returns the one kind that is set.
func (f *file) kind() (string, judge, error) {
	var name string
	var found judge
	count := 0
	add := func(set bool, word string, k judge) {
		if set {
			name, found = word, k
			count++
		}
	}
	add(f.Fork != nil, "fork", f.Fork)
	add(f.Split != nil, "split", f.Split)
	add(f.Statements != nil, "statements", f.Statements)
	add(f.Promise != nil, "promise", f.Promise)
	add(f.Rules != nil, "rules", f.Rules)
	add(f.Order != nil, "order", f.Order)
	add(f.Leaf != nil, "leaf", f.Leaf)
	add(f.Regress != nil, "regress", f.Regress)
	add(f.Key != nil, "key", f.Key)
	add(f.Histories != nil, "histories", f.Histories)
	if count != 1 {
		return "", nil, protocol.Errorf(protocol.KindUntrusted, "parse evidence: %d kinds, want exactly one", count)
	}
	return name, found, nil
}

// nothing is the error of evidence that proves nothing.
func nothing(why string) error { return protocol.Errorf(protocol.KindUntrusted, "%s", why) }

// seal verifies what was made and returns its text.
func (f *file) seal(log *tlog.LogKey) ([]byte, error) {
	f.Version, f.Log = protocol.FormatVersion, log.String()
	v, err := f.verify(Options{})
	if err != nil {
		return nil, err
	}
	text := f.format(v)
	if len(text) > MaxText {
		return nil, protocol.Errorf(protocol.KindUsage, "evidence of %d bytes is too large", len(text))
	}
	if _, err := parse(text); err != nil {
		return nil, err
	}
	return text, nil
}
