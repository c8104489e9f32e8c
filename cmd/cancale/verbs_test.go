package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

func TestJoinWait(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{"a bare --wait stays", "site create a.example --wait", "site create a.example --wait"},
		{"a value behind the sign stays", "status --wait=60s", "status --wait=60s"},
		{"a separate length of time is joined", "status --wait 60s --json", "status --wait=60s --json"},
		{"seconds need no unit", "status --wait 60 --json", "status --wait=60 --json"},
		{"a name behind --wait is no length of time", "site create --wait a.example", "site create --wait a.example"},
		{"nothing is touched behind --", "enter x -- sleep --wait 5s", "enter x -- sleep --wait 5s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := joinWait(strings.Fields(c.args)); strings.Join(got, " ") != c.want {
				t.Errorf("joinWait(%s) = %v, want %s", c.args, got, c.want)
			}
		})
	}
}

func TestWaitFlag(t *testing.T) {
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "2m": 2 * time.Minute, "45": 45 * time.Second} {
		var w waitFlag
		if err := w.Set(text); err != nil || time.Duration(w) != want {
			t.Errorf("Set(%s) = %v, %v; want %v", text, w, err, want)
		}
	}
	for _, text := range []string{"", "soon", "-5s", "1e3"} {
		if err := new(waitFlag).Set(text); err == nil {
			t.Errorf("Set(%q) was accepted", text)
		}
	}
}

func TestWhatFlagsDoNotTakeIsSaidInBothLanguages(t *testing.T) {
	for _, c := range []struct{ args, en, fr string }{
		{"nonsense", "there is no command “nonsense”", "il n’y a pas de commande «\u00a0nonsense\u00a0»"},
		{"site list --nonsense", "there is no option --nonsense here", "il n’y a pas d’option --nonsense ici"},
		{"site list -x", "there is no option -x here", "il n’y a pas d’option -x ici"},
		{"site list --account", "--account needs a value", "--account attend une valeur"},
		{"site list --wait=soon", "--wait does not take “soon”: give a length", "donnez une durée"},
		{"plan create x --sites many", "--sites does not take “many”: give a whole", "donnez un nombre"},
		{"audit list --limit many", "--limit does not take “many”", "--limit n’accepte pas"},
	} {
		root := newRoot()
		root.SetArgs(strings.Fields(c.args))
		cmd, err := root.ExecuteC()
		for locale, want := range map[string]string{"C": c.en, "fr_FR.UTF-8": c.fr} {
			t.Setenv("LC_ALL", locale)
			var said bytes.Buffer
			cmd.SetErr(&said)
			cmd.SetOut(io.Discard)
			if status := report(cmd, err); status != exitUsage || !strings.Contains(said.String(), want) {
				t.Errorf("%s in %s: status %d, %q, want %q", c.args, locale, status, said.String(), want)
			}
		}
	}
}

func TestOneLine(t *testing.T) {
	if got, want := oneLine(" a\n\tb \x1b[31m\u009bc\u0085d\u2028e\u00a0: f"), "a b [31m c d e\u00a0: f"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Names of files and texts of others give no orders to the terminal that shows
// them, and begin no line and no column of their own.
func TestOutputGivesTheTerminalNoOrders(t *testing.T) {
	const bad = "a\x1b]0;owned\x07\x1b[2J\nroot\tok\u009b31m\u202egnp\x7f\u2066\xff"
	var text, doc strings.Builder
	out := harmless{&text}
	if err := errors.Join(
		table(out, [][]string{{"who", "what"}, {bad, "x"}}), sheet(out, [][2]string{{"name", bad}}),
		func() error { _, err := fmt.Fprintln(out, strings.ReplaceAll(bad, "\n", "")); return err }(),
		writeJSON(&doc, map[string]string{"name": bad}),
	); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "\n"); n != 4 {
		t.Errorf("%d lines: %q", n, text.String())
	}
	for _, said := range []string{strings.ReplaceAll(text.String(), "\n", ""), strings.ReplaceAll(doc.String(), "\n", "")} {
		if !utf8.ValidString(said) || strings.ContainsFunc(said, func(c rune) bool { return c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) }) {
			t.Errorf("%q", said)
		}
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(doc.String()), &back); err != nil || back["name"] != strings.ToValidUTF8(bad, "\uFFFD") {
		t.Errorf("%v: %q", err, back)
	}
}

func TestReport(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	for _, c := range []struct {
		name   string
		err    error
		status int
		kind   string
		field  string
	}{
		{"a refused value is 4", hosting.Refuse(hosting.Invalid, "host", "cli.no"), 4, "invalid", "host"},
		{"a name that is taken is 4", hosting.Refuse(hosting.Conflict, "host", "cli.no"), 4, "conflict", "host"},
		{"a full plan is 4", hosting.Refuse(hosting.OverLimit, "", "cli.no"), 4, "over_limit", ""},
		{"what does not exist is 3", fmt.Errorf("store: %w", hosting.Refuse(hosting.NotFound, "name", "cli.no")), 3, "not_found", "name"},
		{"a database that does not answer is 1", hosting.Refuse(hosting.Unavailable, "", "cli.no"), 1, "unavailable", ""},
		{"our own fault is 1", errors.New("disk on fire"), 1, "internal", ""},
		{"a wrong command line is 2", usage("cli.flag_missing", "--account"), 2, "usage", ""},
		{"no installation named is 2", config.ErrNowhere, 2, "usage", ""},
		{"a wish that was not met is 5", notAppliedError{hosting.Msg("cli.no")}, 5, "not_applied", ""},
		{"several refusals are told together", hosting.Errors{hosting.Refuse(hosting.Invalid, "php", "cli.no"), hosting.Refuse(hosting.Invalid, "host", "cli.yes")}, 4, "invalid", "php"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			cmd := &cobra.Command{Use: "x"}
			cmd.SetOut(&out)
			cmd.SetErr(&errs)
			cmd.Flags().Bool("json", true, "")
			if got := report(cmd, c.err); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if line := errs.String(); !strings.HasPrefix(line, "cancale: ") || strings.Count(line, "\n") != 1 {
				t.Errorf("standard error is not one line of ours: %q", line)
			}
			var document struct{ Error refusal }
			d := json.NewDecoder(&out)
			if err := d.Decode(&document); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				t.Errorf("standard output holds more than one document")
			}
			if document.Error.Kind != c.kind || document.Error.Field != c.field || document.Error.Message == "" {
				t.Errorf("error %+v, want kind %s and field %q", document.Error, c.kind, c.field)
			}
		})
	}
	t.Run("the flag that holds the fault is named", func(t *testing.T) {
		var errs bytes.Buffer
		cmd := &cobra.Command{Use: "x"}
		cmd.SetErr(&errs)
		cmd.Flags().String("document-root", "", "")
		report(cmd, hosting.Refuse(hosting.Invalid, "document_root", "cli.no"))
		if got := errs.String(); got != "cancale: --document-root: no\n" {
			t.Errorf("said %q", got)
		}
	})
	t.Run("a line break in an error stays on the line", func(t *testing.T) {
		var errs bytes.Buffer
		cmd := &cobra.Command{Use: "x"}
		cmd.SetErr(&errs)
		report(cmd, errors.New("a\nb\x1b[31m"))
		if got := errs.String(); got != "cancale: a b [31m\n" {
			t.Errorf("said %q", got)
		}
	})
}

func TestSpeak(t *testing.T) {
	for _, c := range []struct{ name, all, messages, lang, want string }{
		{"French is asked for by LANG", "", "", "fr_FR.UTF-8", "oui"},
		{"LC_ALL wins", "C.UTF-8", "fr_FR.UTF-8", "fr_FR.UTF-8", "yes"},
		{"LC_MESSAGES beats LANG", "", "fr_BE", "de_DE", "oui"},
		{"another language is English", "", "", "de_DE.UTF-8", "yes"},
		{"nothing asked for is English", "", "", "", "yes"},
		{"Frisian is not French", "", "", "frr_DE", "yes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("LC_ALL", c.all)
			t.Setenv("LC_MESSAGES", c.messages)
			t.Setenv("LANG", c.lang)
			if got := say(speak(t.Context()), hosting.Msg("cli.yes")); got != c.want {
				t.Errorf("said %q, want %q", got, c.want)
			}
		})
	}
}

func TestParseDay(t *testing.T) {
	last, err := parseDay("expires", "2027-06-30")
	if err != nil || day(last) != "2027-06-30" {
		t.Errorf("parseDay = %v, %v", last, err)
	}
	if after := last.Add(time.Second); after.Day() != 1 || after.Hour() != 0 {
		t.Errorf("the last moment is %v", last)
	}
	for _, s := range []string{"", "never", " never "} {
		if d, err := parseDay("expires", s); d != nil || err != nil {
			t.Errorf("parseDay(%q) = %v, %v", s, d, err)
		}
	}
	for _, s := range []string{"30/06/2027", "2027-02-30", "2027-6-1", "tomorrow"} {
		if _, err := parseDay("expires", s); err == nil || hosting.KindOf(err) != hosting.Invalid {
			t.Errorf("parseDay(%q) = %v", s, err)
		}
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"":                     {},
		"24h":                  now.Add(-24 * time.Hour),
		"2026-11-01":           time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local),
		"2026-11-01T08:00:00Z": time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC),
	} {
		got, err := parseSince(text, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("parseSince(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := parseSince("yesterday", now); hosting.KindOf(err) != hosting.Invalid {
		t.Errorf("parseSince(yesterday) = %v", err)
	}
}

func TestUpTo(t *testing.T) {
	pages := [][]int{{1, 2}, {3, 4}, {5}}
	read := func(page int) ([]int, int, error) {
		if page > len(pages) {
			return nil, 5, nil
		}
		return pages[page-1], 5, nil
	}
	for limit, want := range map[int][]int{0: {1, 2, 3, 4, 5}, 3: {1, 2, 3}, 9: {1, 2, 3, 4, 5}} {
		if got, err := upTo(limit, read); err != nil || !cmp.Equal(got, want) {
			t.Errorf("upTo(%d) = %v, %v; want %v", limit, got, err, want)
		}
	}
}
