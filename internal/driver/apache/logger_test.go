package apache

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// splitters are the children of Apache that read its log stream, whatever
// configuration they are of.
func (n *node) splitters() []int {
	n.tb.Helper()
	text, err := os.ReadFile(filepath.Join(n.layout.ApacheRun(), "apache2.pid"))
	if err != nil {
		n.tb.Fatal(err)
	}
	apache := strings.TrimSpace(string(text))
	children, err := os.ReadFile("/proc/" + apache + "/task/" + apache + "/children")
	if err != nil {
		n.tb.Fatal(err)
	}
	var found []int
	for child := range strings.FieldsSeq(string(children)) {
		line, err := os.ReadFile("/proc/" + child + "/cmdline")
		if pid, _ := strconv.Atoi(child); err == nil && strings.Contains(string(line), "\x00"+splitLogs+"\x00") {
			found = append(found, pid)
		}
	}
	return found
}

func TestAKilledLoggerIsReplaced(t *testing.T) {
	n := startNode(t)
	site := n.site(1)
	if err := n.driver.Ensure(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { n.driver.FollowLogger(ctx) })
	t.Cleanup(func() { cancel(); following.Wait() })

	killed := n.splitters()
	if len(killed) == 0 {
		t.Fatal("nobody splits the log")
	}
	for _, pid := range killed {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(n.layout.SiteLogs(uint64(site.ID)), "access.log")
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		// The site answers all the while, and its visits are logged again.
		if status, _, _ := n.get(string(site.Host), "/again"); status == 0 {
			t.Fatal("the site does not answer")
		}
		if data, err := os.ReadFile(log); err == nil && strings.Contains(string(data), "/again") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no visit is logged; splitters now: %v", n.splitters())
		}
	}
	if read, err := n.driver.streamRead(); !read || err != nil {
		t.Errorf("the stream is read: %v %v", read, err)
	}
}
