package panel

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"cancale/internal/hosting"
)

func TestKeysOfAnFTPLogin(t *testing.T) {
	w := newWorld(t)
	public, _, err := ed25519.GenerateKey(rand.Reader)
	w.must(err)
	key, err := ssh.NewPublicKey(public)
	w.must(err)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	o, path := w.as("owner"), "/ftp/"+number(w.login.ID)
	keys := func() []hosting.FTPKey {
		t.Helper()
		rows, err := w.store.FTPKeys(t.Context(), hosting.System("test").Scope(hosting.FTPRead), w.login.ID)
		w.must(err)
		return rows
	}

	o.get(path + "/keys/new")
	for _, bad := range []string{"", "words", "-----BEGIN OPENSSH PRIVATE KEY-----", `command="sh" ` + line, line + "\n" + line} {
		o.post(path+"/keys/new", "key", bad, "label", "x").refusedAt(t, "key")
	}
	o.post(path+"/keys/new", "key", line, "label", "a\x00b").refusedAt(t, "label")
	if len(keys()) > 0 {
		t.Fatal("a key was added all the same")
	}
	p := o.follow(o.post(path+"/keys/new", "key", line, "label", `<script>alert(1)</script>`))
	if strings.Contains(p.body, "<script>alert") || !strings.Contains(p.body, ssh.FingerprintSHA256(key)) || !strings.Contains(p.body, "2222") {
		t.Errorf("the page: %s", p.text("main"))
	}
	o.post(path+"/keys/new", "key", line).refusedAt(t, "key") // it is there already
	rows := keys()
	if len(rows) != 1 || rows[0].PublicKey != line {
		t.Fatalf("got %+v", rows)
	}
	remove := "/keys/" + number(rows[0].ID) + "/remove"

	// Nobody else removes it, nor under another login of their own.
	for who, want := range map[string]int{"stranger": http.StatusNotFound, "contractor": http.StatusForbidden} {
		b := w.as(who)
		b.get("/profile")
		if got := b.post(path + remove).status; got != want {
			t.Errorf("%s: %d, want %d", who, got, want)
		}
	}
	other := w.newLogin("other")
	o.get(path)
	if got := o.post("/ftp/" + number(other.ID) + remove).status; got != http.StatusNotFound {
		t.Errorf("under another login: %d", got)
	}
	if len(keys()) != 1 {
		t.Fatal("the key is gone")
	}
	o.follow(o.post(path + remove))
	if len(keys()) != 0 {
		t.Error("the key is still there")
	}
}
