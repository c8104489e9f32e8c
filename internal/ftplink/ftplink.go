// Package ftplink is how the panel asks something of the FTP daemon, which
// alone can act on members' files, and of the agent, which alone can act on
// what databases hold: HTTP over a unix socket that only root and the panel
// reach. The daemon's parts add handlers to a Server; the panel asks through a
// Client.
//
// A request says who asks. The daemon looks that person up itself and refuses
// what they may not do, so that a mistake in a page of the panel opens nothing.
// Handlers take identifiers, never a uid or a path of the machine, and ask the
// store what these mean.
package ftplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"cancale/internal/hosting"
)

// Headers that say who asks. The name is believed of root alone.
const (
	personHeader = "Cancale-Person"
	behalfHeader = "Cancale-Behalf"
	systemHeader = "Cancale-System"
	sourceHeader = "Cancale-Source"
)

// failure is a refusal on the wire.
type failure struct {
	Kind    hosting.Kind    `json:"kind"`
	Field   string          `json:"field,omitempty"`
	Message hosting.Message `json:"message"`
}

// Request is what a handler gets: an HTTP request and who it is from.
type Request struct {
	*http.Request
	Actor hosting.Actor
}

// maxIn bounds what In reads.
const maxIn = 1 << 20

// In reads the JSON that the request brings.
func (r Request) In(v any) error {
	if err := json.NewDecoder(io.LimitReader(r.Body, maxIn)).Decode(v); err != nil {
		return fmt.Errorf("ftplink: a request of the panel: %w", err)
	}
	return nil
}

// ID is the part of the path with that name, 0 when it is no identifier.
func (r Request) ID(name string) uint64 {
	n, _ := strconv.ParseUint(r.PathValue(name), 10, 64)
	return n
}

// Answer sends v as JSON.
func Answer(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

// Server is the daemon's end.
type Server struct {
	actors Actors
	mux    *http.ServeMux
	begun  time.Time
}

// Actors tells what a person may do now; the store does.
type Actors interface {
	ActorOf(ctx context.Context, person hosting.PersonID, source string) (hosting.Actor, error)
	ActorInPlace(ctx context.Context, person hosting.PersonID, account hosting.AccountID, source string) (hosting.Actor, error)
}

// NewServer makes the daemon's end, with nothing but its state to ask for.
func NewServer(actors Actors) *Server {
	s := &Server{actors: actors, mux: http.NewServeMux(), begun: time.Now()}
	s.Handle("GET /status", hosting.SignedIn, func(w http.ResponseWriter, _ Request) error {
		return Answer(w, Status{PID: os.Getpid(), Since: s.begun})
	})
	return s
}

// Status is what the daemon says of itself.
type Status struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// Handle adds a handler under a pattern of http.ServeMux. Who does not hold the
// permission for any account never reaches it; for which account it is asked is
// the handler's to find out and to check, with the actor's scope.
//
// What a handler returns before it has written goes to the panel as it is when
// it is a refusal, and to the log when it is not.
func (s *Server) Handle(pattern string, need hosting.Permission, h func(http.ResponseWriter, Request) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		out := &answer{ResponseWriter: w}
		actor, err := s.actor(r)
		if err == nil && !actor.Can(need) {
			err = hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
		}
		if err == nil {
			err = h(out, Request{r, actor})
		}
		switch {
		case err == nil:
		case out.begun:
			slog.WarnContext(r.Context(), "ftplink: an answer broke off", slog.String("pattern", pattern), slog.Any("error", err))
			panic(http.ErrAbortHandler) // the panel must not take it for whole
		default:
			refuse(w, r, pattern, err)
		}
	})
}

// answer knows whether anything of it was sent.
type answer struct {
	http.ResponseWriter
	begun bool
}

func (a *answer) WriteHeader(status int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// refuse sends a refusal.
func refuse(w http.ResponseWriter, r *http.Request, pattern string, err error) {
	f := failure{Kind: hosting.Internal, Message: hosting.Msg("error.internal")}
	if e, ok := errors.AsType[*hosting.Error](err); ok && e.Kind != hosting.Internal {
		f = failure{e.Kind, e.Field, e.Message}
	} else if r.Context().Err() == nil {
		slog.ErrorContext(r.Context(), "ftplink", slog.String("pattern", pattern), slog.Any("error", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_ = json.NewEncoder(w).Encode(f)
}

// peerKey is where a request's context says which user connected.
type peerKey struct{}

// actor is who asks, with what they may do now.
func (s *Server) actor(r *http.Request) (hosting.Actor, error) {
	uid, known := r.Context().Value(peerKey{}).(uint32)
	source := r.Header.Get(sourceHeader)
	if name := r.Header.Get(systemHeader); name != "" && known && uid == 0 {
		return hosting.System(name), nil
	}
	person, err := strconv.ParseUint(r.Header.Get(personHeader), 10, 64)
	if err != nil || !known {
		return hosting.Actor{}, hosting.Refuse(hosting.Unauthenticated, "", "error.unauthenticated")
	}
	if place := r.Header.Get(behalfHeader); place != "" {
		account, err := strconv.ParseUint(place, 10, 64)
		if err != nil {
			return hosting.Actor{}, err
		}
		return s.actors.ActorInPlace(r.Context(), hosting.PersonID(person), hosting.AccountID(account), source)
	}
	return s.actors.ActorOf(r.Context(), hosting.PersonID(person), source)
}

// Limits of a connection. A body may take as long as it moves; that is the
// handler's to watch.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	drain         = 2 * time.Second
	maxHeader     = 32 << 10
)

// Serve answers until ctx ends, and closes the listener, which comes from
// Listen.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.mux, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if c, ok := c.(conn); ok {
				return context.WithValue(ctx, peerKey{}, c.uid)
			}
			return ctx
		},
	}
	stopped := make(chan struct{})
	done := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close()
		}
	})
	err := srv.Serve(l)
	if !done() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Query makes the values of a query: key, value, key, value.
func Query(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}
