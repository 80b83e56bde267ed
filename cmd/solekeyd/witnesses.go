// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// witnessFlags are the flags that say whose cosignatures new devices demand.
type witnessFlags struct {
	witnesses []string
	auditing  []string
	policy    string
}

// noWitness is what --witness takes to demand none any more.
const noWitness = "none"

// Where a witness shows its keys, and how it says that it audits.
const (
	pathVKeys    = "/vkeys"
	auditingMark = "# mode: auditing"
	maxVKeys     = 64 << 10
	maxOfWitness = 4 // keys of one witness
)

// asked reports whether the flags say anything; else what was configured before
// stays.
func (f witnessFlags) asked() bool {
	return len(f.witnesses) > 0 || len(f.auditing) > 0 || f.policy != ""
}

// witness brings the worlds to what the flags say, and says what changed.
func (p *program) witness(ctx context.Context, s *site, f witnessFlags) error {
	if !f.asked() {
		return nil
	}
	text, pinned, err := s.worlds.policy(ctx, s.keys.log, f)
	if err != nil {
		return err
	}
	changed, err := s.worlds.begin(s.keys.log, text)
	if err != nil {
		return err
	}
	if !changed && len(pinned) == 0 {
		return nil
	}
	if err := s.worlds.save(s.keysDir()); err != nil {
		return err
	}
	for _, one := range pinned {
		p.say(map[string]any{"message_type": "status", "action": "witness-pinned", "url": one.URL, "keys": one.Keys, "auditing": one.Auditing},
			"Pinned the witness at %s, which %s:\n  %s", one.URL, one.does(), strings.Join(one.Keys, "\n  "))
	}
	if changed {
		p.say(map[string]any{"message_type": "status", "action": "world", "world": s.worlds.newest().Hash(), "policy": text},
			"Devices that join from now on demand these witnesses. Devices that joined before go on\n"+
				"demanding what they demanded, and invites that are still open keep what they named: for a new one\n"+
				"type solekeyd invite.")
	}
	return nil
}

func (w witness) does() string {
	if w.Auditing {
		return "recomputes the directory before it cosigns"
	}
	return "cosigns what extends the log"
}

// policy returns the text of the policy that the flags ask for, and the witnesses
// that are pinned for it.
func (w *worlds) policy(ctx context.Context, keys *logKeys, f witnessFlags) (string, []witness, error) {
	if f.policy != "" {
		if len(f.witnesses)+len(f.auditing) > 0 {
			return "", nil, protocol.Errorf(protocol.KindUsage, "--witness-policy says all of it: leave --witness and --witness-auditing away")
		}
		text, err := readPolicy(f.policy, keys)
		return text, nil, err
	}
	if len(f.witnesses) == 1 && f.witnesses[0] == noWitness && len(f.auditing) == 0 {
		return policyText(keys, nil), nil, nil
	}
	var list, pinned []witness
	for i, text := range slices.Concat(f.witnesses, f.auditing) {
		one, known, err := w.find(ctx, text, keys.log.Public().Origin())
		if err != nil {
			return "", nil, err
		}
		if i >= len(f.witnesses) && !one.Auditing {
			one.Auditing, known = true, false
		}
		if slices.ContainsFunc(list, func(other witness) bool { return other.URL == one.URL }) {
			return "", nil, protocol.Errorf(protocol.KindUsage, "the witness %s stands there twice", one.URL)
		}
		if !known {
			pinned = append(pinned, one)
		}
		list = append(list, one)
	}
	for _, one := range pinned {
		w.Witnesses = slices.DeleteFunc(w.Witnesses, func(old witness) bool { return old.URL == one.URL })
		w.Witnesses = append(w.Witnesses, one)
	}
	return policyText(keys, list), pinned, nil
}

// readPolicy reads a policy from a file; the line of the log may be missing.
func readPolicy(path string, keys *logKeys) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", protocol.Wrap(protocol.KindUsage, err, "read --witness-policy")
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == "log" {
			return string(data), nil
		}
	}
	return "log " + keys.log.Public().String() + "\n" + string(data), nil
}

// find returns the witness that a flag names: "URL", or "KEY... URL" with its
// keys. The keys behind a bare URL are those that were pinned, or what the witness
// shows the first time. It reports whether it was pinned before.
func (w *worlds) find(ctx context.Context, text, origin string) (witness, bool, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 || len(fields) > 1+maxOfWitness {
		return witness{}, false, wrongWitness(text)
	}
	one := witness{URL: strings.TrimRight(fields[len(fields)-1], "/"), Keys: fields[:len(fields)-1]}
	u, err := url.Parse(one.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return witness{}, false, wrongWitness(text)
	}
	for _, key := range one.Keys {
		if _, err := tlog.ParseWitnessKey(key); err != nil {
			return witness{}, false, protocol.Wrap(protocol.KindUsage, err, "--witness")
		}
	}
	at := slices.IndexFunc(w.Witnesses, func(old witness) bool { return old.URL == one.URL })
	if at >= 0 {
		old := w.Witnesses[at]
		if len(one.Keys) == 0 || slices.Equal(one.Keys, old.Keys) {
			return old, true, nil
		}
		one.Auditing = old.Auditing
	}
	if len(one.Keys) > 0 {
		return one, false, nil
	}
	one.Keys, one.Auditing, err = fetchKeys(ctx, one.URL, origin)
	return one, false, err
}

func wrongWitness(text string) error {
	return protocol.Errorf(protocol.KindUsage, "--witness %q: want the witness's URL, or its keys and its URL with blanks between", text)
}

// fetchKeys asks a witness for the keys that it cosigns a log with. Nothing
// vouches for the answer but the way it comes: so the first one is printed and kept.
func fetchKeys(ctx context.Context, at, origin string) ([]string, bool, error) {
	unreachable := func(err error) error {
		return protocol.Wrap(protocol.KindUnreachable, err, "the witness at %s does not show its keys; nothing was changed. Start without it, or name its keys as well: --witness 'KEY %s'", at, at)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at+pathVKeys+"?origin="+url.QueryEscape(origin), nil)
	if err != nil {
		return nil, false, wrongWitness(at)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, false, unreachable(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, false, unreachable(fmt.Errorf("it answers %s", answer.Status))
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxVKeys))
	if err != nil {
		return nil, false, unreachable(err)
	}
	return parseKeys(at, string(text))
}

// parseKeys reads what a witness shows: a key a line, and comments.
func parseKeys(at, text string) (keys []string, auditing bool, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == auditingMark:
			auditing = true
		case line == "" || strings.HasPrefix(line, "#"):
		default:
			if _, err := tlog.ParseWitnessKey(line); err != nil {
				return nil, false, protocol.Wrap(protocol.KindOf(err), err, "the witness at %s shows a key that is none", at)
			}
			keys = append(keys, line)
		}
	}
	if len(keys) == 0 || len(keys) > maxOfWitness {
		return nil, false, protocol.Errorf(protocol.KindUntrusted, "the witness at %s shows %d keys, 1 to %d expected", at, len(keys), maxOfWitness)
	}
	return keys, auditing, nil
}
