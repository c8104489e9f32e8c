package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"cancale/internal/config"
	"cancale/internal/sandbox"
)

// TestNoMemory lets a site, and then MariaDB, ask for more memory than there is.
func TestNoMemory(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { sayLogs(t, data) })
	r := cancaleUp(t, data).start()
	must(t, data, "account", "create", "asso", "--label", "Asso")
	for _, host := range []string{"greedy.example", "calm.example"} {
		must(t, data, "site", "create", host, "--account", "asso", "--wait=90s")
	}
	put := func(host, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(r.site(host).Path, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("calm.example", "x.php", "<?php echo 'calm';")
	put("greedy.example", "x.php", "<?php echo 'serves';")
	// What is drawn is not in PHP's own count.
	put("greedy.example", "hog.php", "<?php for (;;) { $all[] = $i = imagecreatetruecolor(4000, 4000); imagefill($i, 0, 0, 1); }")

	t.Run("a site that needs more than it may is stopped alone, and told so", func(t *testing.T) {
		if _, err := sandbox.LoadGroups(r.layout.Groups()); err != nil {
			t.Fatal("nothing bounds the memory of sites on this machine: mount the control groups: ", err)
		}
		if wrong := r.diagnosis(); wrong["memory.sites"] != "" || wrong["memory"] != "" {
			t.Errorf("doctor before: %v", wrong)
		}
		code, page, err := r.visit("greedy.example", "/hog.php")
		if err != nil || code != http.StatusServiceUnavailable || !strings.Contains(page, "<h1") {
			t.Errorf("the page: %d %v %s", code, err, page)
		}
		for _, host := range []string{"greedy.example", "calm.example"} { // at once
			if code, page, err := r.visit(host, "/x.php"); err != nil || code != 200 || page != map[string]string{"greedy.example": "serves", "calm.example": "calm"}[host] {
				t.Errorf("%s: %d %v %s", host, code, err, page)
			}
		}
		within(t, patient, "doctor tells of it", func() bool { return r.diagnosis()["memory.sites"] != "" })
		log := must(t, data, "audit", "list", "--json")
		if !strings.Contains(log, "site.memory") || !strings.Contains(log, "greedy.example") {
			t.Errorf("the audit log: %s", log)
		}
		if state := r.site("greedy.example").Sync.State; state != "live" {
			t.Error(state)
		}
		if left, _ := os.ReadDir(r.layout.Starved()); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})

	t.Run("MariaDB is given no more memory", func(t *testing.T) {
		pid := r.service("mariadb").PID
		most := func(bytes string) error { // as its own user: root may lack the capability
			cmd := exec.Command("/usr/bin/prlimit", "--pid", strconv.Itoa(pid), "--as="+bytes+":unlimited")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: config.MariaDBUID, Gid: config.MariaDBUID}}
			return cmd.Run()
		}
		if err := most("1048576"); err != nil {
			t.Fatal(err)
		}
		// Each connection wants memory of its own: others take what is there.
		held := r.database()
		defer held.Close()
		var last error
		for n := 0; n < 200 && last == nil; n++ {
			_, last = held.Conn(t.Context())
		}
		if e, ok := errors.AsType[*mysql.MySQLError](last); !ok || e.Number == 1040 {
			t.Fatalf("the means do not work: %v", last)
		}
		for range 20 {
			began := time.Now()
			code, page, err := r.visit("", "/invitation/"+strings.Repeat("x", 22))
			if err != nil || code != http.StatusGone && (code != http.StatusServiceUnavailable || !strings.Contains(page, "manque de mémoire")) || time.Since(began) > 20*time.Second {
				t.Fatalf("the panel: %d %v after %v: %s", code, err, time.Since(began), page)
			}
		}
		if code, _, err := r.visit("calm.example", "/x.php"); code != 200 {
			t.Errorf("a site: %d %v", code, err)
		}
		if remedy := r.diagnosis()["answer.mariadb"]; remedy == "" {
			t.Error("doctor says nothing")
		}
		_ = held.Close()
		_ = most("unlimited") // unless it has ended for want of it
		within(t, patient, "all runs again", func() bool { return r.status().Ready && r.diagnosis()["answer.mariadb"] == "" })
		must(t, data, "site", "create", "after.example", "--account", "asso", "--wait=90s")
	})
}
