package hostile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cancale/internal/config"
)

// Target is an installation at work, with two sites that were made to be
// attacked.
type Target struct {
	Layout           config.Layout // as the rest of the machine sees it
	Status           config.Status
	Local            string // the address at which it listens
	Attacker, Victim Member
}

// Member is one of the two sites, and what its people have.
type Member struct {
	Account, Host              string
	HomeToken, SocketToken     string
	UID                        int
	Login, Password            string // FTP
	Database, DatabasePassword string
}

// Finding is how the attacks of one group ended; without problems all of them
// were made and stopped.
type Finding struct {
	Group    string
	Attacks  int
	Problems []string
	// Untried says that no attack succeeded, but that some could not be made.
	Untried bool
}

// groups are the harmless attacks by what they are after.
var groups = []struct {
	name string
	rows []string
}{
	{"files", []string{"P01", "P02", "P03", "P04", "P06", "P09", "P13", "P15", "P16", "P17", "P18"}},
	{"processes", []string{"P07", "P10", "P12", "P21"}},
	{"services", []string{"P19", "P31", "P32", "H12", "H13", "H25"}},
	{"php", []string{"P22", "P30", "H08", "H10", "H11", "H41"}},
	{"handlers", []string{"H01", "H02", "H03", "H05", "H06", "H07", "H21", "H22", "H23", "H24", "H33"}},
	{"links", []string{"H15", "H16", "H20", "H29"}},
	{"secrets", []string{"H26", "H34", "H35", "H36", "H40", "H42"}},
	{"database", []string{"D01", "D02", "D03", "D04", "D05", "D06", "D07", "D08", "D10", "D12", "D13"}},
	{"ftp", []string{"F01", "F02"}},
}

// harmless are all rows that an installation at work may be asked to stop.
func harmless() []row { return slices.Concat(phpRows, apacheRows, databaseRows, ftpRows) }

// Groups are the names of the groups, in the order in which they are tried.
func Groups() []string {
	names := make([]string, len(groups), len(groups)+1)
	for i, g := range groups {
		names[i] = g.name
	}
	return append(names, "afterwards")
}

// Attack tries everything that is harmless and says how each group ended; the
// last is that of the victim, who must be as before. It stops when ctx ends.
func Attack(ctx context.Context, target Target) ([]Finding, error) {
	w := &world{
		layout: target.Layout, inside: config.Layout{Root: config.Mount}, status: target.Status, local: target.Local, client: newClient(),
	}
	w.attacker, w.victim = w.of(target.Attacker), w.of(target.Victim)
	begin := finding{ctx: ctx}
	begin.try(func(t tester) {
		for _, m := range []*member{w.attacker, w.victim} {
			if err := m.ftp(t).Stor("www/run.php", strings.NewReader(runScript)); err != nil {
				t.Fatal(err)
			}
		}
		w.prepare(t)
	})
	if len(begin.problems) > 0 {
		return nil, errors.New(strings.Join(begin.problems, "; "))
	}
	rows := map[string]row{}
	for _, r := range harmless() {
		rows[r.id] = r
	}
	var all []Finding
	for _, g := range groups {
		f := Finding{Group: g.name, Attacks: len(g.rows)}
		for _, id := range g.rows {
			if err := ctx.Err(); err != nil {
				return all, err
			}
			one := finding{ctx: ctx}
			one.try(func(t tester) { rows[id].attack(t, w) })
			for _, p := range one.problems {
				f.Problems = append(f.Problems, id+" ("+rows[id].technique+"): "+p)
			}
		}
		f.Untried = !slices.ContainsFunc(f.Problems, func(p string) bool { return !strings.Contains(p, blunt) })
		all = append(all, f)
	}
	last := finding{ctx: ctx}
	last.try(func(t tester) {
		w.alive(t)
		is(t, "secret.txt", w.victim.get(t, "/secret.txt").body, secret)
	})
	return append(all, Finding{Group: "afterwards", Attacks: 1, Problems: last.problems}), ctx.Err()
}

// runScript runs what it is sent.
const runScript = `<?php eval(file_get_contents('php://input'));`

func (w *world) of(m Member) *member {
	return &member{
		w: w, account: m.Account, host: m.Host, uid: m.UID,
		home: w.inside.Home(m.HomeToken), outside: w.layout.Home(m.HomeToken), socket: w.inside.PHPSocket(m.SocketToken),
		login: m.Login, password: m.Password, database: m.Database, dbPass: m.DatabasePassword,
	}
}

// finding is a tester that writes down what it is told.
type finding struct {
	ctx      context.Context
	problems []string
	after    []func()
}

// stopHere ends an attack whose means failed.
type stopHere struct{}

// try makes one attack and what comes after it.
func (f *finding) try(attack func(tester)) {
	defer func() {
		for _, do := range slices.Backward(f.after) {
			do()
		}
	}()
	defer func() {
		if e := recover(); e != nil {
			if _, ours := e.(stopHere); !ours {
				panic(e)
			}
		}
	}()
	attack(f)
}

func (f *finding) Helper() {}

func (f *finding) Errorf(format string, args ...any) {
	f.problems = append(f.problems, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
}

func (f *finding) Fatal(args ...any) {
	f.problems = append(f.problems, fmt.Sprint(args...))
	panic(stopHere{})
}

func (f *finding) Cleanup(do func()) { f.after = append(f.after, do) }

func (f *finding) Context() context.Context { return f.ctx }
