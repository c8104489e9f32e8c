// Package databases does what people ask of the content of their databases: it
// exports and imports files of SQL, and has tables checked. Its daemon's end is part of the agent; its other
// end is the client that the panel and the command line ask.
//
// What is to be done, and by whom, is a row of the store, written with its
// permission and its audit row by whoever asks; over the socket come only the
// number of that row and the bytes of a file. MariaDB's own clients do the work,
// in a sandbox that sees nothing but the server's socket, signed in as the
// database's own user by a password that lives as long as the work: a file of
// SQL can do no more than its member could. No password is on a command line, in
// a file or in a log.
package databases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"cancale/internal/config"
	"cancale/internal/driver/mariadb"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/reconcile"
	"cancale/internal/secret"
	"cancale/internal/store"
)

// Config is what the daemon's end needs.
type Config struct {
	Store  *store.NodeStore
	Layout config.Layout
	Driver *mariadb.Driver
	Socket string // MariaDB's; the layout's own when empty
	// Apply makes who may sign in to a database follow the store, now.
	Apply func(context.Context, hosting.DatabaseID) error
	// Adminer keeps Adminer ready to be asked. It may be nil.
	Adminer func(context.Context) error
	// Measure finds out how large a database is, and stops or frees its growth.
	Measure func(context.Context, hosting.DatabaseID) (hosting.DatabaseSize, error)
}

// Server is the daemon's end.
type Server struct {
	Config

	exports chan struct{}
	works   chan struct{}
	running sync.WaitGroup
	ctx     context.Context // of Run: works go on when whoever asked hangs up

	adminer sync.Mutex

	mu      sync.Mutex
	sending map[hosting.DatabaseWorkID]bool
}

// How much goes on at a time; exports beyond are refused, other works wait.
const (
	exportsAtOnce = 4
	worksAtOnce   = 2
)

// passesEvery is how soon a pass is taken off that could not be at its end.
const passesEvery = 10 * time.Second

// New makes a daemon's end.
func New(cfg Config) *Server {
	if cfg.Socket == "" {
		cfg.Socket = cfg.Layout.MariaDBSocket()
	}
	return &Server{
		Config: cfg, exports: make(chan struct{}, exportsAtOnce), works: make(chan struct{}, worksAtOnce),
		sending: map[hosting.DatabaseWorkID]bool{},
	}
}

// somebody asks: what for is in the store.
type somebody struct{}

func (somebody) ActorOf(_ context.Context, person hosting.PersonID, source string) (hosting.Actor, error) {
	return hosting.PersonActor(hosting.Person{ID: person}, nil, source, time.Now()), nil
}

func (a somebody) ActorInPlace(ctx context.Context, person hosting.PersonID, _ hosting.AccountID, source string) (hosting.Actor, error) {
	return a.ActorOf(ctx, person, source)
}

// Run answers until ctx ends, then waits for what it began, which ends with it.
func (s *Server) Run(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("databases: %w", err)
	}
	if err := ftplink.MakeDir(s.Layout.DatabasesSocket()); err != nil {
		return fmt.Errorf("databases: %w", err)
	}
	listener, err := ftplink.Listen(s.Layout.DatabasesSocket())
	if err != nil {
		return fmt.Errorf("databases: %w", err)
	}
	s.ctx = ctx
	link := ftplink.NewServer(somebody{})
	link.Handle("GET /works/{id}/export", hosting.SignedIn, s.export)
	link.Handle("PUT /works/{id}/file", hosting.SignedIn, s.receive)
	link.Handle("POST /works/{id}/run", hosting.SignedIn, s.begin)
	link.Handle("POST /passes/{id}/apply", hosting.SignedIn, s.applyPass)
	s.running.Go(func() { s.dropPasses(ctx) })
	err = link.Serve(ctx, listener)
	s.running.Wait()
	return err
}

// prepare ends what an agent before us left.
func (s *Server) prepare(ctx context.Context) error {
	dir := s.Layout.Dumps()
	if err := os.MkdirAll(filepath.Join(dir, emptyHome), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != emptyHome {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := s.Store.LoseWorks(ctx); err != nil {
		return err
	}
	return s.dropOld(ctx, true)
}

// emptyHome is the home of MariaDB's clients.
const emptyHome = "empty"

// spool is where the file of an import waits.
func (s *Server) spool(id hosting.DatabaseWorkID) string {
	return filepath.Join(s.Layout.Dumps(), strconv.FormatUint(uint64(id), 10)+".sql")
}

// work reads the work of a request, which must be of one of the kinds.
func (s *Server) work(r ftplink.Request, state hosting.DatabaseWorkState, kinds ...hosting.DatabaseWorkKind) (hosting.DatabaseWork, hosting.Database, error) {
	w, err := s.Store.Work(r.Context(), hosting.DatabaseWorkID(r.ID("id")))
	if err != nil {
		return w, hosting.Database{}, err
	}
	known := w.State == state
	for _, k := range kinds {
		if known && w.Kind == k {
			d, err := s.Store.Database(r.Context(), w.DatabaseID)
			return w, d, err
		}
	}
	return w, hosting.Database{}, hosting.Refuse(hosting.NotFound, "", "dbwork.not_found")
}

// begin is POST /works/{id}/run: a check begins when its turn has come.
func (s *Server) begin(w http.ResponseWriter, r ftplink.Request) error {
	work, _, err := s.work(r, hosting.DatabaseWorkWaiting, hosting.DatabaseWorkCheck, hosting.DatabaseWorkOptimize)
	if err != nil {
		return err
	}
	s.queue(work, s.check)
	return ftplink.Answer(w, struct{}{})
}

// applyPass is POST /passes/{id}/apply: a visit begins, or has just ended.
func (s *Server) applyPass(w http.ResponseWriter, r ftplink.Request) error {
	pass, err := s.Store.Pass(r.Context(), hosting.DatabasePassID(r.ID("id")))
	if err != nil {
		return err
	}
	// What was begun is finished, whoever hangs up.
	ctx := context.WithoutCancel(r.Context())
	if pass.SessionID == 0 || !pass.ExpiresAt.After(time.Now()) {
		return errors.Join(s.dropOld(ctx, false), ftplink.Answer(w, struct{}{}))
	}
	if err := s.readyAdminer(ctx); err != nil {
		return err
	}
	if err := s.Apply(ctx, pass.DatabaseID); err != nil {
		return err
	}
	return ftplink.Answer(w, struct{}{})
}

// readyAdminer has Adminer made ready, by one at a time.
func (s *Server) readyAdminer(ctx context.Context) error {
	if s.Adminer == nil {
		return nil
	}
	s.adminer.Lock()
	defer s.adminer.Unlock()
	return s.Adminer(ctx)
}

// queue does a work in its turn, and notes how it ended.
func (s *Server) queue(work hosting.DatabaseWork, do func(context.Context, hosting.DatabaseWork, hosting.Database) (hosting.Message, []hosting.TableReport, error)) {
	s.running.Go(func() {
		ctx := s.ctx
		defer func() { _ = os.Remove(s.spool(work.ID)) }()
		select {
		case <-ctx.Done():
			return // the next agent says so
		case s.works <- struct{}{}:
		}
		defer func() { <-s.works }()
		if taken, err := s.Store.TakeWork(ctx, work.ID, hosting.DatabaseWorkWaiting, hosting.DatabaseWorkRunning); err != nil || !taken {
			slog.WarnContext(ctx, "a work on a database was not begun", slog.Uint64("work", uint64(work.ID)), slog.Any("cause", err))
			return
		}
		db, err := s.Store.Database(ctx, work.DatabaseID)
		var said hosting.Message
		var report []hosting.TableReport
		if err == nil {
			err = reconcile.Protect(func() (err error) {
				said, report, err = do(ctx, work, db)
				return err
			})
		}
		s.end(ctx, work, said, report, err)
	})
}

// end notes how a work ended.
func (s *Server) end(ctx context.Context, work hosting.DatabaseWork, said hosting.Message, report []hosting.TableReport, err error) {
	if s.ctx.Err() != nil {
		return // we are being stopped: the next agent says so
	}
	state := hosting.DatabaseWorkDone
	if err != nil {
		state, said = hosting.DatabaseWorkFailed, hosting.Msg("dbwork.failed")
		if e, ok := errors.AsType[*hosting.Error](err); ok && e.Kind != hosting.Internal {
			said = e.Message
		}
		slog.WarnContext(ctx, "a work on a database failed", slog.String("kind", string(work.Kind)), slog.Uint64("work", uint64(work.ID)), slog.Any("cause", err))
	}
	if err := s.Store.EndWork(context.WithoutCancel(ctx), work.ID, state, said, report); err != nil {
		slog.ErrorContext(ctx, "the end of a work on a database is not noted", slog.Any("cause", err))
	}
}

// check has the tables of a database looked at, or built anew.
func (s *Server) check(ctx context.Context, work hosting.DatabaseWork, db hosting.Database) (hosting.Message, []hosting.TableReport, error) {
	tables, err := s.Driver.Check(ctx, db, work.Kind == hosting.DatabaseWorkOptimize, func(done, all int) {
		if err := s.Store.Progress(ctx, work.ID, int64(done), int64(all)); err != nil {
			slog.WarnContext(ctx, "progress is not noted", slog.Any("cause", err))
		}
	})
	if err != nil {
		return hosting.Message{}, nil, err
	}
	if _, err := s.Measure(ctx, db.ID); err != nil {
		return hosting.Message{}, nil, err
	}
	bad := 0
	shown := tables[:min(len(tables), maxTables)]
	for _, t := range tables {
		if !t.OK {
			bad++
		}
	}
	count := strconv.Itoa(len(tables))
	switch {
	case bad > 0:
		return hosting.Msg("dbwork.check_bad", strconv.Itoa(bad), count), shown, nil
	case work.Kind == hosting.DatabaseWorkOptimize:
		return hosting.Msg("dbwork.optimize_ok", count), shown, nil
	}
	return hosting.Msg("dbwork.check_ok", count), shown, nil
}

// maxTables is how many tables a report names.
const maxTables = 500

// withPass makes a password of the database for as long as do runs.
func (s *Server) withPass(ctx context.Context, db hosting.Database, do func(password string) error) error {
	password := secret.NewToken()
	id, err := s.Store.AddPass(ctx, db, secret.NativeHash(password), longest+time.Hour)
	if err != nil {
		return err
	}
	defer func() {
		// Also when we are being stopped: the next agent would have to.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		if err := s.drop(end, hosting.DatabasePass{ID: id, DatabaseID: db.ID}); err != nil {
			slog.WarnContext(ctx, "a pass stays until the next agent", slog.Any("cause", err))
		}
	}()
	if err := s.Apply(ctx, db.ID); err != nil {
		return err
	}
	return do(password)
}

const dropTimeout = 2 * time.Second

func (s *Server) drop(ctx context.Context, passes ...hosting.DatabasePass) error {
	todo := map[hosting.DatabaseID]bool{}
	for _, p := range passes {
		if err := s.Store.DropPass(ctx, p.ID); err != nil {
			return err
		}
		todo[p.DatabaseID] = true
	}
	var all error
	for id := range todo {
		if err := s.Apply(ctx, id); err != nil && hosting.KindOf(err) != hosting.NotFound {
			all = errors.Join(all, err)
		}
	}
	return all
}

func (s *Server) dropOld(ctx context.Context, all bool) error {
	old, err := s.Store.OldPasses(ctx, all)
	if err != nil {
		return err
	}
	return s.drop(ctx, old...)
}

// dropPasses takes off passes whose time is over, until ctx ends.
func (s *Server) dropPasses(ctx context.Context) {
	tick := time.NewTicker(passesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := errors.Join(s.dropOld(ctx, false), s.Store.LoseUnsent(ctx))
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "passes of databases stay", slog.Any("cause", err))
		}
	}
}

// gone reports a file that is not there.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
