// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// When doctor complains about a running server's log.
const (
	staleRoot   = 2*time.Hour + 10*time.Minute // a root comes every hour
	staleCosign = 3 * time.Hour
	longWait    = 10 * time.Minute
)

// checkLog looks after the log and its witnesses. Running says whether the server
// does: of one that is stopped nothing is expected to be fresh.
func (s *site) checkLog(ctx context.Context, now time.Time, running bool) ([]problem, error) {
	st, err := s.logState(ctx)
	if err != nil {
		return nil, err
	}
	var list []problem
	add := func(kind protocol.Kind, format string, args ...any) {
		list = append(list, problem{kind, fmt.Sprintf(format, args...)})
	}
	if st.Refusal != "" {
		add(protocol.KindUntrusted, "the public log stands still: %s", st.Refusal)
	}
	if st.Rejected > 0 {
		add(protocol.KindInternal, "the log's rules refused %d entries that had been acknowledged; please report it", st.Rejected)
	}
	if floor, err := floorFile(filepath.Join(s.dir, floorName)).Floor(ctx); err != nil {
		return nil, err
	} else if ahead := floor.Std().Sub(now); ahead > time.Minute {
		add(protocol.KindInternal, "the clock of this machine is %s behind what the server said before; set it", ahead.Round(time.Second))
	}
	if running {
		list = append(list, st.late(now)...)
	}
	return append(list, s.askWitnesses(ctx)...), nil
}

// late names what is older than it would be if all went well.
func (st *logState) late(now time.Time) []problem {
	var list []problem
	add := func(kind protocol.Kind, format string, args ...any) {
		list = append(list, problem{kind, fmt.Sprintf(format, args...)})
	}
	if st.Size > 0 && now.Sub(st.Newest) > staleRoot {
		add(protocol.KindInternal, "the public log lags: its newest root that devices see is from %s; see the server's messages", age(now, st.Newest))
	}
	if st.Waiting > 0 && now.Sub(st.Oldest) > longWait {
		add(protocol.KindInternal, "%d acknowledged changes wait for the public log, the first came %s; a server that was started anew waits for its witnesses: see its messages",
			st.Waiting, age(now, st.Oldest))
	}
	for _, one := range st.Worlds {
		if one.Demands && now.Sub(one.Witnessed) > staleCosign {
			add(protocol.KindUnreachable, "too few witnesses of the world %s cosigned lately: the newest checkpoint that its devices take is from %s; after %d h they take no new devices or contacts",
				one.World.String()[:8], age(now, one.Witnessed), int(time.Duration(directory.HardAge).Hours()))
		}
	}
	for _, w := range st.Witnesses {
		if w.Demanded && st.Worlds[0].Published > 0 && now.Sub(w.Cosigned) > staleCosign {
			add(protocol.KindUnreachable, "witness %s lags: it cosigned last %s", w.Name, age(now, w.Cosigned))
		}
	}
	return list
}

// unwatched says what is missing that no outage explains; it is no fault.
func (s *site) unwatched() string {
	policy := s.worlds.newest().Policy()
	if !policy.NeedsWitness() {
		return "no witness watches the public log: that what devices see is the newest, and the same for all, rests on this server's word; add one with: solekeyd up --witness URL"
	}
	if s.auditing(policy) == 0 {
		return "no witness that recomputes the directory is named: whether its roots are right rests on this server's word"
	}
	return ""
}

// auditing counts the keys of a policy that belong to auditing witnesses.
func (s *site) auditing(policy *tlog.Policy) int {
	n := 0
	for _, member := range policy.Witnesses() {
		if slices.ContainsFunc(s.worlds.Witnesses, func(w witness) bool { return w.Auditing && slices.Contains(w.Keys, member.Key.String()) }) {
			n++
		}
	}
	return n
}

// askWitnesses looks whether the witnesses that any device demands answer, with
// the keys that were pinned.
func (s *site) askWitnesses(ctx context.Context) []problem {
	pinned := map[string][]string{}
	for _, world := range s.worlds.parsed {
		for _, member := range world.Policy().Witnesses() {
			if member.URL != "" {
				pinned[member.URL] = append(pinned[member.URL], member.Key.String())
			}
		}
	}
	var list []problem
	for _, at := range slices.Sorted(maps.Keys(pinned)) {
		shown, _, err := fetchKeys(ctx, at, s.keys.log.log.Public().Origin())
		switch {
		case protocol.KindOf(err) == protocol.KindUnreachable:
			list = append(list, problem{protocol.KindUnreachable, fmt.Sprintf("the witness at %s does not answer", at)})
		case err != nil || !slices.ContainsFunc(shown, func(key string) bool { return slices.Contains(pinned[at], key) }):
			list = append(list, problem{protocol.KindInternal, fmt.Sprintf("the witness at %s shows other keys than those that devices know: its cosignatures do not count", at)})
		}
	}
	return list
}
