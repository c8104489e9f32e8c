package ftpd

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
)

// linked runs the panel's socket beside the daemon, and asks it as root.
func linked(t *testing.T) (change func(*Config), ask func(method, path string, out any) error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "live") //nolint:usetesting // the path of a socket must be short
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := dir + "/ftpd/link.sock"
	check(t, ftplink.MakeDir(path))
	l, err := ftplink.Listen(path)
	check(t, err)
	client := ftplink.NewClient(path)
	return func(cfg *Config) {
			cfg.Link = ftplink.NewServer(cfg.Store)
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- cfg.Link.Serve(ctx, l) }()
			t.Cleanup(func() { cancel(); check(t, <-ended) })
		}, func(method, path string, out any) error {
			return client.Call(t.Context(), root, method, path, nil, nil, out)
		}
}

func TestLiveSessions(t *testing.T) {
	change, ask := linked(t)
	m := newMember(t, quick(), change)
	sessions := func(want func([]hosting.LiveSession) bool) []hosting.LiveSession {
		t.Helper()
		var found []hosting.LiveSession
		for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			check(t, ask(http.MethodGet, "/sessions", &found))
			if want(found) {
				return found
			}
			if time.Now().After(end) {
				t.Fatalf("%+v", found)
			}
		}
	}
	c := m.connect()
	one := sessions(func(l []hosting.LiveSession) bool { return len(l) == 1 && l[0].Login != "" })[0]
	if string(one.Login) != m.login || one.AccountID != m.site.AccountID || one.Source != "127.0.0.1" || one.Protocol != hosting.FTP || one.Action != "" || time.Since(one.Begun) > time.Minute || time.Since(one.Since) > time.Minute {
		t.Errorf("%+v", one)
	}

	d := c.data()
	c.want(150, "STOR www/evil\x80.bin")
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for range 2000 {
			if _, err := d.Write(make([]byte, 10_000)); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	one = sessions(func(l []hosting.LiveSession) bool { return len(l) == 1 && l[0].Speed > 0 })[0]
	if one.Action != hosting.Sent || one.Path != `/www/evil\x80.bin` || one.Bytes == 0 {
		t.Errorf("%+v", one)
	}

	var refused *hosting.Error
	if err := ask(http.MethodPost, "/sessions/12345/end", nil); !errors.As(err, &refused) || refused.Kind != hosting.NotFound {
		t.Errorf("a session that is none: %v", err)
	}
	check(t, ask(http.MethodPost, "/sessions/"+strconv.FormatUint(one.ID, 10)+"/end", nil))
	<-stop
	// What was under way is broken off, then the session is.
	if code, text := c.read(); code != 426 {
		t.Errorf("%d %s", code, text)
	}
	if text := c.reply(421); !strings.Contains(text, "ended from the panel") {
		t.Errorf("%q", text)
	}
	if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the goodbye: %v", err)
	}
	sessions(func(l []hosting.LiveSession) bool { return len(l) == 0 })
	if got := m.told(1); !strings.Contains(got[0], "sent cut") {
		t.Errorf("the journal says %q", got)
	}
}

// What a login leaves behind is given back soon after: the memory of its hash,
// the stack that the database was asked on, the rows of its sites.
func TestASessionAtRestIsSmall(t *testing.T) {
	const sessions, most = 100, 32 << 10 // bytes of each, with its client in this test
	m := newMember(t, quick())
	m.connect() // what is made once is there
	taken := func() int64 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return int64(now.HeapAlloc + now.StackInuse)
	}
	debug.FreeOSMemory()
	before := taken()
	for range sessions {
		m.connect()
	}
	var each int64
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if each = (taken() - before) / sessions; each < most {
			return
		}
	}
	t.Errorf("%d bytes of memory for each session", each)
}
