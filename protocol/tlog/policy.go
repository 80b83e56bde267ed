// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/solekey/solekey/protocol"
)

// Limits of a policy.
const (
	MaxPolicy    = 192 << 10 // bytes of the text
	MaxWitnesses = 64
	MaxGroups    = 64
)

// Policy says which log is meant and whose cosignatures make one of its
// checkpoints count.
//
// Growth: the text form is tlog-policy's and gets no lines of ours. A line that
// is not known is refused, because it might have meant a stricter quorum.
type Policy struct {
	log       *LogKey
	logURL    string
	witnesses []PolicyWitness
	groups    []group
	quorum    string
}

// PolicyWitness is a witness as a policy names it.
type PolicyWitness struct {
	Name string // in the policy; it need not be the key's
	Key  *WitnessKey
	URL  string // where it is asked; may be empty
}

// group counts as having cosigned when at least threshold of its members have.
type group struct {
	name      string
	threshold int
	members   []string
}

// noQuorum is the name that asks for no cosignature.
const noQuorum = "none"

// ParsePolicy reads a policy. It must name exactly one log.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, protocol.Errorf(protocol.KindUntrusted, "policy has %d bytes, more than %d", len(text), MaxPolicy)
	}
	for _, b := range text {
		if b < 0x20 && b != '\t' && b != '\n' || b == 0x7f {
			return nil, protocol.Errorf(protocol.KindUntrusted, "policy holds the control character %#02x", b)
		}
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return nil, protocol.Errorf(protocol.KindUntrusted, "policy does not end in a newline")
	}
	r := policyReader{names: map[string]bool{noQuorum: true}, member: map[string]bool{}, keys: map[string]bool{}}
	for i, l := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		fields := strings.FieldsFunc(l, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if err := r.line(fields); err != nil {
			return nil, protocol.Wrap(protocol.KindOf(err), err, "policy, line %d", i+1)
		}
	}
	switch {
	case r.log == nil:
		return nil, protocol.Errorf(protocol.KindUntrusted, "policy names no log")
	case r.quorum == "":
		return nil, protocol.Errorf(protocol.KindUntrusted, "policy has no quorum line")
	}
	return &r.Policy, nil
}

// policyReader holds what the lines so far defined.
type policyReader struct {
	Policy
	names  map[string]bool // defined, with "none"
	member map[string]bool // listed in a group
	keys   map[string]bool // public keys of witnesses
}

func (r *policyReader) line(fields []string) error {
	switch fields[0] {
	case "log":
		return r.logLine(fields[1:])
	case "witness":
		return r.witnessLine(fields[1:])
	case "group":
		return r.groupLine(fields[1:])
	case "quorum":
		return r.quorumLine(fields[1:])
	}
	return protocol.Errorf(protocol.KindUntrusted, "%.32q is not log, witness, group or quorum", fields[0])
}

func (r *policyReader) logLine(fields []string) error {
	if len(fields) < 1 || len(fields) > 2 {
		return protocol.Errorf(protocol.KindUntrusted, "want: log KEY [URL]")
	}
	if r.log != nil {
		return protocol.Errorf(protocol.KindUntrusted, "a second log: a policy is for one")
	}
	key, err := ParseLogKey(fields[0])
	if err != nil {
		return err
	}
	r.log = key
	if len(fields) == 2 {
		r.logURL = fields[1]
	}
	return nil
}

func (r *policyReader) witnessLine(fields []string) error {
	if len(fields) < 2 || len(fields) > 3 {
		return protocol.Errorf(protocol.KindUntrusted, "want: witness NAME KEY [URL]")
	}
	if len(r.witnesses) == MaxWitnesses {
		return protocol.Errorf(protocol.KindUntrusted, "more than %d witnesses", MaxWitnesses)
	}
	key, err := ParseWitnessKey(fields[1])
	if err != nil {
		return err
	}
	// One key under two names would count twice: an Ed25519 cosignature by the one
	// can be copied to the other.
	if r.keys[string(key.vkey.key)] {
		return protocol.Errorf(protocol.KindUntrusted, "witness %s has the key of another", fields[0])
	}
	r.keys[string(key.vkey.key)] = true
	w := PolicyWitness{Name: fields[0], Key: key}
	if len(fields) == 3 {
		w.URL = fields[2]
	}
	r.witnesses = append(r.witnesses, w)
	return r.define(w.Name)
}

func (r *policyReader) groupLine(fields []string) error {
	if len(fields) < 3 {
		return protocol.Errorf(protocol.KindUntrusted, "want: group NAME all|any|NUMBER MEMBER...")
	}
	if len(r.groups) == MaxGroups {
		return protocol.Errorf(protocol.KindUntrusted, "more than %d groups", MaxGroups)
	}
	g := group{name: fields[0], members: fields[2:]}
	for _, m := range g.members {
		if m == noQuorum || !r.names[m] {
			return protocol.Errorf(protocol.KindUntrusted, "group %s has the member %s, which is not defined before it", g.name, m)
		}
		if r.member[m] {
			return protocol.Errorf(protocol.KindUntrusted, "%s is a member of a group for the second time", m)
		}
		r.member[m] = true
	}
	switch fields[1] {
	case "all":
		g.threshold = len(g.members)
	case "any":
		g.threshold = 1
	default:
		k, err := parseNumber(fields[1], uint64(len(g.members)))
		if err != nil || k == 0 {
			return protocol.Errorf(protocol.KindUntrusted, "group %s asks for %.32s of %d members", g.name, fields[1], len(g.members))
		}
		g.threshold = int(k)
	}
	r.groups = append(r.groups, g)
	return r.define(g.name)
}

func (r *policyReader) quorumLine(fields []string) error {
	if len(fields) != 1 {
		return protocol.Errorf(protocol.KindUntrusted, "want: quorum NAME")
	}
	if r.quorum != "" {
		return protocol.Errorf(protocol.KindUntrusted, "a second quorum line")
	}
	if !r.names[fields[0]] {
		return protocol.Errorf(protocol.KindUntrusted, "quorum %s is not defined before it", fields[0])
	}
	r.quorum = fields[0]
	return nil
}

func (r *policyReader) define(name string) error {
	if r.names[name] {
		return protocol.Errorf(protocol.KindUntrusted, "the name %s is taken", name)
	}
	r.names[name] = true
	return nil
}

// String returns the policy's text without comments, one blank between words and
// thresholds as numbers.
func (p *Policy) String() string {
	var b bytes.Buffer
	write := func(words ...string) {
		b.WriteString(strings.TrimSuffix(strings.Join(words, " "), " ") + "\n")
	}
	write("log", p.log.String(), p.logURL)
	for _, w := range p.witnesses {
		write("witness", w.Name, w.Key.String(), w.URL)
	}
	for _, g := range p.groups {
		write(slices.Concat([]string{"group", g.name, strconv.Itoa(g.threshold)}, g.members)...)
	}
	write("quorum", p.quorum)
	return b.String()
}

// Log returns the key of the policy's one log.
func (p *Policy) Log() *LogKey { return p.log }

// LogURL returns where the log is read; it may be empty.
func (p *Policy) LogURL() string { return p.logURL }

// Witnesses returns all that the policy names, in its order.
func (p *Policy) Witnesses() []PolicyWitness { return slices.Clone(p.witnesses) }

// NeedsWitness reports whether the policy asks for any cosignature at all.
func (p *Policy) NeedsWitness() bool { return p.quorum != noQuorum }

// Witnessed is a checkpoint that a policy accepted.
type Witnessed struct {
	Checkpoint
	// Time is the largest T such that the quorum holds by cosignatures not older
	// than T: as of then, the quorum knew of nothing newer. It is 0 where the
	// policy asks for none.
	Time protocol.Time
	// Cosigners are the names, in the policy, of all witnesses that cosigned.
	Cosigners []string
}

// QuorumError says that the log signed a checkpoint that not enough witnesses
// cosigned. Until they do it is not to be used; it proves no wrong.
type QuorumError struct {
	Checkpoint Checkpoint
	Cosigners  []string // those that did cosign, by their names in the policy
	Quorum     string   // the name of the quorum in the policy
}

// Error says which cosignatures there are.
func (e *QuorumError) Error() string {
	have := "nobody"
	if len(e.Cosigners) > 0 {
		have = strings.Join(e.Cosigners, ", ")
	}
	return "checkpoint of size " + strconv.FormatUint(e.Checkpoint.Size, 10) + " is cosigned by " + have + ", which is not the quorum " + strconv.Quote(e.Quorum)
}

// Verify returns the checkpoint in a note if the policy's log signed it and the
// quorum cosigned it. All signatures by keys of the policy must hold; others are
// passed over; several by one key count once, by the newest. An error that wraps a
// *QuorumError says that only cosignatures are missing.
func (p *Policy) Verify(raw []byte) (Witnessed, error) {
	n, err := parseNote(raw)
	if err != nil {
		return Witnessed{}, err
	}
	c, err := p.log.verify(n)
	if err != nil {
		return Witnessed{}, err
	}
	w := Witnessed{Checkpoint: c}
	times := map[string]protocol.Time{}
	for _, member := range p.witnesses {
		at, err := member.Key.verify(n, c)
		if err != nil {
			return Witnessed{}, err
		}
		if at > 0 {
			times[member.Name] = at
			w.Cosigners = append(w.Cosigners, member.Name)
		}
	}
	if !p.NeedsWitness() {
		return w, nil
	}
	if w.Time = p.quorumTime(times); w.Time == 0 {
		return Witnessed{}, protocol.Errorf(protocol.KindUntrusted, "%w", &QuorumError{c, w.Cosigners, p.quorum})
	}
	return w, nil
}

// quorumTime returns the largest T such that the quorum holds by what is in times
// and not older than T, and 0 if it does not hold. A group's is the one that is
// as many from the newest as the group's threshold; groups stand after their
// members.
func (p *Policy) quorumTime(times map[string]protocol.Time) protocol.Time {
	for _, g := range p.groups {
		var of []protocol.Time
		for _, m := range g.members {
			of = append(of, times[m])
		}
		slices.SortFunc(of, func(a, b protocol.Time) int { return int(min(max(b-a, -1), 1)) })
		times[g.name] = of[g.threshold-1]
	}
	return times[p.quorum]
}

// Satisfied reports whether the witnesses that have make up the quorum.
func (p *Policy) Satisfied(have func(PolicyWitness) bool) bool {
	times := map[string]protocol.Time{}
	for _, w := range p.witnesses {
		if have(w) {
			times[w.Name] = 1
		}
	}
	return !p.NeedsWitness() || p.quorumTime(times) > 0
}
