package ftpd

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
)

// act is what a session does for some time: a transfer, or a long list.
type act struct {
	action hosting.TransferAction
	path   string
	begun  time.Time
	bytes  func() int64 // moved so far; may be called from any goroutine

	mu     sync.Mutex // guards the last look at it, from which the speed is told
	looked time.Time
	seen   int64
	speed  int64
}

// lookPause is the least time between two looks that a speed is told from.
const lookPause = time.Second

// progress is how many bytes the act has moved, and how fast it does.
func (a *act) progress(now time.Time) (bytes, speed int64) {
	bytes = a.bytes()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.looked.IsZero() {
		a.looked = a.begun
	}
	if d := now.Sub(a.looked); d >= lookPause {
		a.speed = int64(float64(bytes-a.seen) / d.Seconds())
		a.looked, a.seen = now, bytes
	}
	return bytes, max(a.speed, 0)
}

// busy says what the session does from now on; the function that it returns
// ends that. bytes may be called from any goroutine meanwhile.
func (v *visit) busy(action hosting.TransferAction, path string, bytes func() int64) (done func()) {
	a := &act{action: action, path: path, begun: time.Now(), bytes: bytes}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.acts = append(v.acts, a)
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.acts = slices.DeleteFunc(v.acts, func(b *act) bool { return a == b })
		v.rested = time.Now()
	}
}

// live is the session as it is now.
func (v *visit) live(protocol hosting.Protocol, now time.Time) hosting.LiveSession {
	const longest = 1024
	l := hosting.LiveSession{ID: v.id, Protocol: protocol, Source: v.peer.Addr().String(), Since: v.begun}
	v.mu.Lock()
	if v.grant != nil {
		l.Login, l.AccountID = v.grant.name, v.grant.account
	}
	l.Begun = v.rested
	var current *act
	if n := len(v.acts); n > 0 { // of several at once, the last that began
		current = v.acts[n-1]
	}
	v.mu.Unlock()
	if current == nil {
		return l
	}
	l.Action, l.Path, l.Begun = current.action, hosting.Visible(current.path, longest), current.begun
	l.Bytes, l.Speed = current.progress(now)
	return l
}

// liveHandlers let the panel see the sessions and end one.
func (srv *server) liveHandlers(link *ftplink.Server) {
	link.Handle("GET /sessions", hosting.FTPRead, srv.listSessions)
	link.Handle("POST /sessions/{id}/end", hosting.FTPRead, srv.endSession)
}

// maySee reports whether an actor may see a session. One without a login is for
// those who may see all.
func maySee(actor hosting.Actor, l hosting.LiveSession) bool {
	return actor.Scope(hosting.FTPRead).Has(l.AccountID)
}

func (srv *server) listSessions(w http.ResponseWriter, r ftplink.Request) error {
	now := time.Now()
	found := []hosting.LiveSession{}
	for _, s := range srv.visitors() {
		if l := s.base().live(s.protocol(), now); maySee(r.Actor, l) {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b hosting.LiveSession) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return ftplink.Answer(w, found)
}

// visitors are the sessions on the books now.
func (srv *server) visitors() []visitor {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	list := make([]visitor, 0, len(srv.sessions))
	for s := range srv.sessions {
		list = append(list, s)
	}
	return list
}

// endSession ends a session. The store says whether the actor may, and notes
// it, before anything is done.
func (srv *server) endSession(w http.ResponseWriter, r ftplink.Request) error {
	id, now := r.ID("id"), time.Now()
	for _, s := range srv.visitors() {
		v := s.base()
		if v.id != id {
			continue
		}
		l := s.base().live(s.protocol(), now)
		if !maySee(r.Actor, l) {
			break
		}
		if err := srv.cfg.Store.NoteSessionEnd(r.Context(), r.Actor, l); err != nil {
			return err
		}
		v.ended.Store(true)
		s.revoke()
		// A client that does not read its goodbye is cut.
		time.AfterFunc(srv.limits.recheck, s.kick)
		return ftplink.Answer(w, l)
	}
	return hosting.Refuse(hosting.NotFound, "", "sessions.not_found")
}
