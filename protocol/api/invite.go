// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/solekey/solekey/protocol"
)

// Pin is the SHA-256 of a server's TLS SubjectPublicKeyInfo. The zero pin means
// that a public certificate authority vouches for the server's host name.
type Pin [32]byte

// InviteSecret is what makes an invite good for one account. It prints as
// hidden; Invite.URL and Invite.Code show it on purpose.
type InviteSecret [15]byte

// String hides the secret.
func (InviteSecret) String() string { return "(hidden)" }

// GoString hides the secret.
func (InviteSecret) GoString() string { return "(hidden)" }

// MarshalText hides the secret, so that no log or document carries it.
func (InviteSecret) MarshalText() ([]byte, error) { return []byte("(hidden)"), nil }

// Hash returns the form in which a server remembers an invite.
func (s InviteSecret) Hash() protocol.Hash {
	return sha256.Sum256(append([]byte("solekey/v1/invite\x00"), s[:]...))
}

// Invite is a single-use invitation to open an account: where the server is,
// how it is recognised, which world the new device joins, and the secret. Its one
// text form is the URL https://HOST:PORT/i/CODE.
//
// Without a secret it is a link for a further device of an account that is there:
// such a device learns its world from the device that approves it, or from the
// box under the recovery key, so that a link need not name one.
type Invite struct {
	Host   string // host, with the port where it is not 443
	Secret InviteSecret
	Pin    Pin
	World  protocol.Hash // of the log's keys and the demanded witnesses; see spec/directory.md
}

const (
	inviteVersion = 1
	inviteSize    = 1 + 15 + 32 + 32 + 4
	inviteSum     = inviteSize - 4
	invitePath    = "/i/"
	maxInviteURL  = 512
)

var inviteCode = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// GenerateInvite returns an invite with a new random secret.
func GenerateInvite(host string, pin Pin, world protocol.Hash) Invite {
	invite := Invite{Host: host, Pin: pin, World: world}
	_, _ = rand.Read(invite.Secret[:]) // crypto/rand.Read never fails
	return invite
}

// Code returns the last part of the URL; it shows the secret.
func (i Invite) Code() string {
	code := make([]byte, 0, inviteSize)
	code = append(code, inviteVersion)
	code = append(code, i.Secret[:]...)
	code = append(code, i.Pin[:]...)
	code = append(code, i.World[:]...)
	sum := sha256.Sum256(code)
	return inviteCode.EncodeToString(append(code, sum[:4]...))
}

// URL returns the invite as a user passes it on; it shows the secret.
func (i Invite) URL() string { return "https://" + i.Host + invitePath + i.Code() }

// Server returns the name under which a device and its server speak of the
// server when they sign: its pin, or its host where the pin is zero.
func (i Invite) Server() string { return ServerName(i.Host, i.Pin) }

// ServerName returns the name that Invite.Server gives for these values.
func ServerName(host string, pin Pin) string {
	if pin == (Pin{}) {
		return "host:" + host
	}
	return "pin:" + protocol.Hash(pin).String()
}

// ParseInvite returns the invite that text holds: a URL, or the content of a
// file with one, white space around it. It accepts only what URL prints, except
// that letters may be in upper case, as QR codes have them.
func ParseInvite(text string) (Invite, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxInviteURL {
		return Invite{}, protocol.Errorf(protocol.KindUsage, "invite: %d characters, at most %d allowed", len(text), maxInviteURL)
	}
	rest, https := strings.CutPrefix(strings.ToLower(text), "https://")
	host, code, path := strings.Cut(rest, invitePath)
	if !https || !path || !plainHost(host) {
		return Invite{}, protocol.Errorf(protocol.KindUsage, "invite: it does not have the form https://HOST:PORT/i/CODE")
	}
	invite, err := ParseInviteCode(code)
	invite.Host = host
	return invite, err
}

// plainHost reports whether a host, with or without a port, is made of what
// names and addresses are made of: nothing that a URL could hide more in.
func plainHost(host string) bool {
	if host == "" || len(host) > 260 {
		return false
	}
	for _, c := range host {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(".-:[]", c) {
			return false
		}
	}
	return true
}

// ParseInviteCode returns the invite of a code, without its host.
func ParseInviteCode(code string) (Invite, error) {
	raw, err := inviteCode.DecodeString(code)
	if err != nil || len(raw) != inviteSize {
		return Invite{}, protocol.Errorf(protocol.KindUsage, "invite: the code is incomplete or has a typing error")
	}
	if raw[0] != inviteVersion {
		return Invite{}, protocol.Errorf(protocol.KindUnsupported, "invite: version %d is newer than this program", raw[0])
	}
	var invite Invite
	copy(invite.Secret[:], raw[1:16])
	copy(invite.Pin[:], raw[16:48])
	copy(invite.World[:], raw[48:inviteSum])
	// The check sum finds typing errors; last bits that base32 does not use are
	// refused by comparing the whole text.
	if invite.Code() != code {
		return Invite{}, protocol.Errorf(protocol.KindUsage, "invite: the code is incomplete or has a typing error")
	}
	if invite.Secret != (InviteSecret{}) && invite.World.IsZero() {
		return Invite{}, protocol.Errorf(protocol.KindUsage, "invite: it names no public log, without which a new account proves nothing; ask for a new invite")
	}
	return invite, nil
}
