// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// watcher is a witness as people see it.
type watcher struct {
	Name      string `json:"name"`
	Key       string `json:"key"`
	Algorithm string `json:"algorithm"`
	URL       string `json:"url,omitempty"`
	// Auditing says that it recomputes the directory before it cosigns, by what its
	// key or its group is called. Whether it does is its own word.
	Auditing bool `json:"auditing"`
	// AtServer says that it is reached under the provider's own address.
	AtServer bool   `json:"at_server"`
	Cosigned string `json:"cosigned,omitempty"` // the newest checkpoint that this device has

	at protocol.Time
}

// watchersOf returns the witnesses that a world knows, and what they did about a
// view, which may be nil.
func watchersOf(w *directory.World, v *directory.View, server string) []watcher {
	auditing := auditors(w.Policy())
	list := []watcher{}
	for _, member := range w.Policy().Witnesses() {
		one := watcher{
			Name: member.Name, Key: member.Key.String(), Algorithm: member.Key.Algorithm().String(), URL: member.URL,
			Auditing: auditing[member.Name], AtServer: sameHost(member.URL, server),
		}
		if v != nil {
			if at, is := member.Key.VerifyCosignature(v.Note()); is {
				one.at, one.Cosigned = at, at.String()
			}
		}
		list = append(list, one)
	}
	return list
}

// auditorSuffix ends the name of a key by which solekey-witness cosigns only what
// it recomputed.
const auditorSuffix = "/audit"

// auditors returns the names, in the policy, of those that recompute the directory:
// by the name of their key, or in the group that a provider puts them in.
func auditors(p *tlog.Policy) map[string]bool {
	is := map[string]bool{}
	for _, w := range p.Witnesses() {
		is[w.Name] = strings.HasSuffix(w.Key.Name(), auditorSuffix)
	}
	lines := strings.Split(p.String(), "\n")
	slices.Reverse(lines) // groups stand after their members
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) > 3 && words[0] == "group" && (words[1] == "auditing" || is[words[1]]) {
			for _, member := range words[3:] {
				is[member] = true
			}
		}
	}
	return is
}

// demandsAuditor reports whether no quorum comes about without an auditing witness.
func demandsAuditor(p *tlog.Policy) bool {
	auditing := auditors(p)
	return p.NeedsWitness() && !p.Satisfied(func(w tlog.PolicyWitness) bool { return !auditing[w.Name] })
}

// demandsOthers reports whether no quorum comes about by witnesses at the provider's
// own address alone.
func demandsOthers(p *tlog.Policy, server string) bool {
	return p.NeedsWitness() && !p.Satisfied(func(w tlog.PolicyWitness) bool { return sameHost(w.URL, server) })
}

// sameHost reports whether a URL leads to the machine of a host with a port.
func sameHost(address, server string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return false
	}
	host := server
	if name, _, err := net.SplitHostPort(server); err == nil {
		host = name
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), host) || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// lacks says what the witnesses that a device demands do not do, and what that
// costs; nothing where all is there.
func lacks(p *tlog.Policy, server string) (texts []string) {
	switch {
	case !p.NeedsWitness():
		return []string{"no witness is demanded: that what this device sees is the newest, and the same that everybody sees, rests on the provider's word. " +
			"What it saw once cannot be taken back unnoticed. Ask the provider for a witness that somebody else runs, then: solekey log quorum --offered"}
	case !demandsAuditor(p):
		texts = append(texts, "no auditing witness is demanded: that the log only grows is watched, and whether its directory is right rests on the provider's word "+
			"until an auditor looks. Ask the provider for an auditing witness, then: solekey log quorum --offered")
	}
	if !demandsOthers(p, server) {
		texts = append(texts, "the witnesses that are demanded run at the provider's own address: they watch it no better than it watches itself. "+
			"Ask for one that somebody else runs, then: solekey log quorum --offered")
	}
	return texts
}

// demandWords says in a line whose cosignatures a world demands.
func demandWords(w *directory.World) string {
	if !w.Policy().NeedsWitness() {
		return "no witness"
	}
	var names []string
	auditing := auditors(w.Policy())
	for _, one := range w.Policy().Witnesses() {
		name := one.Name
		if auditing[one.Name] {
			name += " (auditing)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ") + "; see solekey log quorum"
}
