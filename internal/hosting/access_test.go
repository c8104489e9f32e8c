package hosting

import (
	"testing"
	"time"
)

func TestTheZeroScopeSeesNothing(t *testing.T) {
	var s Scope
	if s.All() || s.Has(1) || len(s.Accounts()) != 0 {
		t.Error("the zero scope sees something")
	}
	if (Actor{}).Can(SitesRead) || (Actor{}).Can(SignedIn) {
		t.Error("nobody may do something")
	}
	if !(Actor{}).Can(Public) {
		t.Error("a public page is closed to nobody in particular")
	}
}

func TestRoles(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	yesterday := now.AddDate(0, 0, -1)
	member := func(role Role, until *time.Time) Actor {
		return PersonActor(Person{ID: 7, Email: "a@asso.example"}, []Membership{{PersonID: 7, AccountID: 3, Role: role, Until: until}}, "192.0.2.1", now)
	}
	cases := []struct {
		name  string
		actor Actor
		need  Permission
		in    AccountID
		want  bool
	}{
		{"an owner writes sites of the account", member(Owner, nil), SitesWrite, 3, true},
		{"an owner of one account is nobody in another", member(Owner, nil), SitesRead, 4, false},
		{"a webmaster manages no people", member(Webmaster, nil), PeopleWrite, 3, false},
		{"a contractor reads", member(Contractor, nil), SitesRead, 3, true},
		{"a contractor does not write", member(Contractor, nil), SitesWrite, 3, false},
		{"a contractor whose time is over is nobody", member(Contractor, &yesterday), SitesRead, 3, false},
		{"an owner has no part in the administration", member(Owner, nil), AdminRead, 3, false},
		{"an administrator does everything", PersonActor(Person{ID: 1, Role: Administrator}, nil, "", now), SitesWrite, 9, true},
		{"a technician sees every account", PersonActor(Person{ID: 1, Role: Technician}, nil, "", now), SitesRead, 9, true},
		{"a technician changes no site", PersonActor(Person{ID: 1, Role: Technician}, nil, "", now), SitesWrite, 9, false},
		{"a technician makes no plans", PersonActor(Person{ID: 1, Role: Technician}, nil, "", now), AdminPlans, 0, false},
		{"a technician changes no settings", PersonActor(Person{ID: 1, Role: Technician}, nil, "", now), AdminSettings, 0, false},
		{"a disabled administrator is nobody", PersonActor(Person{ID: 1, Role: Administrator, Disabled: true}, nil, "", now), SignedIn, 0, false},
		{"the machine does everything", System("cli:root"), AdminPlans, 0, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.actor.CanIn(c.need, c.in); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAScopeIsNarrowedNeverWidened(t *testing.T) {
	s := PersonActor(Person{ID: 7}, []Membership{{PersonID: 7, AccountID: 3, Role: Owner}}, "", time.Time{}).Scope(SitesRead)
	if !s.Only(3).Has(3) || s.Only(4).Has(4) || s.Only(4).Has(3) {
		t.Error("Only gave more than the scope had")
	}
	if all := System("x").Scope(SitesRead).Only(5); all.All() || !all.Has(5) || all.Has(6) {
		t.Error("Only of everything is not one account")
	}
}

func TestAMembershipOfSomebodyElseIsIgnored(t *testing.T) {
	a := PersonActor(Person{ID: 7}, []Membership{{PersonID: 8, AccountID: 3, Role: Owner}}, "", time.Time{})
	if a.Can(SitesRead) {
		t.Error("another person's membership counts")
	}
}
