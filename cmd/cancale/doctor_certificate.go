package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"cancale/internal/i18n"
)

// renewBefore is how long before its end a certificate is to be replaced.
const renewBefore = 14 * 24 * time.Hour

// certificate is the one that FTP shows: readable, with its own key, and not
// near its end.
func (d *doctor) certificate(ctx context.Context) {
	file, key := certificateFile(d.layout), keyFile(d.layout)
	pair, err := tls.LoadX509KeyPair(file, key)
	detail := file
	if err == nil {
		var leaf *x509.Certificate
		if leaf, err = x509.ParseCertificate(pair.Certificate[0]); err == nil {
			detail = i18n.T(ctx, "doctor.certificate_until", file, i18n.Date(ctx, leaf.NotAfter))
			if time.Until(leaf.NotAfter) < renewBefore {
				err = errors.New(detail)
			}
		}
	}
	d.note(ctx, "certificate.ftp", detail, err, "doctor.certificate", file, key)
}
