// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/vaults"
)

// signedIn lets a handler answer only with a session; where the path names an
// account, it is the session's.
func (s *Server) signedIn(handle func(http.ResponseWriter, *http.Request, accounts.Session) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !found {
			return unauthorized(w, protocol.Errorf(protocol.KindDenied, "this needs a session; sign in first"))
		}
		session, err := s.Accounts.Authenticate(r.Context(), token)
		if err != nil {
			return unauthorized(w, err)
		}
		if text := r.PathValue("account"); text != "" && text != session.Account.String() {
			return protocol.Errorf(protocol.KindDenied, "the session belongs to another account")
		}
		return handle(w, r, session)
	}
}

// unauthorized marks an answer that a new session may change.
func unauthorized(w http.ResponseWriter, err error) error {
	if protocol.KindOf(err) == protocol.KindDenied {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	return err
}

// call is a request of a member about a vault.
type call struct {
	device vaults.Device
	vault  protocol.VaultID
}

func (c call) place() vaults.Place {
	return vaults.Place{Account: c.device.Account, Vault: c.vault}
}

// inVault lets a handler answer only a member, about a vault of its account.
func (s *Server) inVault(handle func(http.ResponseWriter, *http.Request, call) error) func(http.ResponseWriter, *http.Request) error {
	return s.signedIn(func(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
		if session.Scope != api.ScopeMember {
			return protocol.Errorf(protocol.KindDenied, "this needs a session of a device, a password is not enough")
		}
		c := call{device: vaults.Device{Account: session.Account, Member: session.Member}}
		if err := pathID(r, "vault", &c.vault); err != nil {
			return err
		}
		return handle(w, r, c)
	})
}

// address returns what guesses are counted by: the client's address, for IPv6
// its /64, since one customer has a whole one.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		prefix, _ := ip.Prefix(64) // 64 bits always fit
		return prefix.String()
	}
	return ip.String()
}
