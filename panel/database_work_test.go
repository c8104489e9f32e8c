package panel

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
)

// answerExports is an agent that has one thing to say.
func (w *world) answerExports() {
	w.t.Helper()
	path := w.srv.conf.Layout.DatabasesSocket()
	w.must(os.MkdirAll(w.srv.conf.Layout.Run(), 0o711))
	w.must(ftplink.MakeDir(path))
	listener, err := ftplink.Listen(path)
	w.must(err)
	link := ftplink.NewServer(w.store)
	link.Handle("GET /works/{id}/export", hosting.SignedIn, func(out http.ResponseWriter, _ ftplink.Request) error {
		_, err := out.Write([]byte("a file"))
		return err
	})
	link.Handle("POST /passes/{id}/apply", hosting.SignedIn, func(out http.ResponseWriter, _ ftplink.Request) error {
		return ftplink.Answer(out, struct{}{})
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- link.Serve(ctx, listener) }()
	w.t.Cleanup(func() { cancel(); w.must(<-done) })
}

func TestUsersOfADatabase(t *testing.T) {
	w := newWorld(t)
	path := "/databases/" + number(w.database.ID) + "/users"
	b := w.as(owner)
	b.get(path)
	p := b.follow(b.post(path, "name", "stats", "rights", "read"))
	if p.path != path || !strings.Contains(p.body, "baie_stats") {
		t.Fatalf("%s: %s", p.path, p.body)
	}
	users, err := w.store.DatabaseUsers(t.Context(), w.root.Scope(hosting.DatabasesRead), w.database.ID)
	if err != nil || len(users) != 1 || !users[0].ReadOnly {
		t.Fatalf("%+v, %v", users, err)
	}
	if again := b.get(path); strings.Contains(again.body, "Notez-le maintenant") {
		t.Error("the password is shown twice")
	}
	for _, name := range []string{"", "<b>x</b>", "a b", "é", "stats", strings.Repeat("a", 70)} {
		b.get(path)
		if p := b.post(path, "name", name, "rights", "write"); p.status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d", name, p.status)
		}
	}
	b.get(path)
	if p := b.post(path, "name", "other", "rights", "all"); p.status != http.StatusUnprocessableEntity {
		t.Errorf("rights that are none: %d", p.status)
	}

	// Another association's owner, by an address of their own.
	database, _, err := w.store.CreateDatabase(t.Context(), w.root, w.other.ID, hosting.DatabaseName(string(w.other.Name)+"_x"))
	w.must(err)
	theirs := "/databases/" + number(database.ID) + "/users"
	s := w.as(stranger)
	s.get(theirs)
	for _, act := range []string{"/remove", "/password"} {
		if p := s.post(theirs+act, "user", number(users[0].ID)); p.status != http.StatusNotFound {
			t.Errorf("a stranger: %s: %d", act, p.status)
		}
	}
	b.get(path)
	if p := b.follow(b.post(path+"/remove", "user", number(users[0].ID))); p.status != http.StatusOK {
		t.Errorf("%d", p.status)
	}
	if users, err = w.store.DatabaseUsers(t.Context(), w.root.Scope(hosting.DatabasesRead), w.database.ID); err != nil || len(users) != 0 {
		t.Errorf("%+v, %v", users, err)
	}
}

func TestAnImportIsRefusedInItsForm(t *testing.T) {
	w := newWorld(t)
	base := "/databases/" + number(w.database.ID)
	b := w.as(owner)
	for site, name := range map[string]string{"": "www/a.sql", "999999": "www/a.sql", number(w.site.ID): "../../etc/passwd", "x": ""} {
		b.get(base + "/import")
		if p := b.post(base+"/import/file", "site", site, "path", name); p.status != http.StatusUnprocessableEntity {
			t.Errorf("%q %q: %d", site, name, p.status)
		}
	}
	works, err := w.store.DatabaseWorks(t.Context(), w.root.Scope(hosting.DatabasesRead), w.database.ID)
	if err != nil || len(works) != 0 {
		t.Errorf("%+v, %v", works, err)
	}
}
