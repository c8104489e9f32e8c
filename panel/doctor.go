package panel

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"time"

	"cancale/internal/config"
	"cancale/views"
)

// showDoctor is GET /admin/doctor: what the last self-check found.
func (s *server) showDoctor(r *Request) error {
	report, err := config.ReadReport(s.conf.Layout)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.page(func(p views.Page) error { return r.Render(views.DoctorPage(p, views.DoctorParams{Report: report})) })
}

const (
	// lookLimit is how long a person waits for a new self-check.
	lookLimit = 10 * time.Second
	lookEvery = 50 * time.Millisecond
)

// runDoctor is POST /admin/doctor: it asks the supervisor for a look at the
// installation. The panel itself cannot see the machine.
func (s *server) runDoctor(r *Request) error {
	before, err := config.ReadReport(s.conf.Layout)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	conn, err := new(net.Dialer).DialContext(r.Context(), "unixgram", s.conf.Layout.ReportSocket())
	if err != nil {
		s.logFailure(r.echo, "self-check", err)
		r.Flash("doctor.unreachable")
		return r.Redirect("/admin/doctor")
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(lookEvery)) // a full queue is a question, too
	_, _ = conn.Write([]byte{1})
	ctx, cancel := context.WithTimeout(r.Context(), lookLimit)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if now, err := config.ReadReport(s.conf.Layout); err == nil && now.At.After(before.At) {
			r.Flash("doctor.done")
			return r.Redirect("/admin/doctor")
		}
		select {
		case <-ctx.Done():
			r.Flash("doctor.under_way")
			return r.Redirect("/admin/doctor")
		case <-tick.C:
		}
	}
}
