package tasks

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

// What was written into the database by hand runs nothing.
func TestStoredTasksAreNotBelieved(t *testing.T) {
	site := hosting.Site{
		ID: 11, Host: "www.example.org", DocumentRoot: "www", PHP: "8.2", UID: config.FirstSiteUID + 11,
		HomeToken: "00112233445566778899aabbccddeeff", SocketToken: "ffeeddccbbaa99887766554433221100",
	}
	r := Runner{Layout: config.Layout{Root: "/nonexistent"}, HTTPPort: 1, Web: netip.MustParseAddr("127.0.0.1"), Limit: time.Second}
	for _, task := range []hosting.Task{
		{Kind: hosting.TaskScript, Target: "../../etc/x.php"},
		{Kind: hosting.TaskScript, Target: "/etc/x.php"},
		{Kind: hosting.TaskScript, Target: "www/x.sh"},
		{Kind: hosting.TaskScript, Target: "-r phpinfo();.php"},
		{Kind: hosting.TaskScript, Target: "www/a\nb.php"},
		{Kind: hosting.TaskURL, Target: "http://169.254.169.254/"},
		{Kind: hosting.TaskURL, Target: "//evil.example/"},
		{Kind: hosting.TaskURL, Target: "/a\r\nHost: b"},
		{Kind: hosting.TaskURL, Target: "@evil.example/"},
		{Kind: "shell", Target: "/bin/sh"},
		{},
	} {
		if result, err := r.Run(t.Context(), site, task); err == nil {
			t.Errorf("%+v: %+v", task, result)
		}
	}
	bad := site
	bad.UID = 0
	if _, err := r.Run(t.Context(), bad, hosting.Task{Kind: hosting.TaskScript, Target: "www/x.php"}); err == nil {
		t.Error("a task of root")
	}
	if result, err := r.Run(t.Context(), site, hosting.Task{Kind: hosting.TaskURL, Target: "/x"}); err != nil || result.Outcome != hosting.TaskFailed {
		t.Errorf("nobody listens: %+v %v", result, err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	out := &lastLines{}
	for range 1000 {
		if _, err := out.Write([]byte(strings.Repeat("é\x00\x1b", 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if text := out.text(); len(out.kept) > 2*tail || len(text) > tail+10 || strings.ContainsAny(text, "\x00\x1b") || !strings.HasPrefix(text, "…") {
		t.Errorf("%d kept, %q", len(out.kept), text[:20])
	}
}
