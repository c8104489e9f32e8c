package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAGroupBoundsAllThatRunsForASite(t *testing.T) {
	g, err := NewGroups(fmt.Sprintf("cancale-test-%d", os.Getpid()))
	if err != nil { // also ErrNoGroups: what nothing bounds proves nothing
		t.Fatal(err)
	}
	defer func() {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
		for _, base := range g.Bases {
			if _, err := os.Stat(base); err == nil {
				t.Errorf("%s is left", base)
			}
		}
	}()
	within := func(line string) (string, error) {
		t.Helper()
		spec := site(t, line)
		var err error
		if spec.Groups, err = g.Of("php-1", Limits{Memory: 64 << 20, Tasks: 12}); err != nil {
			t.Fatal(err)
		}
		return output(t, spec)
	}
	// tail holds what it is to write.
	for size, fits := range map[string]bool{"10M": true, "200M": false} {
		if out, err := within("head -c " + size + " /dev/zero | tail -c " + size + " | wc -c | grep -v '^0$'"); (err == nil) != fits {
			t.Errorf("%s in memory: %v %s", size, err, out)
		}
	}
	for n, fits := range map[string]bool{"5": true, "30": false} {
		if out, err := within("for i in $(seq " + n + "); do sleep 0.3 & done; wait"); (err == nil) != fits {
			t.Errorf("%s processes: %v %s", n, err, out)
		}
	}
	g.Drop("php-1")
	if _, err := os.Stat(filepath.Join(g.Bases["pids"], "php-1")); err == nil {
		t.Error("the group of a site in which nothing runs is left")
	}
	file := filepath.Join(t.TempDir(), "groups.json")
	if err := g.Save(file); err != nil {
		t.Fatal(err)
	}
	if again, err := LoadGroups(file); err != nil || again.Bases["memory"] != g.Bases["memory"] {
		t.Errorf("read again: %v %v", again, err)
	}
}

func TestWhereGroupsAreMade(t *testing.T) {
	top := t.TempDir()
	make := func(dir, hands string) {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, dir, "cgroup.subtree_control"), []byte(hands), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	make("", "cpuset cpu io memory pids\n")
	make("user.slice", "memory pids\n")
	make("user.slice/session-1.scope", "")
	make("system.slice/a.service", "")
	make("system.slice", "memory\n")
	mount := "30 23 0:26 / " + top + " rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	for own, want := range map[string]string{
		"0::/user.slice/session-1.scope\n":              "user.slice",
		"0::/system.slice/a.service\n":                  "",
		"0::/\n":                                        "",
		"4:memory:/x\n0::/user.slice/session-1.scope\n": "user.slice",
	} {
		if got := unifiedParent(mount, own); got != filepath.Join(top, want) {
			t.Errorf("unifiedParent(%q) = %s, want %q", own, got, want)
		}
	}
	if got := unifiedParent("", "0::/\n"); got != "" {
		t.Errorf("nothing is mounted, and groups are made in %s", got)
	}
	// Version 1, seen from a container: the root of what is mounted is not the
	// hierarchy's.
	first := strings.NewReplacer("TOP", top).Replace("31 23 0:30 /pod TOP/user.slice rw - cgroup cgroup rw,memory\n32 23 0:31 / TOP rw - cgroup cgroup rw,cpu,cpuacct\n")
	got := parents(first, "9:cpu,cpuacct:/system.slice\n4:memory:/pod/session-1.scope\n3:pids:/\n")
	if len(got) != 2 || got["memory"] != top+"/user.slice/session-1.scope" || got["cpu"] != top+"/system.slice" {
		t.Errorf("parents = %v", got)
	}
}
