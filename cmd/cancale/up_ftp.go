package main

import (
	"net"
	"net/url"
	"os"
	"slices"

	"cancale/ftpd"
)

// ftpPolicy is what an installation wants of its FTP service.
type ftpPolicy struct {
	TLS    ftpd.TLSPolicy `json:"tls"`    // as the certificate allows when empty, until settle
	Active bool           `json:"active"` // PORT and EPRT
}

// readFTPPolicy reads it from the environment.
func readFTPPolicy() (ftpPolicy, error) {
	var p ftpPolicy
	if text := os.Getenv("CANCALE_FTP_TLS"); text != "" {
		var err error
		if p.TLS, err = ftpd.ParseTLSPolicy(text); err != nil {
			return p, usage("up.ftp_tls_invalid", text)
		}
	}
	switch text := os.Getenv("CANCALE_FTP_ACTIVE"); text {
	case "", "no":
	case "yes":
		p.Active = true
	default:
		return p, usage("up.ftp_active_invalid", text)
	}
	return p, nil
}

// settle decides what was left open. lftp tries TLS by itself and then turns away
// from a certificate that nobody has signed, so one of our own making is not
// offered unless somebody says so.
func (p *ftpPolicy) settle(ownCertificate bool) {
	switch {
	case p.TLS != "":
	case ownCertificate:
		p.TLS = ftpd.TLSOff
	default:
		p.TLS = ftpd.TLSOffered
	}
}

// hosts are the names and addresses by which programs reach the installation.
func (p *ports) hosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if u, err := url.Parse(p.url()); err == nil && net.ParseIP(u.Hostname()) == nil && !slices.Contains(hosts, u.Hostname()) {
		hosts = append([]string{u.Hostname()}, hosts...)
	}
	if bound := p.bind.String(); !p.bind.IsUnspecified() && !slices.Contains(hosts, bound) {
		hosts = append(hosts, bound)
	}
	return hosts
}
