package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cancale/internal/sandbox"
)

// TestKilledAtRandom makes fifty changes while everything that runs is killed
// again and again, the supervisor too. Every change that was accepted is there
// afterwards, and nothing else.
func TestKilledAtRandom(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { sayLogs(t, data) })
	r := cancaleUp(t, data).start()
	whole := t
	must(t, data, "plan", "create", "all")
	must(t, data, "account", "create", "asso", "--label", "Asso", "--plan", "all")
	must(t, data, "site", "create", "kept.example", "--account", "asso", "--wait=60s")
	page := r.site("kept.example").Path + "/kept.html"
	if err := os.WriteFile(page, []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 1))
	over := make(chan struct{})
	var killer sync.WaitGroup
	kills := map[string]int{}
	killer.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-over:
				return
			case <-time.After(time.Duration(100+chance.IntN(400)) * time.Millisecond):
			}
			if n%8 == 0 { // the power goes: all of it at once, and somebody starts it again
				_ = r.cmd.Process.Kill()
				<-r.done
				kills["everything"]++
				next := cancaleUp(whole, data)
				r = next.start()
				continue
			}
			services := r.status().Services
			if s := services[chance.IntN(len(services))]; s.PID > 0 && syscall.Kill(s.PID, syscall.SIGKILL) == nil {
				kills[s.Name]++
			}
		}
	})

	// Whoever asks tries again until there is an answer.
	var changes int
	ask := func(args ...string) {
		changes++
		for end := time.Now().Add(patient); ; {
			cmd := exec.Command("/proc/self/exe")
			cmd.Args, cmd.Env = append([]string{"cancale", "--data", data}, args...), []string{"PATH=" + os.Getenv("PATH"), "LANG=C"}
			out, err := cmd.CombinedOutput()
			code := 0
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				code = exit.ExitCode()
			} else if err != nil {
				t.Errorf("%v: %v", args, err)
			}
			// It was done by a try that was not told so.
			done := code == exitRefused && args[1] == "create" || code == exitNotFound && args[1] == "delete"
			if code == 0 || done {
				return
			}
			if time.Now().After(end) {
				t.Errorf("%v: %d %s", args, code, out)
				return
			}
		}
	}
	host := func(i int) string { return fmt.Sprintf("s%d.example", i) }
	for i := range 8 {
		ask("site", "create", host(i), "--account", "asso")
		switch i % 4 {
		case 1:
			ask("site", "suspend", host(i))
		case 2:
			ask("site", "update", host(i), "--alias", "www."+host(i))
		case 3:
			ask("site", "suspend", host(i))
			ask("site", "resume", host(i))
		}
	}
	for i := 4; i < 8; i++ {
		ask("site", "delete", host(i))
	}
	ask("site", "suspend", "kept.example")
	ask("site", "resume", "kept.example")
	for i := range 6 {
		ask("database", "create", "d"+strconv.Itoa(i), "--account", "asso")
		ask("database", "reset-password", "asso_d"+strconv.Itoa(i))
		ask("ftp", "create", "l"+strconv.Itoa(i), "--account", "asso", "--site", "kept.example")
		if i%2 == 1 {
			ask("database", "delete", "asso_d"+strconv.Itoa(i), "--purge")
			ask("ftp", "delete", "l"+strconv.Itoa(i)+"@asso")
		}
	}
	close(over)
	killer.Wait()
	t.Logf("%d changes, killed: %v", changes, kills)

	within(t, patient, "all runs", func() bool {
		for _, s := range r.status().Services {
			if !lives(s.PID) {
				return false
			}
		}
		return r.status().Ready
	})
	gone := func(list, name string) bool { return !strings.Contains(list, name) }
	within(t, patient, "all is settled", func() bool {
		sites, databases := must(t, data, "site", "list", "--json"), must(t, data, "database", "list", "--json")
		for _, busy := range []string{`"pending"`, `"applying"`, `"failed"`, `"removing"`} {
			if strings.Contains(sites, busy) || strings.Contains(databases, busy) {
				return false
			}
		}
		return gone(sites, host(4)) && gone(sites, host(7)) && gone(databases, "asso_d1")
	})
	for i, want := range map[int]int{0: 200, 1: 503, 2: 200, 3: 200, 4: 404, 5: 404, 6: 404, 7: 404} {
		if code, _, err := r.visit(host(i), "/"); code != want {
			t.Errorf("%s answers %d, %v; want %d", host(i), code, err, want)
		}
	}
	if code, _, err := r.visit("www."+host(2), "/"); code != 200 {
		t.Errorf("the alias answers %d, %v", code, err)
	}
	if _, text, err := r.visit("kept.example", "/kept.html"); text != "kept" {
		t.Errorf("a file was lost: %q, %v", text, err)
	}
	ids := []string{"1", "2", "3", "4", "5"} // kept and the four that were not deleted
	r.holds(r.layout.Homes()+"/[0-9a-f]*", len(ids))
	r.holds(r.layout.Sockets()+"/*", len(ids))
	r.holds(r.layout.Sockets()+"/*/fpm.sock", 4) // one is suspended
	r.holds(r.layout.ApacheSites()+"/*.conf", len(ids))
	r.holds(r.layout.In("mariadb", "asso@005f*"), 0)
	r.holds(r.layout.In("mariadb", "asso_*"), 3)
	if groups, err := sandbox.LoadGroups(r.layout.Groups()); err == nil {
		for _, base := range groups.Bases {
			r.holds(base+"/php-*", -len(ids))
		}
	}
	names := map[string]int{}
	for _, line := range r.processes() {
		for _, name := range []string{"mariadbd", " agent", " ftpd", " panel"} {
			if strings.Contains(line, name) {
				names[name]++
			}
		}
	}
	for name, n := range names {
		if n != 1 {
			t.Errorf("%s runs %d times", name, n)
		}
	}
	if logins := must(t, data, "ftp", "list"); !strings.Contains(logins, "l0@asso") || strings.Contains(logins, "l1@asso") {
		t.Errorf("FTP logins: %s", logins)
	}
	for name := range r.diagnosis() {
		if name != "limits.groups" && name != "disk" {
			t.Errorf("doctor does not like %s", name)
		}
	}
}

// holds fails when not so many paths fit the pattern, or more than so many for a
// negative number.
func (r *running) holds(pattern string, want int) {
	r.t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || want >= 0 && len(found) != want || len(found) > max(want, -want) {
		r.t.Errorf("%s: %v, %v; want %d", pattern, found, err, want)
	}
}
