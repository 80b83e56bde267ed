// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/solekey/solekey/protocol"
)

// name writes a host into a certificate.
func name(template *x509.Certificate, host string) {
	bare := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		bare = h
	}
	if ip := net.ParseIP(strings.Trim(bare, "[]")); ip != nil {
		template.IPAddresses = []net.IP{ip}
		return
	}
	template.DNSNames = []string{bare}
}

// inviteHost returns the host and port that invites name: of --url, or of the
// address listened on, or this machine's address in its network.
func inviteHost(flag string, listening net.Addr) (string, error) {
	if flag != "" {
		return parseURL(flag)
	}
	host, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return "", protocol.Wrap(protocol.KindUsage, err, "address %s", listening)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ownAddress()
	}
	return net.JoinHostPort(host, port), nil
}

// parseURL returns host and port of https://HOST:PORT, also without the scheme.
func parseURL(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", protocol.Errorf(protocol.KindUsage, "--url: want https://HOST or https://HOST:PORT")
	}
	return strings.ToLower(u.Host), nil
}

// ownAddress is the first address that others may reach, IPv4 before IPv6.
func ownAddress() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "localhost"
	}
	best := "localhost"
	for _, address := range addresses {
		prefix, err := netip.ParsePrefix(address.String())
		if err != nil || !prefix.Addr().IsGlobalUnicast() {
			continue
		}
		if prefix.Addr().Is4() {
			return prefix.Addr().String()
		}
		if best == "localhost" {
			best = prefix.Addr().String()
		}
	}
	return best
}
