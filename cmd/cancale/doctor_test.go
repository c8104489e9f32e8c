package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
)

// checked are all checks of doctor.
func (r *running) checked() map[string]checkView {
	r.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"cancale", "--data", r.layout.Root, "doctor", "--json"}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C"}
	out, _ := cmd.Output() // it fails when something is wrong
	var document struct{ Checks []checkView }
	if err := json.Unmarshal(out, &document); err != nil {
		r.t.Fatalf("doctor: %v\n%s", err, out)
	}
	checks := map[string]checkView{}
	for _, c := range document.Checks {
		checks[c.Name] = c
	}
	return checks
}

// TestDoctorNamesWhatDiffers breaks one thing of each kind while the agent
// stands still, and lets the agent repair all of it.
func TestDoctorNamesWhatDiffers(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { sayLogs(t, data) })
	r := cancaleUp(t, data).start()
	must(t, data, "account", "create", "asso", "--label", "Asso")
	must(t, data, "plan", "create", "all")
	must(t, data, "account", "update", "asso", "--plan", "all")
	for i := range 8 {
		must(t, data, "site", "create", fmt.Sprintf("s%d.example", i), "--account", "asso", "--wait=90s")
	}
	must(t, data, "database", "create", "one", "--account", "asso", "--wait=90s")
	must(t, data, "database", "create", "two", "--account", "asso", "--wait=90s")

	kinds := map[string]string{"homes": "8 homes", "vhosts": "8 virtual hosts", "php": "8 PHPs", "grants": "2 databases"}
	allWell := func() string {
		checks := r.checked()
		var wrong strings.Builder
		for name, count := range kinds {
			if c := checks[name]; !c.OK || !strings.HasPrefix(c.Detail, count) {
				fmt.Fprintf(&wrong, "%s: %+v\n", name, c)
			}
		}
		return wrong.String()
	}
	if wrong := allWell(); wrong != "" {
		t.Error(wrong)
	}

	// The page of the panel has the same rows.
	within(t, patient, "the self-check has all rows", func() bool {
		conn, err := net.Dial("unixgram", r.layout.ReportSocket())
		if err != nil {
			return false
		}
		defer conn.Close()
		_, _ = conn.Write([]byte{1})
		time.Sleep(time.Second)
		report, err := config.ReadReport(r.layout)
		found := 0
		for _, c := range report.Checks {
			if count := kinds[c.Name]; count != "" && c.OK && strings.HasPrefix(c.Detail, count) {
				found++
			}
		}
		return err == nil && found == len(kinds)
	})

	home := func(i int) string { return filepath.Dir(r.site(fmt.Sprintf("s%d.example", i)).Path) }
	conf := func(i int) string { return r.layout.ApacheSites() + fmt.Sprintf("/%d.conf", i+1) }
	secret := filepath.Join(t.TempDir(), "secret")
	homes := []string{home(0), home(1), home(2)}
	text, err := os.ReadFile(conf(6))
	if err != nil {
		t.Fatal(err)
	}
	_, socket, _ := strings.Cut(string(text), "proxy:unix:"+config.Mount+"/")
	socket, _, _ = strings.Cut(socket, "|")
	agent := r.service("agent").PID
	freeze(t, agent)
	if err := errors.Join(
		os.Chmod(homes[0], 0o777),
		os.Chown(homes[1]+"/www", 0, 0),
		os.RemoveAll(homes[2]+"/www"), os.Symlink("/etc", homes[2]+"/www"),
		os.WriteFile(conf(3), []byte("# mine\n"), 0o600),
		os.Remove(conf(4)),
		os.WriteFile(secret, []byte("secret"), 0o600), os.Remove(conf(5)), os.Symlink(secret, conf(5)),
		os.WriteFile(r.layout.ApacheSites()+"/00-mine.conf", []byte("# mine\n"), 0o600),
		os.WriteFile(r.layout.PHP()+"/6/pool.conf", []byte("[www]\n"), 0o640),
		os.Mkdir(r.layout.PHP()+"/4711", 0o750),
		os.Remove(r.layout.In(socket)),
		syscall.Mkfifo(r.layout.Sockets()+"/pipe", 0o600), // nobody may wait for it
	); err != nil {
		t.Fatal(err)
	}
	r.sql("GRANT SELECT ON `asso\\_two`.* TO 'asso_one'@'localhost'")

	checks := r.checked()
	for name, parts := range map[string][]string{
		"homes":  {"s0.example (home has the wrong rights)", "s1.example (www has the wrong owner)", "s2.example (something else is in the place of www)"},
		"vhosts": {"s3.example (4.conf was changed)", "s4.example (5.conf is missing)", "s5.example (something else is in the place of 6.conf)", "apache/sites/00-mine.conf (belongs to no site)"},
		"php":    {"s5.example (pool.conf was changed)", "s6.example (fpm.sock is missing)", "php/4711 (belongs to no site)", "f/pipe (belongs to no site)"},
		"grants": {"asso_one (GRANT has the wrong rights)", "asso_two (GRANT has the wrong rights)"},
	} {
		c := checks[name]
		if c.OK || !strings.Contains(c.Remedy, "ten minutes") {
			t.Errorf("%s: %+v", name, c)
		}
		for _, part := range parts {
			if !strings.Contains(c.Detail, part) {
				t.Errorf("%s says nothing of %s: %s", name, part, c.Detail)
			}
		}
		if strings.Contains(c.Detail, "s7.example") {
			t.Errorf("%s accuses a site that is as it should be: %s", name, c.Detail)
		}
	}

	// One that a person changes meanwhile is not accused.
	must(t, data, "site", "suspend", "s7.example")
	if c := r.checked()["vhosts"]; strings.Contains(c.Detail, "s7.example") {
		t.Errorf("a change under way is taken for a difference: %s", c.Detail)
	}

	// No more than five are named.
	for _, i := range []int{0, 1, 2, 6} {
		if err := os.Chmod(conf(i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if c := r.checked()["vhosts"]; strings.Count(c.Detail, "(") != mostPartsNamed || !strings.Contains(c.Detail, "and ") {
		t.Errorf("%s", c.Detail)
	}

	// A new agent looks at everything. It removes nothing from a home by itself.
	must(t, data, "site", "resume", "s7.example")
	if err := errors.Join(os.Remove(homes[2]+"/www"), syscall.Kill(agent, syscall.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patient)
	wrong := allWell()
	for ; wrong != "" && time.Now().Before(deadline); wrong = allWell() {
		time.Sleep(time.Second)
	}
	if wrong != "" {
		t.Error(wrong)
	}
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 || info.Size() != int64(len("secret")) {
		t.Errorf("what a link leads to was changed: %v, %v", info, err)
	}
	// Nothing is accused right after a start, when sockets are yet to come.
	r.stop()
	r = cancaleUp(t, data).start()
	if wrong := allWell(); wrong != "" {
		t.Error(wrong)
	}
}

// TestRemediesAreCommands reads what people are told to type, in both languages.
func TestRemediesAreCommands(t *testing.T) {
	named := regexp.MustCompile(`\bcancale ((?:--?[a-z]+(?: \{[0-9]\})?|\{[0-9]\}|[a-z]+)(?: (?:--?[a-z]+(?: \{[0-9]\})?|\{[0-9]\}|[a-z]+))*)`)
	found := 0
	for _, lang := range []string{"fr", "en"} {
		text, err := os.ReadFile("../../internal/i18n/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]string
		if err := json.Unmarshal(text, &texts); err != nil {
			t.Fatal(err)
		}
		for key, text := range texts {
			if !strings.HasPrefix(key, "doctor.") {
				continue
			}
			for _, line := range named.FindAllStringSubmatch(text, -1) {
				found++
				words := strings.Fields(strings.NewReplacer("{0}", "something", "{1}", "something").Replace(line[1]))
				cmd, rest, err := newRoot().Find(words)
				if err == nil && !cmd.Runnable() {
					err = errors.New("it only groups others")
				}
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				if err == nil {
					err = cmd.ValidateArgs(cmd.Flags().Args())
				}
				if err != nil {
					t.Errorf("%s, %s: cancale %s: %v", lang, key, line[1], err)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d commands were found", found)
	}
}
