// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/provider/statements"
)

// floorName is the file that keeps above which time nothing was signed yet.
const floorName = "statements.time"

// publicLog is the public log of a running server, and who signs what is newest.
type publicLog struct {
	*sequencer.Service
	signer *statements.Signer
}

// Sign signs what look finds, unless this is an older copy of the server.
func (l *publicLog) Sign(ctx context.Context, after protocol.Time, look func(context.Context) (statement.Statement, error)) ([]byte, error) {
	if err := l.MayState(ctx); err != nil {
		return nil, err
	}
	return l.signer.Sign(ctx, after, look)
}

// openLog opens the log, after the database has caught up with the blobs.
func (s *site) openLog(ctx context.Context, logger *slog.Logger) (*publicLog, error) {
	signer, err := statements.New(ctx, statements.Config{
		Log: s.keys.log.log.Public().ID(), Secret: s.keys.log.statement,
		Floor: floorFile(filepath.Join(s.dir, floorName)), Clock: clock.Now,
	})
	if err != nil {
		return nil, err
	}
	config := sequencer.DefaultConfig()
	config.Store, config.Key, config.VRF = s.records, s.keys.log.log, s.keys.log.vrf
	config.Worlds, config.Clock, config.Logger = s.worlds.parsed, clock.Now, logger
	service, err := sequencer.Open(ctx, config)
	return &publicLog{Service: service, signer: signer}, err
}

// floorFile is the path of a file that holds one time.
type floorFile string

// Floor returns what was stored last. A file that is gone is none: then the
// machine's clock is all there is to go by.
func (f floorFile) Floor(context.Context) (protocol.Time, error) {
	data, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the time of statements: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n < 0 {
		return 0, protocol.Errorf(protocol.KindUntrusted, "%s is damaged; write into it the time now, in nanoseconds since 1970", string(f))
	}
	return protocol.Time(n), nil
}

// Raise stores a higher time.
func (f floorFile) Raise(_ context.Context, to protocol.Time) error {
	return writeFile(string(f), []byte(strconv.FormatInt(int64(to), 10)+"\n"))
}

// witnessLine is what whoever runs a witness has to be given.
func (s *site) witnessLine(host string) string {
	return s.keys.log.log.Public().String() + "=https://" + host + "/v1/log"
}

// witnessed says at a start what the witnesses of new devices are worth.
func (p *program) witnessed(s *site, host string) {
	policy := s.worlds.newest().Policy()
	auditing := s.auditing(policy)
	line := s.witnessLine(host)
	object := map[string]any{
		"message_type": "status", "action": "witnesses", "witnesses": len(policy.Witnesses()), "demanded": policy.NeedsWitness(),
		"auditing": auditing, "log": line, "world": s.world(),
	}
	switch {
	case !policy.NeedsWitness():
		p.say(object, "No witness watches the public log. Devices notice when this server contradicts what they saw, but\n"+
			"that what they see is the newest, and the same for all, rests on its word. Give whoever runs a\n"+
			"witness this line, then start with --witness URL:\n  %s", line)
	case auditing == 0:
		p.say(object, "%d witness keys are known to new devices; none of them recomputes the directory. Whether its roots\n"+
			"are right rests on this server's word until an auditing witness is named.", len(policy.Witnesses()))
	default:
		p.say(object, "The public log is watched; devices that join demand the cosignature of an auditing witness.")
	}
}
