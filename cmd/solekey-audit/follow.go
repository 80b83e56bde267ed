// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/auditor"
	"github.com/solekey/solekey/watch/follow"
)

// followFlags are the flags of `follow`.
type followFlags struct {
	logFlags
	evidence string
	watch    bool
	every    time.Duration
	maxAge   time.Duration
	metrics  string
}

// logFlags say which log is meant, and where its state lies.
type logFlags struct {
	log    string
	policy string
	state  string
}

func (f *logFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.log, "log", "", "the log's key, NAME+ID+KEY, from somebody who joined")
	flags.StringVar(&f.policy, "policy", "", "file with the log and the witnesses to demand, as C2SP tlog-policy has it")
	flags.StringVar(&f.state, "state", "", "file with what was audited (default: one for each log, below XDG_STATE_HOME)")
}

// read returns the log's key and, where there is one, the policy.
func (f *logFlags) read() (*tlog.LogKey, *tlog.Policy, error) {
	if f.policy == "" && f.log == "" {
		return nil, nil, protocol.Errorf(protocol.KindUsage, "which log? --log wants its key, as a device that joined shows it, or --policy a file that names it")
	}
	if f.policy == "" {
		key, err := tlog.ParseLogKey(f.log)
		return key, nil, asUsage(err, "--log")
	}
	text, err := os.ReadFile(f.policy)
	if err != nil {
		return nil, nil, protocol.Wrap(protocol.KindUsage, err, "--policy")
	}
	policy, err := tlog.ParsePolicy(text)
	if err != nil {
		return nil, nil, asUsage(err, "--policy")
	}
	if f.log != "" && f.log != policy.Log().String() {
		return nil, nil, protocol.Errorf(protocol.KindUsage, "--log and --policy name different logs")
	}
	return policy.Log(), policy, nil
}

func asUsage(err error, what string) error { return protocol.Wrap(protocol.KindUsage, err, "%s", what) }

// file returns where the log's state lies.
func (f *logFlags) file(key *tlog.LogKey) (string, error) {
	if f.state != "" {
		return f.state, nil
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", protocol.Wrap(protocol.KindUsage, err, "where to keep what was audited? --state names a file")
		}
		dir = filepath.Join(home, ".local", "state")
	}
	id := key.ID()
	return filepath.Join(dir, "solekey-audit", hex.EncodeToString(id[:8])+".db"), nil
}

func (p *program) followCommand() *cobra.Command {
	var f followFlags
	cmd := &cobra.Command{
		Use: "follow [URL]", Short: "Hold a log to its rules, from its first entry or from where the last time ended", Args: terminal.AtMost(1, "one address of a log"),
		Long: "follow reads the log below URL up to its newest checkpoint and holds every entry to the\n" +
			"rules of spec/directory.md, every root to what the entries amount to, and every\n" +
			"checkpoint to the ones it saw before. It says what changed that people should know of:\n" +
			"names that are announced to be given away, policy statements, releases, how often each\n" +
			"custodian acted. What it knows lies in one file; the next time goes on there.\n\n" +
			"Something that does not hold ends it with exit code 20, in words, and with a file that\n" +
			"shows it to others where there can be one.",
		Example: "  solekey-audit follow https://cloud.example.org:8443/v1/log --log 'cloud.example.org+1b2c…'\n" +
			"  solekey-audit follow --policy world.policy --watch --metrics 127.0.0.1:9110",
		RunE: func(cmd *cobra.Command, args []string) error { return p.follow(cmd.Context(), f, args) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.evidence, "evidence", "", "folder for evidence (default: that of the state)")
	flags.BoolVar(&f.watch, "watch", false, "go on until something does not hold")
	flags.DurationVar(&f.every, "every", 10*time.Minute, "with --watch: how long to wait between two checkpoints")
	flags.DurationVar(&f.maxAge, "max-age", 24*time.Hour, "how old the newest root, and the demanded cosignatures, may be; 0 for any age")
	flags.StringVar(&f.metrics, "metrics", "", "with --watch: loopback address of metrics")
	return cmd
}

// follow wires the parts and runs one step, or one after the other.
func (p *program) follow(ctx context.Context, f followFlags, args []string) (err error) {
	key, policy, err := f.read()
	if err != nil {
		return err
	}
	if f.every <= 0 || f.maxAge < 0 {
		return protocol.Errorf(protocol.KindUsage, "--every and --max-age: not negative, please")
	}
	source, err := dial(policy, args)
	if err != nil {
		return err
	}
	defer source.Close()
	path, err := f.file(key)
	if err != nil {
		return err
	}
	if f.evidence == "" {
		f.evidence = filepath.Dir(path)
	}
	store, err := open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	a := auditor.New(auditor.Config{Log: key, Policy: policy, Source: source, Store: store, Clock: clock.Now, Event: p.event})
	if !f.watch {
		return p.step(ctx, a, f)
	}
	stop, err := p.serveMetrics(f.metrics, a.Metrics())
	if err != nil {
		return err
	}
	defer stop()
	return p.watch(ctx, a, f)
}

// dial returns the source that the command line, or else the policy, names.
func dial(policy *tlog.Policy, args []string) (*follow.Source, error) {
	switch {
	case len(args) == 1:
		return follow.Dial(args[0])
	case policy != nil && policy.LogURL() != "":
		return follow.Dial(policy.LogURL())
	}
	return nil, protocol.Errorf(protocol.KindUsage, "where is the log? An address like https://HOST:PORT/v1/log is needed")
}

// open opens the state, and makes it and its folder where they are missing.
func open(ctx context.Context, path string) (*follow.Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "make the folder of the state")
	}
	return follow.Open(ctx, path)
}

// watch steps until something does not hold or the program is stopped. A log that
// does not answer is asked again.
func (p *program) watch(ctx context.Context, a *auditor.Auditor, f followFlags) error {
	for {
		err := p.step(ctx, a, f)
		switch kind := protocol.KindOf(err); {
		case ctx.Err() != nil:
			return protocol.Errorf(protocol.KindInterrupted, "stopped; what was audited is kept")
		case kind == protocol.KindUnreachable || kind == protocol.KindTooOld:
			p.warn(err)
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(f.every):
		}
	}
}

// step runs one step and says how it ended.
func (p *program) step(ctx context.Context, a *auditor.Auditor, f followFlags) error {
	report, err := a.Step(ctx)
	var found *auditor.Finding
	if errors.As(err, &found) {
		return p.found(found, f.evidence)
	}
	if err != nil {
		return err
	}
	p.report(report)
	return tooOld(report, f.maxAge)
}

// tooOld refuses a log that stands still.
func tooOld(r *auditor.Report, limit time.Duration) error {
	if limit == 0 {
		return nil
	}
	now := clock.Now()
	if age := now.Sub(r.Time.Std()); age > limit {
		return protocol.Errorf(protocol.KindTooOld, "the newest root of the log is of %s, %s ago: what came since is not in it, or hidden", instant(r.Time), age.Round(time.Second))
	}
	if age := now.Sub(r.Witnessed.Std()); r.Witnessed != 0 && age > limit {
		return protocol.Errorf(protocol.KindTooOld, "the witnesses cosigned last on %s, %s ago", instant(r.Witnessed), age.Round(time.Second))
	}
	return nil
}

// found writes what was found, and its evidence into a file.
func (p *program) found(f *auditor.Finding, dir string) error {
	name, err := keep(f.Evidence, dir)
	if err != nil {
		return errors.Join(f, err)
	}
	if p.json {
		p.line(p.out, map[string]any{
			"message_type": "finding", "rule": f.Rule, "what": f.What, "by": f.By, "evidence": name, "without_evidence": f.Without,
		})
		return f
	}
	fmt.Fprintf(p.out, "Broken: %s.\n%s\n", f.Rule, f.What)
	if f.By != "" {
		fmt.Fprintf(p.out, "Signed by: %s\n", f.By)
	}
	if name == "" {
		fmt.Fprintf(p.out, "There is no file that shows it to others: %s.\n", f.Without)
		return f
	}
	fmt.Fprintf(p.out, "Evidence: %s\nAnybody can check it: solekey-audit evidence %s\n", name, name)
	return f
}

// keep writes evidence under a name that says what is in it, so that the same is
// written once.
func keep(evidence []byte, dir string) (string, error) {
	if evidence == nil {
		return "", nil
	}
	sum := sha256.Sum256(evidence)
	name := filepath.Join(dir, "evidence-"+hex.EncodeToString(sum[:8])+".txt")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", protocol.Wrap(protocol.KindInternal, err, "keep evidence")
	}
	if err := os.WriteFile(name, evidence, 0o644); err != nil {
		return "", protocol.Wrap(protocol.KindInternal, err, "keep evidence")
	}
	return name, nil
}
