package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cancale/internal/hostile"
	"cancale/internal/sandbox"
)

// attacked starts the trial that one site makes of another.
func (r *running) attacked(out *strings.Builder) *exec.Cmd {
	r.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"cancale", "--data", r.layout.Root, "doctor", "--attack", "--json"}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C"}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return cmd
}

// untouched fails when anything is left of the trial.
func (r *running) untouched() {
	r.t.Helper()
	if list := must(r.t, r.layout.Root, "account", "list"); strings.Contains(list, "attack") {
		r.t.Errorf("left: %s", list)
	}
	patterns := []string{
		r.layout.Homes() + "/[0-9a-f]*", r.layout.Sockets() + "/*", r.layout.Bins() + "/*", r.layout.ApacheSites() + "/*.conf", r.layout.Sandbox() + "/*", r.layout.PHP() + "/*",
		r.layout.In("run", "activated", "*"), r.layout.In("mariadb", "doctor*"), r.layout.In("log", "names", "*"),
	}
	if groups, err := sandbox.LoadGroups(r.layout.Groups()); err == nil {
		for _, base := range groups.Bases {
			patterns = append(patterns, base+"/php-*")
		}
	}
	for _, pattern := range patterns {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			r.t.Errorf("left: %v, %v", left, err)
		}
	}
}

func TestDoctorAttacks(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { sayLogs(t, data) })
	r := cancaleUp(t, data).start()
	whole := func(t *testing.T) {
		t.Helper()
		var out strings.Builder
		_ = r.attacked(&out).Wait() // other checks than these may fail on this machine
		var document struct {
			Checks []struct {
				Name, Detail, Remedy string
				OK                   bool
			}
		}
		if err := json.Unmarshal([]byte(out.String()), &document); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		tried := map[string]bool{}
		for _, c := range document.Checks {
			if name, ours := strings.CutPrefix(c.Name, "attack."); ours {
				tried[name] = true
				if !c.OK || c.Remedy != "" {
					t.Errorf("%s: %s → %s", c.Name, c.Detail, c.Remedy)
				}
			}
		}
		for _, name := range append(hostile.Groups(), "sites", "removed") {
			if !tried[name] {
				t.Errorf("no word of %s", name)
			}
		}
		r.untouched()
	}
	begun := func(t *testing.T) *exec.Cmd {
		t.Helper()
		var out strings.Builder
		cmd := r.attacked(&out)
		within(t, patient, "the sites are there", func() bool {
			homes, err := filepath.Glob(r.layout.Homes() + "/[0-9a-f]*")
			return err == nil && len(homes) == 2
		})
		return cmd
	}
	t.Run("one after the other", whole)
	t.Run("interrupted", func(t *testing.T) {
		cmd := begun(t)
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("it says that all is well")
		}
		r.untouched()
	})
	t.Run("killed", func(t *testing.T) {
		cmd := begun(t)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		whole(t)
	})
	t.Run("on what is stopped", func(t *testing.T) {
		r.stop()
		var out strings.Builder
		if err := r.attacked(&out).Wait(); err == nil || !strings.Contains(out.String(), "stopped") {
			t.Errorf("%v: %s", err, out.String())
		}
	})
}
