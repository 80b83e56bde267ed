// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// MaxWorldSize bounds the bytes of an encoded world.
const MaxWorldSize = tlog.MaxPolicy + 1024

// World is what a device joined with and believes from then on: which log is
// meant, the keys that its first entry names, and whose cosignatures make one of
// its checkpoints count. It is immutable and safe for concurrent use.
type World struct {
	f      worldFields
	policy *tlog.Policy
	raw    []byte
}

// worldFields are a world as it travels.
//
// Growth: a field is only ever added with a new format version; a reader refuses
// a version or field that it does not know, because it might be one that makes
// a checkpoint count less.
type worldFields struct {
	Version   uint64        `cbor:"1,keyasint"`
	Log       string        `cbor:"2,keyasint"` // vkey
	VRF       vrf.Key       `cbor:"3,keyasint"`
	Statement statement.Key `cbor:"4,keyasint"`
	Policy    string        `cbor:"5,keyasint"` // tlog-policy, as tlog.Policy.String writes it
}

// NewWorld returns the world of the policy's log.
func NewWorld(policy *tlog.Policy, key vrf.Key, statements statement.Key) (*World, error) {
	return ParseWorld(canonical.MustMarshal(&worldFields{
		Version: protocol.FormatVersion, Log: policy.Log().String(), VRF: key, Statement: statements, Policy: policy.String(),
	}))
}

// ParseWorld reads a world: its policy must be about its log. Whether it is the
// one that is meant is for Hash to say: compare it with what came by a way that
// the provider does not control.
func ParseWorld(raw []byte) (*World, error) {
	var f worldFields
	if v, ok := canonical.Version(raw); ok && v != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse world: version %d is not known here", v)
	}
	if err := canonical.Unmarshal(raw, MaxWorldSize, &f); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse world")
	}
	policy, err := tlog.ParsePolicy([]byte(f.Policy))
	if err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), err, "parse world")
	}
	if policy.Log().String() != f.Log || policy.String() != f.Policy {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse world: its policy is of another log, or not in the one form")
	}
	origin := Origin{VRF: f.VRF, Statement: Key(f.Statement)}
	if err := origin.check(); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse world")
	}
	return &World{f: f, policy: policy, raw: append([]byte(nil), raw...)}, nil
}

// Bytes returns the encoding, which must not be changed.
func (w *World) Bytes() []byte { return w.raw }

// Hash returns what stands for the world where there is no room for it.
func (w *World) Hash() protocol.Hash { return hash("solekey/v1/world", w.raw) }

// Policy returns whose cosignatures are demanded.
func (w *World) Policy() *tlog.Policy { return w.policy }

// Log returns the key of the log.
func (w *World) Log() *tlog.LogKey { return w.policy.Log() }

// VRF returns the key that gives the indexes of names.
func (w *World) VRF() vrf.Key { return w.f.VRF }

// Statements returns the key that verifies what the provider states.
func (w *World) Statements() statement.Key { return w.f.Statement }

// origin returns what the log's entry 0 must say.
func (w *World) origin() Origin { return Origin{VRF: w.f.VRF, Statement: Key(w.f.Statement)} }
