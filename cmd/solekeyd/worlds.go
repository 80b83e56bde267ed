// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// worldsName is the file of the key folder with what devices joined with. It is no
// secret, but like a key it cannot be made again: devices that joined hold on to
// the world of their day, and ask for it by its hash.
const worldsName = "worlds.json"

// worlds is that file: every world that invites ever named, and every witness that
// was ever configured.
type worlds struct {
	Version   int       `json:"version"`
	Worlds    [][]byte  `json:"worlds"` // newest first; new invites name the first
	Witnesses []witness `json:"witnesses"`

	parsed []*directory.World
}

// witness is a witness as it was pinned, once and for all: what it answers later
// changes nothing.
type witness struct {
	URL      string   `json:"url"`
	Keys     []string `json:"keys"`     // vkeys
	Auditing bool     `json:"auditing"` // it recomputes the directory before it cosigns
}

const worldsVersion = 1

// openWorlds reads the file; with create it makes the first world, which demands
// no witness.
func openWorlds(dir string, create bool, keys *logKeys) (*worlds, error) {
	path := filepath.Join(dir, worldsName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		w := &worlds{Version: worldsVersion}
		if _, err := w.begin(keys, policyText(keys, nil)); err != nil {
			return nil, err
		}
		return w, w.save(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, protocol.Errorf(protocol.KindNotFound, "%s is missing; restore it from a backup, devices hold on to what it says", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read worlds: %w", err)
	}
	var w worlds
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, damagedWorlds(path)
	}
	if w.Version != worldsVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "%s was written by a newer version", path)
	}
	return &w, w.parse(path, keys)
}

func damagedWorlds(path string) error {
	return protocol.Errorf(protocol.KindUntrusted, "%s is damaged; restore it from a backup", path)
}

// parse reads the worlds, which must be of this server's keys.
func (w *worlds) parse(path string, keys *logKeys) error {
	for _, raw := range w.Worlds {
		world, err := directory.ParseWorld(raw)
		if err != nil {
			return damagedWorlds(path)
		}
		if world.Log().String() != keys.log.Public().String() || world.VRF() != keys.vrf.Public() || world.Statements() != keys.statement.Public() {
			return protocol.Errorf(protocol.KindUntrusted, "%s is of another server than the keys beside it; restore all of the folder from one backup", path)
		}
		w.parsed = append(w.parsed, world)
	}
	if len(w.parsed) == 0 {
		return damagedWorlds(path)
	}
	return nil
}

func (w *worlds) save(dir string) error {
	data, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return fmt.Errorf("write worlds: %w", err)
	}
	return writeFile(filepath.Join(dir, worldsName), append(data, '\n'))
}

// newest is the world that new invites name.
func (w *worlds) newest() *directory.World { return w.parsed[0] }

// begin lets new devices join under a policy, and reports whether that is another
// one than before. Worlds of before stay: their devices go on.
func (w *worlds) begin(keys *logKeys, text string) (bool, error) {
	policy, err := tlog.ParsePolicy([]byte(text))
	if err != nil {
		return false, protocol.Wrap(protocol.KindUsage, err, "policy of witnesses")
	}
	if policy.Log().String() != keys.log.Public().String() {
		return false, protocol.Errorf(protocol.KindUsage, "the policy is for the log %s, this server's is %s", policy.Log().Origin(), keys.log.Public())
	}
	world, err := directory.NewWorld(policy, keys.vrf.Public(), keys.statement.Public())
	if err != nil {
		return false, err
	}
	if n := len(world.Bytes()); n > api.MaxWorld {
		return false, protocol.Errorf(protocol.KindUsage, "the policy makes a world of %d bytes, at most %d fit into a recovery box: name fewer witnesses", n, api.MaxWorld)
	}
	if len(w.parsed) > 0 && w.parsed[0].Hash() == world.Hash() {
		return false, nil
	}
	known := slices.IndexFunc(w.parsed, func(old *directory.World) bool { return old.Hash() == world.Hash() })
	if known >= 0 {
		w.Worlds, w.parsed = slices.Delete(w.Worlds, known, known+1), slices.Delete(w.parsed, known, known+1)
	}
	w.Worlds, w.parsed = slices.Insert(w.Worlds, 0, world.Bytes()), slices.Insert(w.parsed, 0, world)
	return true, nil
}

// policyText is the policy, as tlog-policy has it, that demands the witnesses: more
// than half of those that audit, and more than half of those that only look
// whether the log was extended, where there are such. Several keys of one witness
// count as one.
func policyText(keys *logKeys, list []witness) string {
	p := policyWriter{names: map[string]bool{"none": true}}
	p.line("log", keys.log.Public().String())
	var auditing, extending []string
	for _, one := range list {
		member := p.witness(one)
		if one.Auditing {
			auditing = append(auditing, member)
		} else {
			extending = append(extending, member)
		}
	}
	var groups []string
	for _, part := range []struct {
		name    string
		members []string
	}{{"auditing", auditing}, {"extending", extending}} {
		if len(part.members) > 0 {
			groups = append(groups, p.group(part.name, len(part.members)/2+1, part.members))
		}
	}
	quorum := "none"
	if len(groups) > 0 {
		quorum = p.group("demanded", len(groups), groups)
	}
	p.line("quorum", quorum)
	return p.text.String()
}

// policyWriter writes a policy and gives everything in it a name of its own.
type policyWriter struct {
	text  strings.Builder
	names map[string]bool
}

func (p *policyWriter) line(words ...string) { p.text.WriteString(strings.Join(words, " ") + "\n") }

func (p *policyWriter) unique(name string) string {
	free := name
	for i := 2; p.names[free]; i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	p.names[free] = true
	return free
}

// group writes a group; a group of one is its member.
func (p *policyWriter) group(name string, demanded int, members []string) string {
	if len(members) == 1 {
		return members[0]
	}
	name = p.unique(name)
	p.line(append([]string{"group", name, fmt.Sprint(demanded)}, members...)...)
	return name
}

// witness writes a witness's keys, and returns the name that stands for any of them.
func (p *policyWriter) witness(w witness) string {
	var members []string
	for _, text := range w.Keys {
		name, _, _ := strings.Cut(text, "+")
		member := p.unique(name)
		p.line("witness", member, text, w.URL)
		members = append(members, member)
	}
	return p.group("keys-of-"+members[0], 1, members)
}
